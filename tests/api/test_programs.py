"""Programs as they are written for the provider, in several languages: only base URL and key are others here."""

import builtins
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import requests
from django.db import connection
from pytest_django.fixtures import Settings

from portal import models
from portal.models.clock import Now
from portal.services.requests import dispatch, submissions
from portal.services.tokens import tokens
from tests import factories
from tests.api.serving import Program
from tests.tokens import make_token
from tests.worker.running import run_worker, unusable_table

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


# --- The loop and the table of docs/api.md ---

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
_SAMPLE = textwrap.dedent(DOCUMENT.partition("In Python:")[2].partition("\n| ")[0])
_WISH, _KEY = '{"type": "python", "lifetime": "2h"}', "headers=key"
_ROW = re.compile(r"^\| ([0-9, ]+) \| ([a-z, ]*?) ?\| (yes|60|) ?\|", re.MULTILINE)
type Row = tuple[int, str, str]  # status, status of the request, pause


def list_rows() -> list[Row]:
    """Those of the table, each for one status and one status of the request."""
    rows = _ROW.findall(DOCUMENT)
    pairs = [(codes, state, pause) for codes, states, pause in rows for state in states.split(", ")]
    return [(int(code), state, pause) for codes, state, pause in pairs for code in codes.split(", ")]


@dataclass
class Bench:
    """What happens while the program sleeps."""

    request: pytest.FixtureRequest
    program: Program
    alice: models.User
    settings: Settings
    monkeypatch: pytest.MonkeyPatch
    stack: ExitStack
    call: dispatch.Call = field(init=False)

    def work(self) -> None:
        """From here on a worker does all there is to do, and the program waits for it."""
        self.settings.PORTAL_API_WAIT = 600
        for portal_request in models.Request.objects.filter(status="QUEUED"):
            factories.send_until_settled(portal_request)
        self.stack.enter_context(run_worker())

    def claim(self) -> None:
        self.call = factories.claim()

    def finish(self) -> None:
        factories.finish(self.call)
        self.work()

    def settle(self) -> None:
        factories.send_until_settled(models.Request.objects.get())

    def end(self, failure: str = "402") -> None:
        models.Request.objects.update(status="FAILED", failure=failure, ended_at=Now(), took=0)

    def close(self) -> None:
        self.settle()
        self.end("no-answer")

    def ask_a_person(self) -> None:
        self.settle()
        models.Request.objects.update(operator_note="Undecided.")

    def cancel(self) -> None:
        submissions.cancel_request(actor=self.alice, portal_request=models.Request.objects.get())

    def take_scope(self) -> None:
        self.program.secret = make_token(self.alice, "read").text

    def use_up_minute(self) -> None:
        self.settings.PORTAL_LIMITS = True
        models.Limit.objects.create(kind="submission", who=str(self.alice.pk), count=60)

    def let_minute_pass(self) -> None:
        models.Limit.objects.all().delete()
        self.work()

    def run_as_many_as_may(self) -> None:
        factories.create_workstation(self.alice)
        factories.set_policy(running_per_person=1)

    def break_portal(self) -> None:
        self.monkeypatch.delattr(tokens, "may_use")

    def lock_database(self) -> None:
        self.request.getfixturevalue("impatient")
        self.stack.enter_context(unusable_table("portal_request"))

    def unlock_database(self) -> None:
        self.stack.close()
        if connection.vendor == "sqlite":  # what threads write for themselves waits for each other again
            self.monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 20.0)


class Scene(NamedTuple):
    """How the answers come to be: what the provider does, what happens before the loop and at each of its pauses, and
    what of the program's words is another."""

    answers: tuple[Row, ...]
    steps: tuple[Callable[[Bench], object], ...] = ()
    before: Callable[[Bench], object] = lambda _: None
    script: dict[str, Any] | None = None
    words: tuple[str, str] = ("", "")


