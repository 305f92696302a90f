"""`wsp`: workstations from a terminal or a script."""

import importlib
import json
import re
import shlex
import sys
import uuid
import webbrowser
from contextlib import suppress
from typing import Annotated, Literal

import typer

from wsp import __version__, client, show, signin, terminal
from wsp.failures import Failure, WrongUse

app = typer.Typer(
    name="wsp",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Request workstations from your team's portal, work in them, and release them.",
    epilog="Exit codes: 0 done, 1 refused, 2 wrong use, 3 not signed in, 4 not known yet or time over, "
    "5 the portal cannot be reached.",
)


def main() -> None:
    try:
        app()
    except Failure as failure:
        show.say(f"wsp: {failure}")
        sys.exit(failure.code)


def open_portal() -> client.Portal:
    return client.Portal(signin.read())


def complete(context: typer.Context) -> list[str]:
    """The types for `request`; for all others IDs."""
    with suppress(Failure), open_portal() as portal:
        found = portal.list_types() if context.command.name == "request" else portal.list_workstations(most=100)
        return [str(one.get("id")) for one in found]
    return []


def read_seconds(text: object) -> float:
    """Of 90, 90s, 10m or 2h."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(text))
    if match is None:
        raise typer.BadParameter("It must be like 90s, 10m or 2h.")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


Uid = Annotated[str, typer.Argument(metavar="ID", help="Of a workstation.", autocompletion=complete)]
Way = Literal["page", "vncwss", "vnc", "cdp"]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Timeout = Annotated[float, typer.Option(parser=read_seconds, metavar="TIME", show_default=False, help="Such as 10m.")]


def show_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"wsp {__version__}")
        raise typer.Exit


@app.callback()
def begin(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print it.")] = False,
    as_json: Json = False,
) -> None:
    context.default_map = {str(context.invoked_subcommand): {"as_json": as_json}}


@app.command()
def login(
    url: Annotated[str, typer.Argument(help="The portal's address.")] = "",
    with_token: Annotated[bool, typer.Option("--with-token", help="Read the token from standard input.")] = False,
) -> None:
    """Sign in to a portal in the browser, or else with a token ("Settings", "Make a token")."""
    url = signin.clean_url(url or typer.prompt("Portal (https://portal.example)"))
    if with_token or not (sign_in := ask_browser(url)):
        token = sys.stdin.readline() if with_token else typer.prompt("Token", hide_input=True)
        sign_in = signin.make(url=url, token=token)
        with client.Portal(sign_in) as portal:
            portal.list_workstations(most=1)
    show.say(f"Signed in to {url}. The token is kept in {signin.keep(sign_in)}.")


def ask_browser(url: str) -> signin.SignIn | None:
    """What somebody approves on the portal's page; nothing where there is none."""
    with client.Portal(signin.SignIn(url, "")) as portal, show.errors.status("Waiting for your answer there"):
        if not (asked := portal.ask_code()):
            show.say("This portal lets nobody sign in here by the browser: it takes a token.")
            return None
        show.say(f"Open {asked['verification_uri']} and type the code {asked['user_code']}")
        if sys.stdout.isatty():
            webbrowser.open(asked["verification_uri"])
        return portal.await_token(asked)


@app.command()
def logout() -> None:
    """Forget the token. It works until you end it in the portal."""
    show.say("Signed out." if signin.forget() else "You were not signed in.")


@app.command()
def types(as_json: Json = False) -> None:
    """List the types of workstations."""
    with open_portal() as portal:
        found = portal.list_types()
    show.show_table(found, {"ID": "id", "DESCRIPTION": "description", "SOFTWARE": "software"}, as_json=as_json)


