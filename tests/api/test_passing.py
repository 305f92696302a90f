"""Calls that the portal does not know go on with the team's key, for one's own workstations alone."""

import json
import logging
from datetime import timedelta
from itertools import product

import pytest

from portal import models
from portal.api import application
from portal.db import clock
from portal.models.clock import Now
from portal.services.connections import passing
from portal.services.lives import idle
from portal.services.retention import prune
from tests import factories
from tests.api.serving import PATIENCE, read_error, read_limit
from tests.provider.script import OTHER
from tests.worker.running import await_row, await_that

pytestmark = pytest.mark.django_db(transaction=True)
UNKNOWN = (422, "Unprocessable Entity")
WAYS = [kind.way.path for kind in models.Connection.Kind]
METHODS = ("POST", "GET", "DELETE")


@pytest.fixture(autouse=True)
def _passing(db, monkeypatch) -> None:
    factories.set_policy(passes_on=True)
    monkeypatch.setattr(application, "_LOOK_EVERY", 0.05)


@pytest.fixture
def uid(server, alice) -> str:
    return factories.create_workstation(alice, type="max").uid


def is_passed() -> bool:
    return models.Connection.calls.filter(kind=models.Connection.PASSED_ON).exists()


def test_it_goes_on_with_the_team_s_key_and_comes_back_as_it_is(program, sandbox, uid):
    path = f"/workstations/{uid}/other/Th-ing_2"
    for method in METHODS:
        answer = program.call(method, path, params={"a": "1 2"}, data=b'{"x":  1}')
        told = {"method": method, "path": f"/v1{path}", "query": "a=1+2", "body": '{"x":  1}'}
        assert (answer.status_code, answer.json()) == (200, told)
    came = [call for call in sandbox.record()["connections"] if call["on"] == OTHER]
    assert [call["authorized"] for call in came] == [True] * len(METHODS)
    assert program.secret not in str(came)


def test_it_is_one_event_without_bodies(program, uid, caplog):
    caplog.set_level(logging.INFO)
    answer = program.call("POST", f"/workstations/{uid}/other", params={"q": "in-the-query"}, data=b'{"x": "secret"}')
    event = factories.find_event("pass-on")
    path = f"/v1/workstations/{uid}/other"
    token = models.Token.objects.get().pk
    assert event.detail == {"method": "POST", "path": path, "status": 200, "token": token}
    assert (event.actor_name, event.address) == ("alice", "127.0.0.1")
    assert event.http_request == answer.headers["X-Request-ID"]
    rows = str([*models.Event.objects.values(), *models.Change.objects.values(), *models.Connection.calls.values()])
    assert not [word for word in ("secret", "in-the-query") if word in rows + caplog.text]
    program.call("GET", f"/workstations/{uid}/other/{program.secret}")
    assert program.secret not in str(factories.list_events("pass-on").latest("id").detail)


def test_what_the_provider_answers_comes_back_and_is_an_event(program, sandbox, uid):
    body = {"error": "A word", "message": "A sentence.", "more": [1]}
    for status in (201, 302, 400, 402, 404, 418, 422, 429, 500, 503, 401):
        sandbox.script({"on": OTHER, "status": status, "body": body, "headers": {"Retry-After": "7"}})
        models.Key.objects.update(probe_at=None)
        answer = program.call("GET", f"/workstations/{uid}/other")
        assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (status, body, "7")
        assert factories.list_events("pass-on").latest("id").detail["status"] == status
    assert models.Key.objects.get().probe_at, "a key that is refused is probed"
    sandbox.script({"on": OTHER, "name": "reset"})
    assert read_error(program.call("GET", f"/workstations/{uid}/other")) == (504, "Gateway Timeout")
    assert factories.list_events("pass-on").latest("id").detail["status"] == 504


def test_only_json_up_to_a_megabyte_comes_back(program, sandbox, uid):
    largest, larger = (json.dumps("x" * (1024 * 1024 - quotes)).encode() for quotes in (2, 1))
    for body in (b"", b"null", largest):
        sandbox.script({"on": OTHER, "status": 200, "body": body})
        answer = program.call("GET", f"/workstations/{uid}/other")
        assert (answer.status_code, answer.content) == (200, body)
    for body in (b"text", b"\xff", b"[" * 100_000, larger):
        sandbox.script({"on": OTHER, "status": 200, "body": body})
        assert read_error(program.call("GET", f"/workstations/{uid}/other"))[1] == "Bad Gateway", body[:9]
    sandbox.script({"on": OTHER, "status": 403, "body": "<html>no</html>"})
    assert program.call("GET", f"/workstations/{uid}/other").json()["error"] == "Forbidden"