_QUEUED, _UNKNOWN, _DROPPED = (503, "queued", "yes"), (504, "unknown", "yes"), (503, "failed", "")
_DONE = ((200, "succeeded", ""), (200, "", ""))  # and its release
_WAITS = (_KEY, 'headers=key | {"Prefer": "respond-async"}')
_RESET = {"name": "reset"}
_SCENES = (
    Scene(_DONE, before=Bench.work),
    Scene(((202, "queued", "yes"), (202, "sending", "yes"), *_DONE), (Bench.claim, Bench.finish), words=_WAITS),
    Scene(
        ((202, "queued", "yes"), (202, "unknown", "yes"), _DROPPED),
        (Bench.settle, Bench.end),
        script=_RESET,
        words=_WAITS,
    ),
    *(
        Scene((_QUEUED, (status, "failed", "")), (Bench.settle,), script={"status": status})
        for status in (400, 402, 418, 422)
    ),
    Scene(((400, "", ""),), before=lambda _: factories.set_policy(lifetimes="1h", lifetime="1h")),
    Scene(((401, "", ""),), words=("Bearer", "Basic")),
    Scene(((403, "", ""),), before=Bench.take_scope),
    Scene(((413, "", ""),), words=(_WISH, '{"note": "x" * 65_536}')),
    Scene(((422, "", ""),), words=(_WISH, '{"type": "python", "workspace_id": ""}')),
    Scene(((429, "", "yes"), *_DONE), (Bench.let_minute_pass,), before=Bench.use_up_minute),
    Scene(((429, "", ""),), before=Bench.run_as_many_as_may),
    Scene(((500, "", ""),), before=Bench.break_portal),
    Scene(((503, "cancelled", "yes"), *_DONE), (Bench.work,), words=(_KEY, "")),
    Scene((_QUEUED, (503, "cancelled", "")), (Bench.cancel,)),
    Scene((_QUEUED, _DROPPED), (Bench.settle,), script={"name": "fail-503", "times": 9}),
    Scene(((503, "", "yes"), _QUEUED, *_DONE), (Bench.unlock_database, Bench.work), before=Bench.lock_database),
    Scene((_QUEUED, (504, "sending", "yes"), *_DONE), (Bench.claim, Bench.finish)),
    Scene((_QUEUED, _UNKNOWN, _DROPPED), (Bench.settle, Bench.end), script=_RESET),
    Scene((_QUEUED, (504, "unknown", "60")), (Bench.ask_a_person,), script=_RESET),
    Scene((_QUEUED, (504, "failed", "")), (Bench.close,), script=_RESET),
)


def run_sample(bench: Bench, scene: Scene) -> Iterator[Row]:
    """What it is answered; while it would sleep, the next step is done instead."""
    answers, slept, steps = list[requests.Response](), [0], iter(scene.steps)

    def sleep(seconds: int) -> None:
        slept.append(seconds)
        next(steps, lambda _: None)(bench)

    modules = {"time": SimpleNamespace(sleep=sleep, time=lambda: sum(slept))}
    find = vars(builtins) | {"__import__": lambda name, *_: modules.get(name) or __import__(name)}
    bench.monkeypatch.setenv("TOKEN", bench.program.secret)
    bench.monkeypatch.setenv("NO_PROXY", "*")
    send = requests.Session.send

    def note(*args: Any, **options: Any) -> requests.Response:
        answers.append(send(*args, **options))
        return answers[-1]

    bench.monkeypatch.setattr(requests.Session, "send", note)
    text = _SAMPLE.replace("https://portal.example/v1", bench.program.server.base_url).replace(*scene.words)
    with suppress(requests.HTTPError):  # of the last answer
        exec(text, {"__builtins__": find})
    for one in answers:
        state, pause = one.headers.get("X-Portal-Status", ""), one.headers.get("Retry-After", "")
        yield one.status_code, state, pause if (state, pause) == ("unknown", "60") else "yes" if pause else ""


def test_each_row_of_the_table_has_a_scene():
    assert {row for scene in _SCENES for row in scene.answers} - {_DONE[1]} == {*list_rows()}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("scene", _SCENES, ids=lambda scene: ", ".join(map(str, scene.answers)))
def test_the_documented_loop_ends_at_each_row(request, program, sandbox, alice, settings, monkeypatch, caplog, scene):
    with ExitStack() as stack:
        scene.before(bench := Bench(request, program, alice, settings, monkeypatch, stack))
        if scene.script:
            sandbox.script(scene.script)
        answers = [*run_sample(bench, scene)]
    assert tuple(row for row, _ in groupby(answers)) == scene.answers
    assert models.Request.objects.exclude(status="CANCELLED").count() <= 1
    assert program.secret not in caplog.text