@app.command(name="list")
def list_workstations(
    history: Annotated[bool, typer.Option("--history", help="Those that have ended.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List your workstations, newest first."""
    with open_portal() as portal:
        found = portal.list_workstations(history=history, most=limit)
    heads = {"ID": "id", "TYPE": "type", "STATUS": "status", "STARTED": "startedAt", "WORKSPACE": "workspace.id"}
    show.show_table(found, heads, as_json=as_json)
    if not found:
        show.say("No workstations.")


@app.command()
def request(
    type: Annotated[str, typer.Argument(metavar="TYPE", help="`wsp types` lists them.", autocompletion=complete)],
    lifetime: Annotated[str | None, typer.Option("--for", metavar="TIME", help="How long it lives: 2h.")] = None,
    workspace: Annotated[str | None, typer.Option(metavar="ID", help="A workspace of yours to work in again.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Ask again until it runs or has failed.")] = False,
    timeout: Timeout = 600.0,
    key: Annotated[str | None, typer.Option(help="Of an earlier request, to wait on for it.")] = None,
    as_json: Json = False,
) -> None:
    """Request a workstation, and print its ID once it runs. Without --wait the portal is asked once, for a minute."""
    wish = client.Wish(type=type, lifetime=lifetime, workspace=workspace, key=key or str(uuid.uuid4()))
    noted = set[client.Where]()

    def note(where: client.Where) -> None:
        if where.number and where not in noted:
            show.say(f"{where.number} {where.page}")
            noted.add(where)
        status.update(f"Waiting for {where.number or 'the portal'}")

    try:
        with open_portal() as portal, show.errors.status(f"Requesting a workstation of type {type}") as status:
            made, where = portal.request_workstation(wish, seconds=timeout, again=wait, note=note)
    except (client.StillWaiting, KeyboardInterrupt) as stopped:
        given = {"--for": lifetime, "--workspace": workspace, "--key": wish.key}
        options = [word for name, value in given.items() if value for word in (name, value)]
        command = ["wsp", "request", type, *options, "--wait"]
        show.say(f"The request stays in the portal. To wait on for it: {shlex.join(command)}")
        raise typer.Exit(4) if isinstance(stopped, KeyboardInterrupt) else stopped from None
    note(where)
    show.say(f"It runs. To work in it: wsp terminal {made.get('id')}")
    show.show(made | {"portal": where._asdict()}, made.get("id"), as_json=as_json)


@app.command()
def extend(
    uid: Uid,
    lifetime: Annotated[str, typer.Argument(metavar="TIME", help="From now, such as 2h.")],
    as_json: Json = False,
) -> None:
    """Let a workstation live longer, and print when it ends."""
    with open_portal() as portal:
        answer = portal.extend(uid, lifetime)
    show.show(answer, answer.get("ends_at") or "It has no end.", as_json=as_json)


@app.command()
def release(uid: Uid, timeout: Timeout = 120.0, as_json: Json = False) -> None:
    """End a workstation. Its workspace and files stay."""
    with open_portal() as portal, show.errors.status(f"Releasing {uid}"):
        answer = portal.release(uid, seconds=timeout)
    show.show(answer, f"Released {uid}.", as_json=as_json)


@app.command(name="open")
def open_desktop(
    uid: Uid,
    way: Annotated[Way, typer.Option("--for", help="An address for noVNC, a VNC viewer or Playwright.")] = "page",
    only_print: Annotated[bool, typer.Option("--print", help="Print the page's address, and open nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Open a workstation's desktop in the browser, or print an address for a program. Such an address is a secret."""
    with open_portal() as portal:
        path = "browser/cdp" if way == "cdp" else way
        url = portal.find_page(uid) + "desktop/" if way == "page" else portal.open_connection(uid, path)
    show.show({"url": url}, url, as_json=as_json)
    if way == "page" and not only_print and sys.stdout.isatty():
        webbrowser.open(url)


@app.command(name="terminal")
def open_terminal(uid: Uid) -> None:
    """Work in a workstation's shell. Ctrl-] leaves."""
    terminal.check()
    with open_portal() as portal:
        address = portal.open_connection(uid, "sandbox/pty")
    show.say(f"Connecting to {uid}. Ctrl-] leaves.")
    show.say(terminal.run(address) or "Left.")


@app.command()
def logs(
    uid: Uid,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show entries as they come, one a line.")] = False,
    as_json: Json = False,
) -> None:
    """Show a workstation's log files, or follow its log until it ends."""
    with open_portal() as portal:
        if not follow:
            heads = {"CREATED": "createdAt", "LEVEL": "level", "TYPE": "type", "URL": "url"}
            show.show_table(client.list_logs(portal.read_workstation(uid)), heads, as_json=as_json)
        for entry in portal.follow_log(uid) if follow else ():
            print(json.dumps(entry) if as_json else show.describe_entry(entry), flush=True)


@app.command()
def mcp(
    http: Annotated[str, typer.Option(metavar="HOST:PORT", help="Serve by HTTP, with each caller's own token.")] = "",
) -> None:
    """Serve the portal to assistants by the Model Context Protocol, over standard input and output."""
    try:
        server = importlib.import_module("wsp.server")
    except ModuleNotFoundError:
        raise WrongUse("The MCP server is not installed.", "Install it: pip install './wsp[mcp]'") from None
    server.serve_http(http) if http else server.serve_stdio()
