"""`wsp mcp` by the SDK's own client, over standard input and output and over HTTP."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, Tool, ToolAnnotations

from tests.ports import find_port
from tests.worker.running import await_that
from tests.wsp.running import PATIENCE, make_command, make_environment
from tests.wsp.serving import Answer, Asked, Told, refuse

SECRET = "wsp_Token0OfAlice"
REFUSED, WRONG = f"{SECRET}-that-has-ended", "Unauthorized - missing or invalid API key."
TOOLS = {"list_types", "list_workstations", "read_state", "read_logs", "request_workstation"}
TOOLS |= {"open_address", "extend", "release"}


@asynccontextmanager
async def connect(environment: dict[str, str], errors: Path) -> AsyncIterator[Client]:
    command, *words = make_command("mcp")
    with errors.open("w") as file:
        server = StdioServerParameters(command=command, args=words, env=environment)
        async with Client(stdio_client(server, errlog=file)) as client:
            yield client


@pytest.fixture
def errors(tmp_path) -> Path:
    return tmp_path / "errors"


@pytest.fixture
def talk(signed_in, errors) -> Callable[..., Any]:
    """Have a client that is connected over standard input and output do something."""

    def talk(act: Callable[[Client], Awaitable[Any]], **values: str) -> Any:
        async def run() -> Any:
            async with connect(signed_in | values, errors) as client:
                return await act(client)

        return asyncio.run(run())

    return talk


def read(result: CallToolResult) -> Any:
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content.get("result", result.structured_content)


def read_error(result: CallToolResult) -> str:
    [content] = result.content
    assert result.is_error
    assert content.type == "text"
    return content.text


def check_tools(listed: list[Tool]) -> None:
    """They say what they do."""
    tools = {tool.name: tool for tool in listed}
    assert tools.keys() == TOOLS
    assert all(tool.description for tool in tools.values())
    hints = {name: tool.annotations or ToolAnnotations() for name, tool in tools.items()}
    assert [name for name, hint in hints.items() if hint.destructive_hint] == ["release"]
    assert {name for name, hint in hints.items() if hint.read_only_hint} == {
        *("list_types", "list_workstations", "read_state", "read_logs")
    }


def test_an_assistant_s_day(talk, provider, errors):
    async def act(client: Client) -> None:
        check_tools((await client.list_tools()).tools)
        types = read(await client.call_tool("list_types", {}))
        assert "chromium" in [one["id"] for one in types]
        told = read_error(await client.call_tool("request_workstation", {"type": "python", "workspace_id": "fail-402"}))
        assert told.startswith("Payment Required - you have run out of trial credits")
        assert told.endswith("add credit or update the payment method.")
        wish = {"type": "chromium", "lifetime": "2h"}
        made = read(await client.call_tool("request_workstation", wish))
        assert made["state"] == "running"
        uid = made["workstation"]["id"]
        assert [one["id"] for one in read(await client.call_tool("list_workstations", {}))] == [uid]
        given = {"workstation_id": uid}
        assert read(await client.call_tool("read_state", given))["status"] == "active"
        logs = read(await client.call_tool("read_logs", given | {"seconds": 0.2}))
        assert logs["entries"][0]["type"] == "boot"
        assert read(await client.call_tool("read_logs", given | {"seconds": 0}))["entries"] == []
        for kind, start in (("browser", "http://"), ("desktop", "ws://"), ("log", "http://")):
            address = read(await client.call_tool("open_address", given | {"kind": kind}))["url"]
            assert address.startswith(start)
            addresses.append(address)
        assert read(await client.call_tool("release", given)) == {"type": "chromium", "released": True}
        assert [one["id"] for one in read(await client.call_tool("list_workstations", {"history": True}))] == [uid]
        assert "Check the ID" in read_error(await client.call_tool("read_state", given))

    addresses: list[str] = []
    talk(act)
    assert provider.uids() == []
    assert not [address for address in addresses if address.rpartition("/")[2] in errors.read_text()]


def test_who_waits_too_long_waits_on_with_the_key_and_no_token_is_logged(talk, errors):
    page = {"X_Portal_Request": "R-7", "X_Portal_Page": "/requests/7/"}
    waiting = refuse(503, "Service Unavailable - R-7 still waits for its turn.", Retry_After="5", **page)

    async def act(client: Client) -> None:
        wish = {"type": "python", "wait_seconds": 1}
        first = read(await client.call_tool("request_workstation", wish))
        assert first["state"] == "waiting"
        assert first["portal"] == {"number": "R-7", "page": f"{portal.url}/requests/7/"}
        assert "with the same arguments and this key" in first["what_to_do"]
        again = read(await client.call_tool("request_workstation", wish | {"key": first["key"]}))
        assert (again["state"], again["workstation"]) == ("running", {"id": "Il4lMTpQUC3L"})
        extended = read(await client.call_tool("extend", {"workstation_id": "x", "lifetime": "2h"}))
        assert extended == {"ends_at": "2026-12-02T10:00:00Z"}
        assert "Unauthorized" in read_error(await client.call_tool("list_types", {}))

    made, until = Answer(document={"id": "Il4lMTpQUC3L"}), Answer(document={"ends_at": "2026-12-02T10:00:00Z"})
    with Told(waiting, made, until, refuse(401, WRONG)) as portal:
        talk(act, WSP_URL=portal.url, WSP_TOKEN=SECRET)
    assert len({asked.headers["Idempotency-Key"] for asked in portal.asked[:2]}) == 1
    assert portal.asked[2].path == "/api/workstations/x/end"
    assert SECRET not in errors.read_text()


def test_who_is_not_signed_in_is_told_how_to(talk):
    told = read_error(talk(lambda client: client.call_tool("list_types", {}), WSP_URL=""))
    assert told == "You are not signed in.\nRun `wsp login`, or set WSP_URL and WSP_TOKEN."


# --- Over HTTP ---


def name_caller(asked: Asked) -> Answer:
    """One workstation, named as the token that came, unless that is refused."""
    token = asked.headers["Authorization"].removeprefix("Bearer ")
    return refuse(401, WRONG) if token == REFUSED else Answer(document={"data": [{"id": token}]})


@contextmanager
def serve(folder: Path, errors: Path, **values: str) -> Iterator[str]:
    port = find_port()
    environment = make_environment(folder, **values)
    with errors.open("w") as file:
        command = make_command("mcp", "--http", f"127.0.0.1:{port}")
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
        try:
            await_that(lambda: is_answered(port) or process.poll() is not None)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.terminate()
            process.wait(PATIENCE)


def is_answered(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/").status_code == 404
    except httpx2.ConnectError:
        return False


@asynccontextmanager
async def connect_to(url: str, token: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


async def list_as(url: str, token: str) -> list[str]:
    async with connect_to(url, token) as client:
        found = [read(await client.call_tool("list_workstations", {})) for _ in range(3)]
    return [one["id"] for [one] in found]


async def fail_as(url: str, token: str) -> str:
    async with connect_to(url, token) as client:
        return read_error(await client.call_tool("list_types", {}))


def test_each_caller_s_own_token_is_used_and_nobody_s_is_logged(folder, errors):
    with Told(by=name_caller) as portal, serve(folder, errors, WSP_URL=portal.url, WSP_TOKEN="the-server-s") as url:

        async def run() -> list[list[str]]:
            return await asyncio.gather(*(list_as(url, f"{SECRET}-{number}") for number in range(4)))

        check_that_a_token_is_needed(url)
        assert not portal.asked
        assert asyncio.run(run()) == [[f"{SECRET}-{number}"] * 3 for number in range(4)]
        assert asyncio.run(fail_as(url, REFUSED)).startswith(f"{WRONG}\nMake a new token")
    assert SECRET not in errors.read_text()
    assert "the-server-s" not in str(portal.asked)


def check_that_a_token_is_needed(url: str) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_workstations", "arguments": {}}}
    given: list[dict[str, str]] = [{}, *({"Authorization": text} for text in ("", "Bearer", "Basic YTpi", "token"))]
    for headers in given:
        answer = httpx2.post(url, json=call, headers={"Accept": "application/json, text/event-stream"} | headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"][:6]) == (401, "Bearer")


def test_a_server_without_a_portal_does_not_start(folder, errors):
    with serve(folder, errors):
        pass
    assert errors.read_text() == "wsp: You are not signed in.\nRun `wsp login`, or set WSP_URL and WSP_TOKEN.\n"
