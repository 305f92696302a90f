"""Calls that the portal does not know go on with the team's key, for one's own workstations alone."""

import json
import logging
import socket
from itertools import product

import pytest

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.services.lives import idle
from tests import factories
from tests.api.serving import PATIENCE, read_error
from tests.provider.script import OTHER
from tests.worker.running import await_row, await_that

pytestmark = pytest.mark.django_db(transaction=True)
UNKNOWN = (422, "Unprocessable Entity")
WAYS = [kind.way.path for kind in models.Connection.Kind]


@pytest.fixture(autouse=True)
def _passing(settings) -> None:
    settings.PORTAL_API_PASS_THROUGH = True


@pytest.fixture
def uid(server, alice) -> str:
    return factories.create_workstation(alice, type="max").uid


def ask_raw(program, method: str, path: str) -> int:
    """As it is written: a library would tidy the path up."""
    with socket.create_connection(("127.0.0.1", program.server.port), timeout=PATIENCE) as raw:
        head = f"Host: x\r\nAuthorization: Bearer {program.secret}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        raw.sendall(f"{method} /v1{path} HTTP/1.1\r\n{head}".encode())
        return int(raw.recv(4096).split()[1])


def is_passed() -> bool:
    return models.Connection.calls.filter(kind=models.Connection.PASSED_ON).exists()


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_it_goes_on_with_the_team_s_key_and_comes_back_as_it_is(program, sandbox, uid, method):
    answer = program.call(method, f"/workstations/{uid}/other/Th-ing_2", params={"a": "1 2"}, data=b'{"x":  1}')
    assert answer.status_code == 200
    assert answer.json() == {
        "method": method,
        "path": f"/v1/workstations/{uid}/other/Th-ing_2",
        "query": "a=1+2",
        "body": '{"x":  1}',
    }
    [came] = [call for call in sandbox.record()["connections"] if call["on"] == OTHER]
    assert came["authorized"]
    assert program.secret not in str(came)


def test_it_is_one_event_without_bodies(program, uid, caplog):
    caplog.set_level(logging.INFO)
    answer = program.call("POST", f"/workstations/{uid}/other", params={"q": "in-the-query"}, data=b'{"x": "secret"}')
    event = models.Event.objects.get(verb="pass-on")
    path = f"/v1/workstations/{uid}/other"
    token = models.Token.objects.get().pk
    assert event.detail == {"method": "POST", "path": path, "status": 200, "token": token}
    assert (event.actor_name, event.address) == ("alice", "127.0.0.1")
    assert event.http_request == answer.headers["X-Request-ID"]
    rows = str([*models.Event.objects.values(), *models.Change.objects.values(), *models.Connection.calls.values()])
    assert not [word for word in ("secret", "in-the-query") if word in rows + caplog.text]


def test_a_token_in_the_path_is_hidden(program, uid):
    program.call("GET", f"/workstations/{uid}/other/{program.secret}")
    assert program.secret not in str(models.Event.objects.get(verb="pass-on").detail)


@pytest.mark.parametrize("status", [201, 302, 400, 401, 402, 404, 418, 422, 429, 500, 503])
def test_what_the_provider_answers_comes_back(program, sandbox, uid, status):
    body = {"error": "A word", "message": "A sentence.", "more": [1]}
    sandbox.script({"on": OTHER, "status": status, "body": body, "headers": {"Retry-After": "7"}})
    answer = program.call("GET", f"/workstations/{uid}/other")
    assert (answer.status_code, answer.json()) == (status, body)
    assert answer.headers["Retry-After"] == "7"
    assert models.Event.objects.get(verb="pass-on").detail["status"] == status


def test_a_refused_key_is_probed(program, sandbox, uid):
    sandbox.script({"on": OTHER, "status": 401})
    program.call("GET", f"/workstations/{uid}/other")
    assert models.Key.objects.get().probe_at


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (200, b"")),
        (b"null", (200, b"null")),
        (b"text", (502, None)),
        (b"\xff", (502, None)),
        (b"[" * 100_000, (502, None)),
        (json.dumps("x" * (1024 * 1024 - 2)).encode(), (200, json.dumps("x" * (1024 * 1024 - 2)).encode())),
        (json.dumps("x" * (1024 * 1024 - 1)).encode(), (502, None)),
    ],
)
def test_only_json_up_to_a_megabyte_comes_back(program, sandbox, uid, body, expected):
    sandbox.script({"on": OTHER, "status": 200, "body": body})
    answer = program.call("GET", f"/workstations/{uid}/other")
    assert answer.status_code == expected[0]
    assert answer.json()["error"] == "Bad Gateway" if expected[1] is None else answer.content == expected[1]


