"""A whole portal, started as README.md says, and a real browser: Chromium, where a module does not say another."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, StorageState, sync_playwright

from portal.sandbox import names
from tests import ports
from tests.chaos import stage
from tests.e2e import firefox as debians_firefox
from tests.e2e import steps
from tests.mailserver import MailServer
from tests.provider import server

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = "/usr/bin/chromium"
HEADLESS_SHELL = "/usr/bin/chromium-headless-shell"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

ABORTED_POLL = "NetworkError when attempting to fetch resource"
"""What Firefox says of a poll that a navigation or a download has cut short. Chromium says nothing."""


def find_address(folder: Path, port: int) -> str:
    """Where a local portal leads browsers."""
    return f"http://{(folder / 'local_host').read_text().strip()}:{port}"


def manage(*words: str, environment: Mapping[str, str]) -> str:
    """What a command of manage.py prints."""
    command = [sys.executable, "manage.py", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def check_traces(environment: Mapping[str, str]) -> None:
    """What was done in this portal is what the protocol allows."""
    told = manage(*stage.REPLAY, environment=environment)
    assert told.endswith(" 0 unknown"), told
    assert not told.startswith("traces 0 requests"), told


class Portal:
    """`make run` in a process group of its own, as from a terminal."""

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = ports.find_port(3), folder
        self.api_port = self.port + 2
        self.printed = f"http://127.0.0.1:{self.port}"
        self.sandbox = f"http://127.0.0.1:{self.port + 1}"
        self.issuer_port = ports.find_port()
        self.output, self._has_more = "", threading.Condition()

    def start(self, **variables: str) -> "Portal":
        environment = os.environ | {
            "PORT": str(self.port),
            "DATABASE_URL": f"sqlite:///{self.folder}/portal.sqlite3",
            "DJANGO_SETTINGS_MODULE": "tests.rehearsal",
            "AGENTSTATION_TOTAL_TIMEOUT": "8",
            "PORTAL_RETRY_DELAY": "0.2",
        }
        self.environment = environment | variables | {"PORTAL_LOCAL": "1"}
        self.output = ""
        self.process = subprocess.Popen(
            ["make", "run"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.read_until("Ctrl-C stops everything.")
        self.address = find_address(self.folder, self.port)
        return self

    def _read(self) -> None:
        """All the time: a pipe that nobody empties would stop the portal once it is full."""
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._has_more:
                    self.output += line
                    self._has_more.notify_all()

    def read_until(self, words: str) -> None:
        with self._has_more:
            assert self._has_more.wait_for(lambda: words in self.output, timeout=60), f"make run said: {self.output}"

    @property
    def setup_link(self) -> str:
        found = re.search(r"http://\S+/setup/\S+", self.output)
        assert found, self.output
        return found[0]

    def list_processes(self) -> list[int]:
        """All processes of this portal that live, by the folder in their environment."""
        mark = f"DATABASE_URL=sqlite:///{self.folder}/".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def end(self, how: Callable[["Portal"], None] | None = None) -> str:
        """End it, as a Ctrl-C does unless told otherwise, and give what it printed."""
        (how or (lambda portal: os.killpg(portal.process.pid, signal.SIGINT)))(self)
        self.process.wait(timeout=60)
        self._reader.join()
        return self.output


# What tests wait for shows soon, and one person does more in a minute than anybody may.
QUICK = {
    "PORTAL_JOB_INTERVAL": "1",
    "PORTAL_REFRESH_INTERVAL": "1",
    "PORTAL_SCAN_INTERVAL": "2",
    "PORTAL_LIMITS": "off",
}
SHORT = "15s"
_OFFER = f"from portal import models; models.Policy(pk=1, lifetimes='{SHORT} 2h', lifetime='2h').save()"


def name_issuer(port: int) -> dict[str, str]:
    """One provider as two: one that vouches for addresses, one whose groups are roles."""
    variables = {"PORTAL_OIDC": "acme,corp", "PORTAL_OIDC_ACME_DOMAINS": "example.com", "PORTAL_OIDC_CORP_SIGN_UP": "1"}
    variables["PORTAL_OIDC_CORP_GROUPS"] = "operators=team-lead,members=staff"
    for name in ("acme", "corp"):
        known = {"ISSUER": f"http://127.0.0.1:{port}", "CLIENT_ID": name, "CLIENT_SECRET": f"the secret of {name}"}
        variables |= {f"PORTAL_OIDC_{name.upper()}_{part}": value for part, value in known.items()}
    return variables


@pytest.fixture(scope="session")
def provider() -> Iterator[server.Sandbox]:
    with server.Sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def mails() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


@pytest.fixture(scope="session")
def portal(tmp_path_factory, provider, mails) -> Iterator[Portal]:
    """One for all tests that leave nothing in the others' way."""
    running = Portal(tmp_path_factory.mktemp("portal"))
    key = {"AGENTSTATION_API_KEY": names.DEFAULT_API_KEY, "AGENTSTATION_BASE_URL": provider.base_url}
    mail = {"EMAIL_URL": mails.url, "PORTAL_URL": running.printed}
    running.start(**QUICK, **key, **mail, **name_issuer(running.issuer_port))
    manage("shell", "-c", _OFFER, environment=running.environment)
    yield running
    running.end()
    check_traces(running.environment)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


