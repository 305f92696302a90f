"""The portal on PostgreSQL, started as docs/production.md says with its two roles, with nothing else set."""

import http.cookiejar
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from tests import ports
from tests.chaos import stage
from tests.e2e.conftest import ROOT, check_traces, manage
from tests.e2e.proxied import make_environment
from tests.provider import server
from tests.web.clients import HOST

QUIET = 30.0  # seconds: long enough for every thread to have used the database at least once
PATIENCE = 30.0


def allow_plain_http(cookies: http.cookiejar.CookieJar) -> None:
    """The proxy that ends TLS would pass them on."""
    for cookie in cookies:
        cookie.secure = False


class Production:
    """Web server and worker, each a process of its own, and the database that they share."""

    def __init__(self, folder: Path, provider: server.Sandbox) -> None:
        self.database = stage.Postgres(folder)
        self.port, self._folder = ports.find_port(), folder
        environment = make_environment(database_url=self._name_database("portal_web"), port=self.port)
        more = {"AGENTSTATION_BASE_URL": provider.base_url, "PORTAL_TRUSTED_PROXY": "127.0.0.1"}
        self.environment = environment | more
        self.processes: list[subprocess.Popen[bytes]] = []

    def _name_database(self, role: str) -> str:
        return self.database.url.replace("//portal@", f"//{role}@")

    def manage(self, *words: str, role: str = "portal_web") -> str:
        return manage(*words, environment=self.environment | {"DATABASE_URL": self._name_database(role)})

    def _make_roles(self) -> None:
        """One owns the database and migrates; with the other web and worker do all they do."""
        with psycopg.connect(self.database.url, autocommit=True) as connection:
            for name in ("portal_owner", "portal_web"):
                connection.execute(f"CREATE ROLE {name} LOGIN")
            connection.execute("ALTER DATABASE portal OWNER TO portal_owner")
        self.manage("migrate", "--verbosity=0", role="portal_owner")
        with psycopg.connect(self._name_database("portal_owner"), autocommit=True) as connection:
            connection.execute(self.manage("grants", "portal_web", role="portal_owner"))

    def start(self) -> None:
        self.database.start()
        self._make_roles()
        self.manage("check", "--deploy", "--fail-level", "WARNING")
        self.manage("collectstatic", "--no-input", "--verbosity=0")
        for name, command in {
            "web": [sys.executable, "-m", "gunicorn", "portal.wsgi"],
            "worker": [sys.executable, "manage.py", "work"],
        }.items():
            with (self._folder / f"{name}.log").open("wb") as words:
                self.processes.append(
                    subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=words, stderr=words)
                )
        assert stage.wait_until(lambda: stage.is_answering(self.port), seconds=PATIENCE)

    def stop(self) -> list[int]:
        """End both, and the database; gives how each of them ended."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(PATIENCE) for process in self.processes]
        self.database.stop()
        return codes

    def read_log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()

    def ask_database(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database.url) as connection:
            return connection.execute(query).fetchall()

    def open_browser(self) -> requests.Session:
        """As behind the proxy that ends TLS."""
        browser = requests.Session()
        browser.trust_env = False
        browser.headers.update({"Host": HOST, "X-Forwarded-Proto": "https", "Referer": f"https://{HOST}/"})
        return browser

    def post_form(self, browser: requests.Session, path: str, **values: str) -> requests.Response:
        """Fill in the form on a page and send it, hidden fields and all."""
        address = f"http://127.0.0.1:{self.port}{path}"
        allow_plain_http(browser.cookies)
        page = browser.get(address)
        assert page.status_code == 200, page.text
        allow_plain_http(browser.cookies)
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)"', page.text))
        return browser.post(address, data=hidden | values, allow_redirects=False)

    def read_readiness(self) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}/readyz", headers={"Host": HOST}, timeout=PATIENCE)


@pytest.fixture(scope="module")
def provider() -> Iterator[server.Sandbox]:
    with server.Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def production(provider) -> Iterator[Production]:
    with tempfile.TemporaryDirectory(prefix="portal-production-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the database's own user must reach its folder
        running = Production(folder, provider)
        try:
            running.start()
            yield running
            check_traces(running.environment)
        finally:
            codes = running.stop()
        assert codes == [0, 0]


@pytest.fixture(scope="module")
def administrator(production) -> requests.Session:
    """Their browser."""
    browser, words = production.open_browser(), secrets.token_urlsafe(12)
    link = re.search(r"/setup/\S+", production.manage("setup_link"))
    assert link is not None
    made = production.post_form(browser, link[0], username="ada", password=words, password_again=words)
    assert made.status_code == 302, made.text
    return browser


def submit(production: Production, browser: requests.Session) -> None:
    submitted = production.post_form(browser, "/requests/new/", type="python", workspace_id="", note="")
    assert submitted.status_code == 302, submitted.text


def submit_and_await(production: Production, browser: requests.Session) -> datetime:
    """When the response was recorded."""
    query = "SELECT ended_at FROM portal_attempt WHERE outcome = 'SUCCEEDED' ORDER BY id"
    before = len(production.ask_database(query))
    submit(production, browser)
    assert stage.wait_until(lambda: len(production.ask_database(query)) > before, seconds=PATIENCE), (
        production.read_log("worker")
    )
    return production.ask_database(query)[-1][0]


def test_a_request_after_a_quiet_time_is_sent_and_recorded_at_once(production, provider, administrator):
    logged = len(production.read_log("worker"))
    time.sleep(QUIET)
    held = production.ask_database("SELECT state FROM pg_stat_activity WHERE datname = 'portal'")

    recorded_at = submit_and_await(production, administrator)

    post = provider.record()["posts"][-1]
    assert recorded_at - datetime.fromisoformat(post["time"]) < timedelta(seconds=1)
    assert len(held) <= 2 * 10 + 2, held
    readiness = production.read_readiness()
    assert (readiness.status_code, readiness.json()["reasons"], readiness.json()["warnings"]) == (200, [], [])
    assert "ERROR" not in production.read_log("worker")[logged:]


def test_a_request_after_the_database_has_crashed_is_sent_too(production, administrator):
    submit_and_await(production, administrator)

    production.database.crash()
    assert stage.wait_until(lambda: production.read_readiness().status_code == 200, seconds=PATIENCE)

    submit_and_await(production, administrator)