def test_a_gateway_s_page_becomes_json(program, sandbox, uid):
    sandbox.script({"on": OTHER, "status": 403, "body": "<html>no</html>"})
    assert program.call("GET", f"/workstations/{uid}/other").json()["error"] == "Status 403"


def test_no_answer_is_504_and_an_event(program, sandbox, uid):
    sandbox.script({"on": OTHER, "name": "reset"})
    assert read_error(program.call("GET", f"/workstations/{uid}/other")) == (504, "Gateway Timeout")
    assert models.Event.objects.get(verb="pass-on").detail["status"] == 504


def test_the_key_in_an_answer_is_blotted(program, sandbox, uid, settings):
    sandbox.script({"on": OTHER, "status": 200, "body": {"you_sent": "Bearer a-long-key-of-the-team"}})
    settings.AGENTSTATION_API_KEY = "a-long-key-of-the-team"
    models.Credential.objects.update(
        fingerprint=factories.accounts.fingerprint_key(account=models.Account.objects.get())
    )
    assert "a-long-key" not in program.call("GET", f"/workstations/{uid}/other").text


# --- Whose, and where ---


@pytest.mark.parametrize("who", ["bob", "olga"])
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_what_is_another_s_is_as_what_never_was(make_program, uid, request, who, method):
    program = make_program(request.getfixturevalue(who))
    other, never = (program.call(method, f"/workstations/{one}/other") for one in (uid, "neverexisted"))
    assert other.json() == never.json()
    assert read_error(other) == UNKNOWN
    assert not is_passed()


def test_what_has_ended_is_not_found(program, uid):
    models.Workstation.objects.update(ended_at=Now())
    assert read_error(program.call("GET", f"/workstations/{uid}/other")) == UNKNOWN
    assert not is_passed()


def test_the_scope_is_open(make_program, alice, uid):
    answer = make_program(alice, "read", "request", "release").call("GET", f"/workstations/{uid}/other")
    assert read_error(answer) == (401, "Unauthorized")
    assert not is_passed()


def list_spellings(path: str) -> list[str]:
    half = path.replace("/", "//")
    encoded = "".join(f"%{ord(letter):02x}" for letter in path)
    return [
        *(path.upper(), path.title(), path[:-1] + path[-1].upper(), half.upper()),
        *(f"/{path}", f"//{path}", f"{path}/", f"{path}//", f"/{path}/", f"{half}/"),
        *(f"%2f{path}", f"{path}%2f", f"{path}%2F", f"{path[:-1]}%{ord(path[-1]):02x}", encoded, f"{path}%00"),
        *(f"./{path}", f"x/../{path}", f"{path}/.", f"{path}/x/..", f"%2e/{path}", f"x/%2e%2e/{path}", f"{path};x"),
    ]


SPELLINGS = [(path, one) for path in ("release", *WAYS) for one in list_spellings(path)]


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_what_the_portal_has_itself_never_passes_in_any_spelling(program, sandbox, uid, method):
    told = {one: ask_raw(program, method, f"/workstations/{uid}/{one}") for _, one in SPELLINGS}
    assert {status for one, status in told.items()} == {404}, told
    for path, doubled in product(
        ("release", *WAYS), ("//workstations/", "/workstations//", "/Workstations/", "/x/../workstations/")
    ):
        assert ask_raw(program, method, f"{doubled}{uid}/{path}") == 404
    assert not is_passed()
    assert not models.Connection.calls.exists()
    assert not sandbox.record()["workstations"][0]["released"]


@pytest.mark.parametrize("path", ["/", "//", "%2f"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_nor_does_the_workstation_itself(program, uid, method, path):
    assert ask_raw(program, method, f"/workstations/{uid}{path}") in (404, 422)
    assert not is_passed()


def test_another_method_of_what_the_portal_has_is_405(program, uid):
    for path in ("release", *WAYS):
        assert ask_raw(program, "GET", f"/workstations/{uid}/{path}") == 405
    assert not is_passed()


@pytest.mark.parametrize("path", ["a.b", "a%20b", "a:b", "a\\b", "..", "a;b", "a@b"])
def test_other_letters_do_not_pass(program, uid, path):
    assert ask_raw(program, "GET", f"/workstations/{uid}/{path}") == 404
    assert not is_passed()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "HEAD"])
