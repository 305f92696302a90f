"""Programs as they are written for the provider, in several languages: only base URL and key are others here."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portal import models
from tests import factories
from tests.e2e import remote
from tests.e2e.conftest import HEADLESS_SHELL
from tests.worker.running import run_worker

pytestmark = pytest.mark.django_db(transaction=True)
FOLDER = Path(__file__).resolve().parent / "programs"
PATIENCE = 60.0  # seconds
PROGRAMS = {
    "python": (sys.executable, "workstation.py"),
    "curl": ("bash", "workstation.sh"),
    "javascript": ("node", "workstation.mjs"),
}
# What each prints: what it requested, whether the list had it, what it read, and what its release was answered.
LINES = "python active\nlisted 1\nactive\npython true\nlisted 0\n422\n"


def run(language: str, *, base_url: str, key: str) -> str:
    return run_program(*PROGRAMS[language], base_url=base_url, key=key)


def run_program(command: str, name: str, *, base_url: str, key: str) -> str:
    if shutil.which(command) is None:
        pytest.skip(f"{command} is not installed")
    environment = {"PATH": os.environ["PATH"], "BASE_URL": base_url, "API_KEY": key}
    done = subprocess.run([command, FOLDER / name], env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def provide(place: str, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The base URL and the key there."""
    if place == "provider":
        sandbox = request.getfixturevalue("sandbox")
        yield sandbox.base_url, "sandbox"
    else:
        program = request.getfixturevalue("program")
        factories.set_policy()
        with run_worker():
            yield program.server.base_url, program.secret


@pytest.mark.parametrize("place", ["provider", "portal"])
@pytest.mark.parametrize("language", PROGRAMS)
def test_a_program_does_the_same_at_the_provider_and_at_the_portal(request, language, place):
    with provide(place, request) as (base_url, key):
        assert run(language, base_url=base_url, key=key) == LINES


def test_what_a_program_requests_is_its_person_s(request, alice):
    with provide("portal", request) as (base_url, key):
        run("python", base_url=base_url, key=key)
    portal_request = models.Request.objects.get()
    assert (portal_request.requester, portal_request.status) == (alice, "SUCCEEDED")
    assert portal_request.workstation.ended_at


@pytest.mark.skipif(shutil.which(HEADLESS_SHELL) is None, reason="chromium-headless-shell is not installed")
@pytest.mark.parametrize("place", ["provider", "portal"])
def test_a_program_steers_a_browser_and_a_shell_in_its_workstation(request, tmp_path, sandbox, place):
    with (
        provide(place, request) as (base_url, key),
        remote.run_browser(tmp_path / "browser") as browser,
        remote.run_shell(tmp_path) as shell,
    ):
        addresses = {"browser/cdp": browser, "sandbox/pty": shell.address}
        for kind, address in addresses.items():
            sandbox.script({"on": f"POST /workstations/{{id}}/{kind}", "status": 200, "body": {"url": address}})
        assert run_program(sys.executable, "inside.py", base_url=base_url, key=key) == "steered\ncomputed\nTrue\n"
    opened = models.Event.objects.filter(verb="open-connection").order_by("pk")
    kinds = {"provider": [], "portal": ["cdp", "terminal"]}
    assert [event.detail["kind"] for event in opened] == kinds[place]
    assert not any(address in str(vars(event)) for event in opened for address in addresses.values())
