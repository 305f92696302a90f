"""Programs as they are written for the provider, in several languages: only base URL and key are others here."""

import builtins
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from portal import models
from portal.models.clock import Now
from portal.services.requests import submissions
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


# --- The loop and the table of docs/api.md ---

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
_SAMPLE = textwrap.dedent(DOCUMENT.partition("In Python:")[2].partition("\n| ")[0])
_ROW = re.compile(r"^\| ([0-9, ]+) \| ([a-z, ]*?) ?\| (yes|60|) ?\|", re.MULTILINE)
_Settle = Callable[[models.Request], object]


def run_sample(
    program, monkeypatch, on_sleep: Callable[[], object], *, whole: bool = False
) -> list[tuple[int, str, str | None]]:
    """Its answers as status, status of the request and pause; while it would sleep, `on_sleep` is done instead."""
    answers, slept = list[requests.Response](), [0]

    def sleep(seconds: int) -> None:
        slept.append(seconds)
        on_sleep()

    modules = {"time": SimpleNamespace(sleep=sleep, time=lambda: sum(slept))}
    find = vars(builtins) | {"__import__": lambda name, *_: modules.get(name) or __import__(name)}
    monkeypatch.setenv("TOKEN", program.secret)
    monkeypatch.setenv("NO_PROXY", "*")
    send = requests.Session.send

    def note(*args: Any, **options: Any) -> requests.Response:
        answers.append(send(*args, **options))
        return answers[-1]

    monkeypatch.setattr(requests.Session, "send", note)
    text = _SAMPLE if whole else _SAMPLE.partition("portal.delete")[0]
    with suppress(requests.HTTPError):  # of the last answer
        exec(text.replace("https://portal.example/v1", program.server.base_url), {"__builtins__": find})
    return [
        (one.status_code, one.headers.get("X-Portal-Status", ""), one.headers.get("Retry-After")) for one in answers
    ]


def _close(portal_request: models.Request) -> None:
    factories.send_until_settled(portal_request)
    _end(portal_request, failure="no-answer")


def _end(portal_request: models.Request, *, failure: str) -> None:
    rows = models.Request.objects.filter(pk=portal_request.pk)
    rows.update(status="FAILED", failure=failure, ended_at=Now(), took=0)


def _ask_a_person(portal_request: models.Request) -> None:
    factories.send_until_settled(portal_request)
    models.Request.objects.filter(pk=portal_request.pk).update(operator_note="Undecided.")


def _cancel(portal_request: models.Request) -> None:
    submissions.cancel_request(actor=portal_request.requester, portal_request=portal_request)


QUEUED, PERSON = (503, "queued", "5"), (504, "unknown", "60")
_settle = factories.send_until_settled
ENDS: dict[str, tuple[dict[str, object], _Settle, list[tuple[int, str, str | None]]]] = {
    "refused": ({"status": 402}, _settle, [(402, "failed", None)]),
    "dropped": ({"name": "fail-503", "times": 9}, _settle, [(503, "failed", None)]),
    "cancelled": ({"status": 402}, _cancel, [(503, "cancelled", None)]),
    "closed": ({"name": "reset"}, _close, [(504, "failed", None)]),
    "unknown": ({"name": "reset"}, _settle, [(504, "unknown", "5"), (503, "failed", None)]),
    "a person": ({"name": "reset"}, _ask_a_person, [PERSON]),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_documented_loop_ends_at_each_end(program, hasty, sandbox, monkeypatch, name):
    script, settle, ends = ENDS[name]
    sandbox.script(script)

    def act() -> None:
        portal_request = models.Request.objects.get()
        if portal_request.status == "QUEUED":
            settle(portal_request)
        elif name == "unknown":
            _end(portal_request, failure="402")

    answers = run_sample(program, monkeypatch, act)
    assert (answers[0], answers[-1]) == (QUEUED, ends[-1])
    assert set(answers[1:]) == set(ends)
    assert {(str(status), state) for status, state, _ in answers} <= list_rows()
    assert models.Request.objects.count() == 1


def list_rows() -> set[tuple[str, str]]:
    """Status and status of the request of each row of the table."""
    rows = _ROW.findall(DOCUMENT)
    return {(one, state) for codes, states, _ in rows for one in codes.split(", ") for state in states.split(", ")}


def test_the_documented_loop_does_not_repeat_what_the_portal_refuses(program, sandbox, monkeypatch, settings, alice):
    def run(**options: bool) -> list[tuple[int, str, str | None]]:
        return run_sample(program, monkeypatch, lambda: models.Limit.objects.all().delete(), **options)

    factories.set_policy(lifetimes="1h", lifetime="1h")
    assert run() == [(400, "", None)]
    factories.set_policy(lifetimes="2h", lifetime="2h", running_per_person=1)
    settings.PORTAL_LIMITS = True
    models.Limit.objects.create(kind="submission", who=str(alice.pk), count=60)
    with run_worker():
        limited, *rest = run(whole=True)
        assert (limited[:2], rest) == ((429, ""), [(200, "succeeded", None), (200, "", None)])
        program.post()
        assert run() == [(429, "", None)]
    program.secret = "wsp_x"
    assert run() == [(401, "", None)]
    assert {("400", ""), ("429", ""), ("200", "succeeded"), ("401", "")} <= list_rows()