def test_the_key_in_an_answer_is_blotted(program, sandbox, uid, settings):
    sandbox.script({"on": OTHER, "status": 200, "body": {"you_sent": "Bearer a-long-key-of-the-team"}})
    settings.AGENTSTATION_API_KEY = "a-long-key-of-the-team"
    models.Credential.objects.update(
        fingerprint=factories.accounts.fingerprint_key(account=models.Account.objects.get())
    )
    assert "a-long-key" not in program.call("GET", f"/workstations/{uid}/other").text


# --- Whose, and where ---


def test_the_scope_is_open_and_it_is_off_unless_it_is_set(make_program, program, alice, uid):
    answer = make_program(alice, "read", "request", "release").call("GET", f"/workstations/{uid}/other")
    assert read_error(answer) == (403, "Forbidden")
    factories.set_policy(passes_on=False)
    assert read_error(program.call("GET", f"/workstations/{uid}/other")) == (404, "Not Found")
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


@pytest.mark.parametrize("method", METHODS)
def test_what_the_portal_has_itself_never_passes_in_any_spelling(program, sandbox, uid, method):
    told = {one: program.ask(method, f"/v1/workstations/{uid}/{one}") for _, one in SPELLINGS}
    assert {status for one, status in told.items()} == {404}, told
    for path, doubled in product(
        ("release", *WAYS), ("//workstations/", "/workstations//", "/Workstations/", "/x/../workstations/")
    ):
        assert program.ask(method, f"/v1{doubled}{uid}/{path}") == 404
    assert not is_passed()
    assert not models.Connection.calls.exists()
    assert not sandbox.record()["workstations"][0]["released"]


def test_nor_do_the_workstation_itself_other_methods_other_letters_and_other_paths(program, uid):
    own = f"/workstations/{uid}"
    for method, end in product(("GET", "DELETE"), ("/", "//", "%2f")):
        assert program.ask(method, f"/v1{own}{end}") in (404, 422), (method, end)
    for path in ("release", *WAYS):
        assert program.ask("GET", f"/v1{own}/{path}") == 405, path
    for method in ("PUT", "PATCH", "OPTIONS", "HEAD"):
        assert program.ask(method, f"/v1{own}/other") == 405, method
    for path in ("a.b", "a%20b", "a:b", "a\\b", "..", "a;b", "a@b"):
        assert program.ask("GET", f"/v1{own}/{path}") == 404, path
    for path in ("/workspaces/x/files", "/workstations/types/other", "/other", "/agents/x/y"):
        assert program.ask("GET", f"/v1{path}") in (404, 422), path
    assert not is_passed()


# --- How many ---


def test_nobody_passes_too_many(program, uid, alice, use_up):
    use_up(alice, "passing", 58)
    assert read_limit(program.call("GET", f"/workstations/{uid}/other"))[:2] == (60, 1)
    use_up(alice, "passing", 60)
    answer = program.call("GET", f"/workstations/{uid}/other")
    assert read_error(answer) == (429, "Too Many Requests")
    assert read_limit(answer) == (60, 0, int(answer.headers["Retry-After"]))


@pytest.mark.parametrize("pace", [2, 5])  # the workstation's own call is the first; a third of all are passed on
def test_they_count_in_the_team_s_pace(program, uid, settings, pace):
    settings.PORTAL_CALLS_PER_MINUTE = pace
    assert program.call("GET", f"/workstations/{uid}/other").status_code == 200
    assert read_error(program.call("GET", f"/workstations/{uid}/other")) == (429, "Too Many Requests")


def test_while_the_key_is_refused_nothing_is_asked(program, uid):
    models.Key.objects.update(state="PAUSED", cause="401", paused_at=Now())
    assert read_error(program.call("GET", f"/workstations/{uid}/other")) == (503, "Service Unavailable")
    assert not is_passed()


def test_two_that_hang_are_all_of_one_person_s_and_hold_up_nothing(
    program, make_program, server, sandbox, uid, bob, settings
):
    settings.AGENTSTATION_TOTAL_TIMEOUT = 60.0
    sandbox.script({"on": OTHER, "delay": 600.0, "times": 2})
    calls = [program.begin("GET", f"/workstations/{uid}/other") for _ in range(2)]
    await_that(lambda: server.application.passing.total() == 2)
    third = program.call("GET", f"/workstations/{uid}/other")
    assert read_error(third) == (503, "Service Unavailable")
    assert third.headers["Retry-After"]
    other = factories.create_workstation(bob, type="max").uid
    assert make_program(bob).call("GET", f"/workstations/{other}/other").status_code == 200
    assert program.post_and_send().status_code == 200
    assert program.call("POST", f"/workstations/{uid}/sandbox/pty").status_code == 200
    assert program.call("GET", "/workstations").status_code == 200
    assert not any(call.done() for call in calls)
    sandbox.provider.stopping.set()
    assert [call.result(PATIENCE).status_code for call in calls] == [200] * 2
    assert factories.list_events("pass-on").count() == 3


