"""Connections that programs open: by the same way as pages, and the address is the answer."""

import logging

import pytest

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.services.connections import ending
from portal.services.lives import idle
from tests import factories
from tests.api.serving import PATIENCE, read_error, read_limit
from tests.worker.running import await_row

pytestmark = pytest.mark.django_db(transaction=True)
Kind = models.Connection.Kind
TERMINAL = "POST /workstations/{id}/sandbox/pty"
ADDRESS = "ws://127.0.0.1:9/v1/pty/secret-token-of-this-test"
UNKNOWN = (422, "Unprocessable Entity")


@pytest.fixture
def workstation(server, alice) -> models.Workstation:
    return factories.create_workstation(alice, type="max")


def open_one(program, uid: str, path: str = "sandbox/pty"):
    return program.call("POST", f"/workstations/{uid}/{path}")


@pytest.mark.parametrize("kind", Kind)
def test_the_answer_is_the_address(program, workstation, kind):
    answer = open_one(program, workstation.uid, kind.way.path)
    assert answer.status_code == 200
    assert answer.json().keys() == {"url"}
    assert answer.json()["url"]
    event = factories.find_event("open-connection")
    assert (event.actor_name, event.address, event.detail["kind"]) == ("alice", "127.0.0.1", kind)
    assert event.detail["token"] == models.Token.objects.get().pk
    assert event.http_request == answer.headers["X-Request-ID"]


def test_the_address_is_nowhere_else(program, sandbox, workstation, caplog):
    caplog.set_level(logging.DEBUG)
    sandbox.script({"on": TERMINAL, "status": 200, "body": {"url": ADDRESS}})
    assert open_one(program, workstation.uid).json() == {"url": ADDRESS}
    rows = [*models.Event.objects.values(), *models.Connection.calls.values(), *models.Limit.objects.values()]
    assert "secret-token" not in caplog.text + str(rows)


def test_a_type_without_it_is_422_without_a_call(program, server, sandbox, alice):
    account = models.Account.objects.get()
    models.WorkstationType.objects.create(account=account, name="python", software=["terminal"], raw="{}")
    uid = factories.create_workstation(alice).uid
    assert read_error(open_one(program, uid, "vncwss")) == UNKNOWN
    assert not models.Connection.calls.exists()


def test_the_provider_s_refusal_comes_with_its_code_and_words(program, sandbox, workstation):
    words = {"error": "A word", "message": "A sentence with http://secret.example/x."}
    for status in (400, 418, 422, 429, 500, 503, 402):
        sandbox.script({"on": TERMINAL, "status": status, "body": words, "headers": {"Retry-After": "7"}})
        answer = open_one(program, workstation.uid)
        assert answer.status_code == status
        assert answer.json()["message"].endswith("A sentence with (address not shown)")
        assert status not in (429, 500, 503) or answer.headers["Retry-After"] == "7"
    sandbox.script({"on": TERMINAL, "name": "reset"})
    assert read_error(open_one(program, workstation.uid)) == (504, "Gateway Timeout")
    assert not models.Connection.objects.exists()


def test_nobody_opens_too_often(program, workstation, alice, use_up):
    use_up(alice, "opening", 10)
    answer = open_one(program, workstation.uid)
    assert read_error(answer) == (429, "Too Many Requests")
    assert read_limit(answer) == (10, 0, int(answer.headers["Retry-After"]))
    assert factories.list_events("refused").exists()


def test_whose_token_ends_meanwhile_gets_no_address(program, sandbox, workstation, alice):
    sandbox.hold()
    answer = program.begin("POST", f"/workstations/{workstation.uid}/sandbox/pty")
    await_row(models.Connection.calls.filter(is_opening=True))
    models.Token.objects.update(ended_at=Now(), ended_by=alice)
    sandbox.release()
    assert read_error(answer.result(PATIENCE)) == (401, "Unauthorized")


def test_no_page_holds_it_and_its_workstation_is_never_idle(program, workstation):
    """Nobody says of a program that it is there, so its silence ends nothing, and nobody else sees it as open."""
    factories.set_policy(idle_hours=1)
    models.Workstation.objects.update(end_set_at=clock.read_clock().replace(year=2020))
    rows = models.Workstation.objects.all()
    before = idle.list_unused(rows=rows).count()
    open_one(program, workstation.uid)
    opened = models.Connection.objects.get()
    assert not opened.is_held
    models.Connection.objects.update(seen_at=clock.read_clock().replace(year=2020))
    assert ending.end_silent() == 0
    assert ending.list_open(workstations=[workstation], besides=factories.create_user("zoe", "Members")) == []
    models.Connection.objects.update(ended_at=clock.read_clock().replace(year=2020))
    assert (before, idle.list_unused(rows=rows).count()) == (1, 0)
