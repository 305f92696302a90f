"""A web server on the stage: no worker and no sandbox, so that nothing moves while a page is looked at."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext

from tests import ports
from tests.e2e.conftest import ROOT, find_address
from tests.e2e.pages import Page


class Staged:
    """The running server, and the stage behind it."""

    def __init__(self, folder: Path, *words: str) -> None:
        """`words` say which stage: none is that of all pages."""
        self.port, self._folder, self._words = ports.find_port(), folder, words
        self._environment = os.environ | {
            "PORT": str(self.port),
            "PORTAL_LOCAL": "1",
            "DATABASE_URL": f"sqlite:///{folder}/portal.sqlite3",
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PORTAL_OIDC": "acme",
            "PORTAL_OIDC_ACME_ISSUER": "https://issuer.example",
            "PORTAL_OIDC_ACME_CLIENT_ID": "portal",
            "PORTAL_OIDC_ACME_CLIENT_SECRET": "of nobody",
            # Nothing is sent where nobody has an address.
            "EMAIL_URL": "smtp://127.0.0.1:9",
            "PORTAL_URL": "https://portal.example",
            "PORTAL_NOTIFY_URLS": "jsons://hooks.example/secret,slack://secret/secret/secret",
        }
        self._scene = "active"
        self._scene_facts: dict[str, Any] = {}

    def start(self) -> "Staged":
        self._stage = self._run(
            "tests.e2e.stage", *self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.facts = self._listen()
        self.address = find_address(self._folder, self.port)
        self._server = self._run("gunicorn", "portal.wsgi")
        while not self._is_up():
            assert self._server.poll() is None, "the web server did not start"
        return self

    def _run(self, *words: str, **values: Any) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, env=self._environment, **values)

    def _is_up(self) -> bool:
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5).status == 200
        except OSError:
            return False

    def _listen(self) -> dict[str, Any]:
        assert self._stage.stdout is not None
        line = self._stage.stdout.readline()
        assert line, "the stage could not be built"
        return json.loads(line)

    def set_scene(self, name: str) -> None:
        if name != self._scene:
            assert self._stage.stdin is not None
            self._stage.stdin.write(f"{name}\n")
            self._stage.stdin.flush()
            self._scene, self._scene_facts = name, self._listen()

    def find_address(self, page: Page) -> str:
        """Where the page is; sets the scene that it belongs to."""
        self.set_scene(page.scene)
        path = page.path.format(**self.facts["requests"], **self.facts["uids"], **self._scene_facts, port=self.port)
        return path if path.startswith("http") else self.address + path

    def open_context(self, browser: Browser, page: Page, **values: Any) -> BrowserContext:
        """A browser profile with nothing in its cache, signed in as the page's person."""
        context = browser.new_context(viewport={"width": 1440, "height": 900}, **values)
        if page.person:
            value = self.facts["sessions"][page.person]
            context.add_cookies([{"name": "sessionid", "value": value, "url": self.address}])
        return context

    def end(self) -> None:
        self._server.terminate()
        self._server.wait(timeout=60)
        self._stage.communicate(timeout=60)