def test_whose_program_leaves_is_recorded_all_the_same(program, sandbox, uid):
    sandbox.hold()
    with program.open("GET", f"/v1/workstations/{uid}/other"):
        await_row(models.Connection.calls.filter(kind=models.Connection.PASSED_ON))
    sandbox.release()
    await_row(factories.list_events("pass-on"))


def test_whose_token_ends_meanwhile_is_told_nothing(program, sandbox, uid, alice):
    sandbox.hold()
    answer = program.begin("GET", f"/workstations/{uid}/other")
    await_row(models.Connection.calls.filter(kind=models.Connection.PASSED_ON))
    models.Token.objects.update(ended_at=Now(), ended_by=alice)
    sandbox.release()
    assert read_error(answer.result(PATIENCE)) == (401, "Unauthorized")
    assert factories.list_events("pass-on").exists()


def test_it_is_no_connection_and_what_programs_use_so_is_never_idle(program, uid):
    factories.set_policy(idle_hours=1, passes_on=True)
    models.Workstation.objects.update(end_set_at=clock.read_clock().replace(year=2020))
    before = idle.list_unused(rows=models.Workstation.objects.all()).count()
    program.call("GET", f"/workstations/{uid}/other")
    assert not models.Connection.objects.exists()
    models.Connection.calls.update(ended_at=clock.read_clock().replace(year=2020))
    assert (before, idle.list_unused(rows=models.Workstation.objects.all()).count()) == (1, 0)


def test_rows_of_yesterday_go_but_for_the_newest_of_a_workstation(program, uid, alice):
    other = factories.create_workstation(alice, type="max").uid
    for one in (uid, uid, other):
        program.call("POST", f"/workstations/{one}/other")
    models.Connection.calls.update(opened_at=Now() - timedelta(days=1, seconds=1))
    factories.acquire_lease(name="prune").run(prune.prune_old)
    kept = models.Connection.calls.order_by("pk").values_list("workstation__uid", flat=True)
    assert list(kept) == [uid, other]
    assert factories.list_events("pass-on").count() == 3


# --- Streams ---


def listen(program, uid):
    answer = program.call("GET", f"/workstations/{uid}/audio/listen?stream=true", stream=True)
    return answer, answer.iter_content(None)


@pytest.mark.parametrize("end", ["workstation", "token", "process", "provider", "program"])
def test_a_stream_comes_piece_by_piece_until_the_end_of(program, sandbox, server, uid, alice, end):
    answer, pieces = listen(program, uid)
    assert (answer.headers["Content-Type"], next(pieces)) == ("text/event-stream", b":\n\n")
    for said in (b"data: 1\n\n", b"data: half", b" a word\n\n"):
        sandbox.say(said)
        assert next(pieces) == said
    assert models.Connection.calls.get().ended_at is None
    match end:
        case "workstation":
            factories.end_workstations()
        case "token":
            models.Token.objects.update(ended_at=Now(), ended_by=alice)
        case "process":
            server.stop()
        case "provider":
            sandbox.provider.stopping.set()
        case "program":
            answer.close()
    assert end == "program" or not list(pieces)
    await_row(models.Connection.calls.exclude(ended_at=None))
    assert factories.find_event("pass-on").detail["status"] == 200


def test_streams_have_places_of_their_own(program, make_program, server, uid, bob, monkeypatch):
    monkeypatch.setattr(passing, "MOST_STREAMS", 3)
    other = make_program(bob), factories.create_workstation(bob, type="max").uid
    told = [listen(*one) for one in [(program, uid)] * 3 + [other] * 2]
    assert [answer.status_code for answer, _ in told] == [200, 200, 503, 200, 503]
    assert told[2][0].headers["Retry-After"]
    assert program.call("GET", f"/workstations/{uid}/other").status_code == 200
    assert server.application.passing.total() == 0
    server.stop()
    assert [len(list(pieces)) for _, pieces in told] == [1] * 5
    await_that(lambda: not passing._streams)