def test_other_methods_do_not_pass(program, uid, method):
    assert ask_raw(program, method, f"/workstations/{uid}/other") == 405
    assert not is_passed()


@pytest.mark.parametrize("path", ["/workspaces/x/files", "/workstations/types/other", "/other", "/agents/x/y"])
def test_nothing_passes_elsewhere(program, uid, path):
    assert program.call("GET", path).status_code in (404, 422)
    assert not is_passed()


def test_it_is_off_unless_it_is_set(program, uid, settings):
    settings.PORTAL_API_PASS_THROUGH = False
    assert read_error(program.call("GET", f"/workstations/{uid}/other")) == (404, "Not Found")
    assert not is_passed()


# --- How many ---


def test_nobody_passes_too_many(program, uid, alice, settings):
    settings.PORTAL_LIMITS = True
    models.Limit.objects.create(kind="passing", who=str(alice.pk), count=60)
    answer = program.call("GET", f"/workstations/{uid}/other")
    assert read_error(answer) == (429, "Too Many Requests")
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_they_count_in_the_team_s_pace(program, uid, settings):
    settings.PORTAL_CALLS_PER_MINUTE = 2  # the workstation's own was the first
    assert program.call("GET", f"/workstations/{uid}/other").status_code == 200
    assert read_error(program.call("GET", f"/workstations/{uid}/other")) == (429, "Too Many Requests")


def test_while_the_key_is_refused_nothing_is_asked(program, uid):
    models.Key.objects.update(state="PAUSED", cause="401", paused_at=Now())
    assert read_error(program.call("GET", f"/workstations/{uid}/other")) == (503, "Service Unavailable")
    assert not is_passed()


def test_four_that_hang_hold_up_nothing(program, server, sandbox, uid, settings):
    settings.AGENTSTATION_TOTAL_TIMEOUT = 60.0
    sandbox.script({"on": OTHER, "delay": 600.0, "times": 4})
    calls = [program.begin("GET", f"/workstations/{uid}/other") for _ in range(4)]
    await_that(server.application.places.locked)
    fifth = program.call("GET", f"/workstations/{uid}/other")
    assert read_error(fifth) == (503, "Service Unavailable")
    assert fifth.headers["Retry-After"]
    assert program.post_and_send().status_code == 200
    assert program.call("POST", f"/workstations/{uid}/sandbox/pty").status_code == 200
    assert program.call("GET", "/workstations").status_code == 200
    assert not any(call.done() for call in calls)
    sandbox.provider.stopping.set()
    assert [call.result(PATIENCE).status_code for call in calls] == [200] * 4
    assert models.Event.objects.filter(verb="pass-on").count() == 4


def test_whose_program_leaves_is_recorded_all_the_same(program, sandbox, uid):
    sandbox.hold()
    raw = socket.create_connection(("127.0.0.1", program.server.port), timeout=PATIENCE)
    head = f"GET /v1/workstations/{uid}/other HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {program.secret}\r\n\r\n"
    raw.sendall(head.encode())
    await_row(models.Connection.calls.filter(kind=models.Connection.PASSED_ON))
    raw.close()
    sandbox.release()
    await_row(models.Event.objects.filter(verb="pass-on"))


def test_whose_token_ends_meanwhile_is_told_nothing(program, sandbox, uid, alice):
    sandbox.hold()
    answer = program.begin("GET", f"/workstations/{uid}/other")
    await_row(models.Connection.calls.filter(kind=models.Connection.PASSED_ON))
    models.Token.objects.update(ended_at=Now(), ended_by=alice)
    sandbox.release()
    assert read_error(answer.result(PATIENCE)) == (401, "Unauthorized")
    assert models.Event.objects.filter(verb="pass-on").exists()


def test_what_programs_use_so_is_never_idle(program, uid):
    factories.set_policy(idle_hours=1)
    models.Workstation.objects.update(end_set_at=clock.read_clock().replace(year=2020))
    before = idle.list_unused(rows=models.Workstation.objects.all()).count()
    program.call("GET", f"/workstations/{uid}/other")
    models.Connection.calls.update(ended_at=clock.read_clock().replace(year=2020))
    assert (before, idle.list_unused(rows=models.Workstation.objects.all()).count()) == (1, 0)


def test_it_is_no_connection(program, uid):
    program.call("GET", f"/workstations/{uid}/other")
    assert not models.Connection.objects.exists()