def launch(playwright: Playwright, program: str = CHROMIUM) -> Browser:
    assert Path(program).exists(), f"{program} is missing; on Debian: apt install {Path(program).name}"
    return playwright.chromium.launch(executable_path=program, args=ARGUMENTS)


@pytest.fixture(scope="session")
def chromium(playwright) -> Iterator[Browser]:
    """Its engine without its windows, a third quicker: nothing here is done by more than a page."""
    running = launch(playwright, HEADLESS_SHELL)
    yield running
    running.close()


@pytest.fixture(scope="session")
def firefox(playwright, tmp_path_factory) -> Iterator[Browser]:
    running = debians_firefox.launch(playwright, tmp_path_factory.mktemp("firefox"))
    yield running
    running.close()


@pytest.fixture
def browser(request) -> Browser:
    """Chromium, where a test does not name another."""
    running: Browser = request.getfixturevalue(getattr(request, "param", "chromium"))
    return running


@pytest.fixture(scope="session")
def people(portal, chromium) -> dict[str, StorageState]:
    """What the browsers keep of ada, who administers, and of anna and olga, whom she has made auditor and operator."""
    page = chromium.new_page()
    steps.create_administrator(page, portal.address, portal.setup_link)
    contexts = {"ada": page.context}
    for username, role in (("anna", "Auditor"), ("olga", "Operator")):
        link = steps.add_person(page, portal.address, username, role)
        other = chromium.new_page()
        steps.join(other, portal.address, link)
        contexts[username] = other.context
    kept = {username: context.storage_state() for username, context in contexts.items()}
    for context in contexts.values():
        context.close()
    return kept


@pytest.fixture
def open_as(page, portal, people) -> Callable[[str], Page]:
    """Sign the page in, and let requests be sent as on an ordinary day, whatever the test before has done."""

    def open_it(username: str) -> Page:
        page.context.add_cookies(people["ada"]["cookies"])
        steps.open_key(page, portal.address)
        page.context.add_cookies(people[username]["cookies"])
        return page

    return open_it


@pytest.fixture
def signed_in(open_as) -> Page:
    return open_as("ada")


def collect_complaints(page: Page) -> list[str]:
    """What the page will say on its console and ask of other hosts; it should stay empty."""
    complaints: list[str] = []

    def read_console(message: ConsoleMessage) -> None:
        if ABORTED_POLL not in message.text:
            complaints.append(message.text)

    page.on("console", read_console)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def check_host(request: Request) -> None:
        host = urlsplit(request.url).hostname or ""
        if host not in ("127.0.0.1", "localhost") and not host.endswith(".localhost"):
            complaints.append(request.url)

    page.on("request", check_host)
    return complaints


@pytest.fixture
def page(browser) -> Iterator[Page]:
    """A page of a new browser profile, which fails the test on any message in the console or request elsewhere."""
    context = browser.new_context()
    page = context.new_page()
    complaints = collect_complaints(page)
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def neighbour() -> Iterator[tuple[str, list[str]]]:
    """The address of another server of this machine, and the cookies that browsers have sent to it."""
    cookies: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            cookies.append(self.headers.get("Cookie", ""))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<link rel=icon href=data:,>")

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/", cookies
        server.shutdown()
        serving.join()
