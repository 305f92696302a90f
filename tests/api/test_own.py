"""The portal's own API: what a program can see and do that the provider's API has no word for."""

import csv
import io
import itertools
import json
import re
import socket
from datetime import timedelta

import pytest
import requests
from django.contrib.auth.models import Permission
from django.utils import timezone
from openapi_spec_validator import validate

from portal import models
from portal.api import application
from portal.models.clock import Now
from portal.services.requests import submissions
from portal.services.search import exporting
from portal.web import streams
from tests import factories
from tests.api.serving import Program, read_limit
from tests.api.test_programs import DOCUMENT
from tests.services.reconciling import make_unknown
from tests.worker.running import await_that

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESSES = {
    ("GET", "/requests"): "read",
    ("GET", "/requests/1"): "read",
    ("GET", "/key"): "read",
    ("GET", "/limits"): "read",
    ("GET", "/usage?since=2026-01-01&until=2026-01-02"): "read",
    ("GET", "/exports/requests.csv"): "read",
    ("POST", "/requests/1/cancel"): "request",
    ("POST", "/workstations/x/end"): "request",
}

[CSV] = re.findall("rows = (.*utf-8-sig.*)", DOCUMENT)


def ask(program: Program, path: str, method: str = "GET", **options):
    return program.call(method, path, root="/api", **options)


