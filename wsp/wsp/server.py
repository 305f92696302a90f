"""`wsp mcp`: the portal for assistants, by the Model Context Protocol."""

import functools
import hashlib
import uuid
from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any, Literal

from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ToolAnnotations
from pydantic import AnyHttpUrl, Field, ValidationError

from wsp import __version__, client, signin
from wsp.failures import Failure, WrongUse

_INSTRUCTIONS = """Workstations are cloud machines with a desktop, a terminal or a browser, which cost money while they
run. Request one, use it by an address of open_address, and release it when it is not needed any more."""
_MOST_ENTRIES = 200  # of a log

# No aliases by `type`, which schemas would only refer to.
Uid = Annotated[str, Field(description="ID of a workstation, as list_workstations shows it.")]
Lifetime = Annotated[str, Field(description="Such as 2h or 30m, from now.")]
Key = Annotated[str | None, Field(description="Of an earlier answer, to wait on. Left out for a new request.")]
Wait = Annotated[float, Field(ge=1, le=300, description="How many seconds to wait at most.")]
type Open = Callable[[Context], client.Portal]

_WAYS = {"browser": "browser/cdp", "desktop": "vncwss", "native_desktop": "vnc"}
_WAYS |= {"terminal": "sandbox/pty", "log": "log/stream"}
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
_ENDS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


def serve_stdio() -> None:
    """With this person's token."""
    make_server(lambda _: client.Portal(signin.read())).run("stdio")


def serve_http(place: str) -> None:
    """With each caller's token: this process has none."""
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal():
        raise WrongUse("--http must be like 127.0.0.1:8003.")
    url = signin.read_url()
    auth = AuthSettings(issuer_url=AnyHttpUrl(url), resource_server_url=None)
    server = make_server(functools.partial(_open_for_caller, url), token_verifier=_AnyToken(), auth=auth)
    # Without sessions: none is another caller's. A page that tricks a browser into coming here has no token.
    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    server.run(
        "streamable-http", host=host.strip("[]"), port=int(port), stateless_http=True, transport_security=security
    )


class _AnyToken:
    """Whether a token is good, the portal says at each call that is made with it."""

    async def verify_token(self, token: str) -> AccessToken:
        return AccessToken(token=token, client_id=hashlib.sha256(token.encode()).hexdigest(), scopes=[])


def _open_for_caller(url: str, context: Context) -> client.Portal:
    """With the token of the message's own header."""
    kind, _, token = (context.headers or {}).get("authorization", "").partition(" ")
    return client.Portal(signin.make(url=url, token=token if kind.lower() == "bearer" else ""))


class _Server(MCPServer):
    """Which tells the assistant of failures what a person would be told."""

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Context | None = None) -> Any:
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if not isinstance(cause := error.__cause__, Failure | ValidationError):
                raise
            raise ToolError(str(cause) if isinstance(cause, Failure) else _describe_wrong(cause)) from None


def _describe_wrong(arguments: ValidationError) -> str:
    """The first that is."""
    wrong = arguments.errors()[0]
    what = "is missing" if wrong["type"] == "missing" else wrong["msg"].removeprefix("Input ")
    return f"The argument {wrong['loc'][0]} {what}."


def make_server(open_portal: Open, **options: Any) -> MCPServer:
    server = _Server("wsp", version=__version__, instructions=_INSTRUCTIONS, log_level="WARNING", **options)
    tools = Tools(open_portal)
    for tool, annotations in (
        *((tools.list_types, _READS), (tools.list_workstations, _READS), (tools.read_state, _READS)),
        *((tools.read_logs, _READS), (tools.request_workstation, _ADDS), (tools.open_address, _ADDS)),
        *((tools.extend, _ADDS), (tools.release, _ENDS)),
    ):
        server.add_tool(tool, annotations=annotations)
    return server


class Tools:
    def __init__(self, open_portal: Open) -> None:
        self._open = open_portal

    def list_types(self, context: Context) -> list[dict[str, Any]]:
        """List the types of workstations that can be requested, with what is in each."""
        with self._open(context) as portal:
            return portal.list_types()

    def list_workstations(
        self,
        context: Context,
        history: Annotated[bool, Field(description="Those that have ended, instead of those that run.")] = False,
        limit: Annotated[int, Field(ge=1, le=100)] = 20,
    ) -> list[dict[str, Any]]:
        """List the person's workstations, newest first."""
        with self._open(context) as portal:
            return portal.list_workstations(history=history, most=limit)

    def read_state(self, context: Context, workstation_id: Uid) -> dict[str, Any]:
        """Read the state of a workstation that runs, with the files and logs of its workspace."""
        with self._open(context) as portal:
            return portal.read_workstation(workstation_id)

    def request_workstation(
        self,
        context: Context,
        type: Annotated[str, Field(description="One of list_types.")],
        lifetime: Lifetime | None = None,
        workspace_id: Annotated[str | None, Field(description="A workspace of the person's to work in again.")] = None,
        key: Key = None,
        wait_seconds: Wait = 45,
    ) -> dict[str, Any]:
        """Request a workstation, which costs money until it is released. Wait until it runs, has failed, or the time is
        over: "state" is then "waiting", and the same call with the answer's key waits on for the same request."""
        wish = client.Wish(type=type, lifetime=lifetime, workspace=workspace_id, key=key or str(uuid.uuid4()))
        with self._open(context) as portal:
            try:
                made, where = portal.request_workstation(wish, seconds=wait_seconds)
            except client.StillWaiting as waiting:
                what = "Call it again with the same arguments and this key. Without the key it makes a second one."
                return {"state": "waiting", "key": wish.key, "what_to_do": what, "portal": waiting.where._asdict()}
        return {"state": "running", "workstation": made, "portal": where._asdict()}

    def read_logs(
        self,
        context: Context,
        workstation_id: Uid,
        seconds: Annotated[float, Field(ge=0, le=60, description="How long to listen; 0: only list log files.")] = 5,
    ) -> dict[str, Any]:
        """Read what a workstation logs from now on for some seconds, and which log files its workspace has."""
        with self._open(context) as portal:
            files = client.list_logs(portal.read_workstation(workstation_id))
            entries = islice(portal.follow_log(workstation_id, seconds=seconds) if seconds else (), _MOST_ENTRIES)
            return {"files": files, "entries": list(entries)}

    def open_address(
        self,
        context: Context,
        workstation_id: Uid,
        kind: Literal["browser", "desktop", "native_desktop", "terminal", "log"] = "browser",
    ) -> dict[str, str]:
        """Open a connection into a workstation: browser (Chrome DevTools Protocol, for Playwright's connectOverCDP),
        desktop (WebSocket with RFB), native_desktop (VNC, host and port), terminal (WebSocket), log (server-sent
        events). The address is a secret: whoever has it is in."""
        with self._open(context) as portal:
            return {"url": portal.open_connection(workstation_id, _WAYS[kind])}

    def extend(self, context: Context, workstation_id: Uid, lifetime: Lifetime) -> dict[str, Any]:
        """Let a workstation live longer."""
        with self._open(context) as portal:
            return portal.extend(workstation_id, lifetime)

    def release(self, context: Context, workstation_id: Uid) -> dict[str, Any]:
        """End a workstation and what runs in it, for good. Its workspace and files stay."""
        with self._open(context) as portal:
            return portal.release(workstation_id, seconds=50)