def read(program: Program, path: str, method: str = "GET", **options):
    answer = ask(program, path, method, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


def read_problem(answer) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert set(document) == {"title", "status", "detail"}
    assert document["status"] == answer.status_code
    return answer.status_code, document["title"]


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_a_token_needs_the_scope_and_nothing_else(make_program, alice, method, path):
    needed = ADDRESSES[method, path]
    others = set(models.Token.Scope.values) - {needed}
    assert read_problem(ask(make_program(alice, *others), path, method)) == (403, "Forbidden")
    body = {"json": {"lifetime": "2h"}} if method == "POST" else {}
    assert ask(make_program(alice, needed), path, method, **body).status_code in (200, 404)
    wrong = ask(make_program(secret="wsp_x"), path, method)
    assert (read_problem(wrong), wrong.json()["detail"]) == ((401, "Unauthorized"), "missing or invalid token.")


def test_a_request_comes_with_its_reason_and_its_timeline(make_program, sandbox, alice, bob):
    failed = factories.submit_and_send(alice, workspace_uid="fail-402")
    alices, bobs = make_program(alice), make_program(bob)
    found = read(alices, f"/requests/{failed.pk}")
    assert (found["number"], found["status"], found["requester"]) == (failed.pk, "FAILED", "alice")
    assert found["page"].endswith(f"/requests/{failed.pk}/")
    assert found["failure"]["code"] == "402"
    assert found["failure"]["whose_turn"] == "the account owner (billing)"
    assert found["failure"]["next_steps"]
    assert [step["state"] for step in found["timeline"]] == ["done", "bad", "bad"]
    assert found["position"] is None
    assert read_problem(ask(bobs, f"/requests/{failed.pk}")) == (404, "Not Found")


def test_requests_are_listed_by_pages_and_filters(make_program, sandbox, alice, bob, anna):
    own = [factories.submit(alice) for _ in range(3)]
    others = factories.submit(bob)
    program = make_program(alice)
    first = read(program, "/requests?limit=2")
    assert [one["number"] for one in first["data"]] == [own[2].pk, own[1].pk]
    second = read(program, f"/requests?limit=2&before={first['before']}")
    assert ([one["number"] for one in second["data"]], second["before"]) == ([own[0].pk], None)
    submissions.cancel_request(actor=alice, portal_request=own[0])
    assert [one["number"] for one in read(program, "/requests?status=CANCELLED")["data"]] == [own[0].pk]
    assert len(read(make_program(anna, "read"), "/requests")["data"]) == 4
    assert others.pk not in [one["number"] for one in read(program, "/requests")["data"]]
    for wrong in ("limit=0", "limit=101", "limit=x", "before=x"):
        assert read_problem(ask(program, f"/requests?{wrong}"))[0] == 422


def test_a_wrong_filter_is_named_with_what_is_allowed(program):
    for query, words in {
        "/requests?status=NOPE": "status: Input should be 'QUEUED', 'SENDING', 'SUCCEEDED', 'FAILED', 'UNKNOWN' or",
        "/exports/requests.csv?status=": "status: Input should be 'QUEUED'",
        "/requests?states=FAILED&a=1": "a, states: not one of the parameters here (status, type, before, limit).",
        "/key?x=": "x: not one of the parameters here (none).",
    }.items():
        answer = ask(program, query)
        assert read_problem(answer) == (422, "Unprocessable Content")
        assert answer.json()["detail"].startswith(words)


def test_one_that_waits_has_a_place_in_the_queue_and_its_requester_can_cancel_it(make_program, alice, bob, olga):
    waiting = factories.submit(alice)
    program = make_program(alice)
    assert read(program, f"/requests/{waiting.pk}")["position"] == 1
    for other in (bob, olga):
        assert read_problem(ask(make_program(other), f"/requests/{waiting.pk}/cancel", "POST")) == (404, "Not Found")
    assert read(program, f"/requests/{waiting.pk}/cancel", "POST")["status"] == "CANCELLED"
    assert read_problem(ask(program, f"/requests/{waiting.pk}/cancel", "POST")) == (409, "Conflict")
    assert factories.find_event("cancel").actor_name == "alice"


def test_the_end_of_a_workstation_is_changed_by_its_owner(make_program, sandbox, alice, olga):
    workstation = factories.create_workstation(alice)
    path = f"/workstations/{workstation.uid}/end"
    program = make_program(alice)
    told = read(program, path, "POST", json={"lifetime": "2h"})["ends_at"]
    workstation.refresh_from_db()
    assert workstation.ends_at
    assert told[:19] == workstation.ends_at.isoformat()[:19]
    assert abs(workstation.ends_at - timezone.now() - timedelta(hours=2)) < timedelta(minutes=1)
    assert read(program, path, "POST", json={"lifetime": "none"})["ends_at"] is None
    factories.set_policy(lifetimes="2h 8h")
    read(program, path, "POST", json={"lifetime": "8h"})
    assert ask(program, path, "POST", json={"lifetime": "none"}).status_code == 200  # as late as may be chosen
    for wrong in ('{"lifetime": "soon"}', '{"lifetime": ""}', '{"lifetime": 2}', "{}", "[]"):
        assert read_problem(ask(program, path, "POST", data=wrong))[0] == 422
    assert read_problem(ask(program, path, "POST", data="{"))[0] == 400
    assert ask(make_program(olga), path, "POST", json={"lifetime": "2h"}).status_code == 404
    assert ask(program, "/workstations/%00/end", "POST", json={"lifetime": "2h"}).status_code == 404


def test_limits_are_told_with_what_they_count(make_program, sandbox, alice):
    program = make_program(alice)
    assert read(program, "/limits") == []
    factories.set_policy(running=9, running_per_person=3)
    factories.create_workstation(alice)
    assert read(program, "/limits") == [{"of": "you", "count": 1, "most": 3}, {"of": "team", "count": 1, "most": 9}]


def test_usage_is_one_s_own_or_everybody_s_for_who_may_see_it(make_program, sandbox, alice, bob, anna):
    for person in (alice, bob):
        factories.submit_and_send(person, type="golang")
    today = timezone.localdate().isoformat()
    path = f"/usage?since={today}&until={today}"
    [own] = read(make_program(alice), path)
    assert own == {"day": today, "status": {"SUCCEEDED": 1}, "type": {"golang": 1}, "failure": {}}
    assert read(make_program(anna, "read"), path)[0]["type"] == {"golang": 2}
    for wrong in ("", "since=2026-01-02&until=2026-01-01", "since=2020-01-01&until=2026-01-01", "since=x&until=y"):
        assert read_problem(ask(make_program(alice), f"/usage?{wrong}"))[0] == 422


def test_events_are_for_who_may_see_the_audit_log(make_program, sandbox, alice, anna):
    done = factories.submit_and_send(alice)
    program = make_program(alice)
    assert read_problem(ask(program, f"/events?number={done.pk}")) == (403, "Forbidden")
    alice.user_permissions.add(Permission.objects.get(codename="view_event"))
    assert read_problem(ask(program, "/events"))[0] == 403, "one of its two permissions is not enough"
    auditor = make_program(anna, "read")
    found = read(auditor, f"/events?number={done.pk}")["data"]
    assert {one["request_number"] for one in found} == {done.pk}
    assert found[-1]["verb"] == "submit"
    first = read(auditor, "/events?limit=1")
    assert read(auditor, f"/events?limit=1&before={first['before']}")["data"][0]["id"] < first["data"][0]["id"]


def test_an_export_has_what_one_may_see_and_is_recorded(program, sandbox, alice, bob, monkeypatch):
    monkeypatch.setattr(exporting, "PAGES", (2, 2))
    rows = [factories.submit(alice) for _ in range(5)]
    factories.submit(bob)
    for form, read_rows in (
        ("csv", lambda answer: eval(CSV, {"csv": csv, "io": io, "answer": answer})),
        ("jsonl", lambda answer: map(json.loads, answer.text.splitlines())),
    ):
        answer = ask(program, f"/exports/requests.{form}?status=QUEUED")
        assert [int(row["number"]) for row in read_rows(answer)] == [row.pk for row in rows[::-1]]
        event = factories.list_events("export").latest("id")
        detail = {"format": form, "filters": {"status": "QUEUED"}, "token": models.Token.objects.get().pk}
        assert (event.actor_name, event.detail) == ("alice", detail)
    assert ask(program, "/exports/requests.xml").status_code == 404


def test_few_exports_are_under_way_at_one_time(make_program, alice):
    program = make_program(alice)
    streams.HELD[alice.pk] += 2
    busy = ask(program, "/exports/requests.csv")
    assert (read_problem(busy)[0], busy.headers["Retry-After"]) == (503, "10")
    streams.HELD.clear()
    assert ask(program, "/exports/requests.csv").status_code == 200
    await_that(lambda: not streams.HELD.total())


def test_an_export_ends_with_its_token(program, alice, monkeypatch):
    def write(**_):
        yield "before"
        models.Token.objects.update(ended_at=Now(), ended_by=alice)
        yield "after"

    monkeypatch.setattr(exporting, "export_rows", write)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(program, "/exports/requests.csv")
    await_that(lambda: not streams.HELD.total())


def test_a_reader_who_takes_nothing_holds_no_place(program, monkeypatch):
    monkeypatch.setattr(application, "TAKEN_WITHIN", 0.5)
    monkeypatch.setattr(exporting, "export_rows", lambda **_: itertools.repeat("x" * 65_536))
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", program.server.port))
        head = f"Host: x\r\nAuthorization: Bearer {program.secret}\r\n\r\n"
        reader.sendall(f"GET /api/exports/requests.csv HTTP/1.1\r\n{head}".encode())
        assert reader.recv(100)
        await_that(lambda: not streams.HELD.total())
    await_that(lambda: not program.server.application.serving)


def test_what_nothing_can_be_is_refused_and_gets_into_no_event(program):
    for path in (
        *("/requests?status=%00", "/requests?type=%00", "/requests?type=a%20b", "/exports/requests.csv?type=%00"),
        *("/usage?since=9999-01-01&until=9999-12-31", "/usage?since=0001-01-01&until=0001-01-02"),
        f"/exports/requests.csv?type={program.secret}",
    ):
        assert read_problem(ask(program, path))[0] == 422, path
    assert not factories.list_events("export").exists()


def test_changes_are_limited(make_program, program, sandbox, alice, use_up):
    use_up(alice, "act", 0)
    path = f"/workstations/{factories.create_workstation(alice).uid}/end"
    done = ask(program, path, "POST", json={"lifetime": "1h"})
    assert (done.status_code, *read_limit(done)[:2]) == (200, 30, 29)
    use_up(alice, "act", 30)
    refused = ask(program, path, "POST", json={"lifetime": "2h"})
    assert (refused.status_code, read_limit(refused)) == (429, (30, 0, int(refused.headers["Retry-After"])))
    for uncounted in (ask(program, "/key"), ask(make_program(alice, "open"), "/key")):
        assert "X-RateLimit-Limit" not in uncounted.headers


def test_it_is_described_by_openapi_for_everybody(make_program, settings):
    nobody, settings.PORTAL_URL = make_program(), ""
    document = read(nobody, "/openapi.json")
    validate(document)
    assert document["openapi"].startswith("3.1.")
    assert len(document["paths"]) == len(ADDRESSES) + 1  # /events is not here
    assert all(path.startswith("/api/") for path in document["paths"])
    operations = {one["operationId"]: one for path in document["paths"].values() for one in path.values()}
    assert {"list_requests", "read_request"} < operations.keys()
    for operation in operations.values():
        described = operation["responses"]
        assert " ".join(described) == "200 400 401 403 404 405 408 409 413 422 429 500 503"
        assert "application/problem+json" in described["503"]["content"]
    assert document["servers"] == [{"url": "/"}]
    settings.PORTAL_URL = "https://portal.example"
    assert read(nobody, "/openapi.json")["servers"] == [{"url": "https://portal.example"}]
    assert read_problem(ask(nobody, "/openapi.json", "POST"))[0] == 405


def test_an_unknown_outcome_says_what_a_person_is_asked(make_program, sandbox, alice):
    unknown = make_unknown(sandbox, alice)
    factories.update(unknown, operator_note="Nobody can tell.")
    assert read(make_program(alice), f"/requests/{unknown.pk}")["question"] == "Nobody can tell."
