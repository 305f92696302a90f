"""The same POST sent again: never a second workstation."""

import json
from datetime import timedelta
from typing import Any

import pytest

from portal import models
from portal.api import application, waiting
from portal.models.clock import Now
from portal.services.tokens import repetitions
from tests import factories
from tests.api.serving import PATIENCE, Program, Server, read_error
from tests.services.reconciling import scan
from tests.tokens import make_token
from tests.worker.running import await_row, await_that

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "1a79a4d60de6718e8e5b326e338ae533"


def count_made(sandbox) -> int:
    return len(sandbox.record()["workstations"])


# --- With a key ---


def test_the_same_key_finds_the_same_workstation(program, make_program, alice, sandbox):
    first, again = program.post_and_send(KEY), program.post(KEY)

    assert again.status_code == 200
    assert again.json() == first.json()
    assert again.headers["X-Portal-Request"] == first.headers["X-Portal-Request"]
    assert make_program(alice).post(KEY).json() == first.json(), "by another token of the same person, too"
    factories.set_policy(lifetime="2h")
    assert program.post(KEY).json() == first.json(), "though the preset lifetime is another now"
    assert count_made(sandbox) == 1


def test_another_person_s_key_is_another_one(program, make_program, bob, sandbox):
    first, other = program.post_and_send(KEY), make_program(bob).post_and_send(KEY, type="golang")
    assert [first.json()["type"], other.json()["type"]] == ["python", "golang"]
    assert count_made(sandbox) == 2


def test_another_body_is_refused_and_the_order_of_its_fields_makes_none(program, sandbox):
    first = program.post_and_send(KEY, name="one")
    body = '{"name": "one", "type":"python"}'
    again = program.call("POST", "/workstations", {"Idempotency-Key": KEY}, data=body)
    assert again.json() == first.json()
    for other in ({"type": "golang", "name": "one"}, {"name": "a field that is not sent"}):
        assert read_error(program.post(KEY, **other)) == (422, "Unprocessable Entity")
    assert count_made(sandbox) == 1


def test_two_at_the_same_moment_are_one_request(program, server, sandbox):
    both = [program._threads.submit(program.post, KEY) for _ in range(2)]
    server.await_waiting(2)
    factories.send_until_settled(models.Request.objects.get())
    first, second = (answer.result(60) for answer in both)
    assert first.json() == second.json()
    assert count_made(sandbox) == 1


def test_a_key_is_kept_for_a_day_after_the_end_of_its_request(program, sandbox):
    first = program.post_and_send(KEY)
    models.Repetition.objects.update(at=Now() - 3 * repetitions.KEPT)
    assert program.post(KEY).json()["id"] == first.json()["id"]
    models.Request.objects.update(ended_at=Now() - repetitions.KEPT - timedelta(seconds=1))
    other = program.post_and_send(KEY)
    assert other.json()["id"] != first.json()["id"]
    assert models.Repetition.objects.count() == 1


def test_a_crash_before_the_request_was_stored_leaves_the_key_to_it(program, alice):
    wish: dict[str, Any] = {"key": KEY, "body": "x", "check": list}
    row = repetitions.find_submission(token=make_token(alice).row, **wish)
    assert repetitions.find_submission(token=make_token(alice).row, **wish) == row


def test_a_key_finds_what_would_not_be_allowed_any_more(program, sandbox):
    first = program.post_and_send(KEY, lifetime="8h")
    factories.set_policy(lifetimes="1h 2h", lifetime="1h")
    again = program.post(KEY, lifetime="8h")
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    refused = program.post("other", lifetime="8h")
    assert refused.status_code == 400
    assert program.post_and_send("other", lifetime="1h").status_code == 200  # it was not used up


def test_a_key_is_kept_while_its_request_is_open(program, hasty):
    assert program.post(KEY).status_code == 503
    models.Repetition.objects.update(at=Now() - repetitions.KEPT - timedelta(hours=1))
    assert program.post(KEY).status_code == 503
    assert models.Request.objects.count() == 1


def test_two_lines_are_one_preference_and_a_key_is_the_same_in_quotation_marks(program):
    lines = ("Prefer: respond-async", "Prefer: wait=5")
    for key, status in (("a", 202), ('"a"', 202), ("b\r\nIdempotency-Key: a", 400)):
        given = (*lines, f"Idempotency-Key: {key}")
        assert program.ask("POST", "/v1/workstations", *given, body=b'{"type": "python"}') == status
    assert models.Request.objects.count() == 1


def test_a_key_has_1_to_255_characters(program):
    for key in ("", "x" * 256):
        assert read_error(program.post(key)) == (400, "Invalid Request Format")
    assert not models.Request.objects.exists()
    assert program.post_and_send("k" * 255).status_code == 200


# --- Who prefers not to wait ---

ASYNC = {"Idempotency-Key": KEY, "Prefer": "respond-async"}


def ask_async(program, prefer: str = "respond-async"):
    return program.call("POST", "/workstations", ASYNC | {"Prefer": prefer}, json={"type": "python"})


@pytest.mark.parametrize("prefer", ["respond-async", "Respond-Async;x=1", "wait=5, respond-async"])
def test_who_does_not_wait_is_answered_at_once_and_asks_by_the_key(program, sandbox, prefer):
    first = ask_async(program, prefer)
    portal_request = models.Request.objects.get()
    assert first.status_code == 202
    assert first.json() == {"request": portal_request.label, "status": "queued"}
    assert first.headers["X-Portal-Request"] == portal_request.label
    assert first.headers["Preference-Applied"] == "respond-async"
    assert first.headers["Retry-After"]
    call = factories.claim()
    assert ask_async(program).json()["status"] == "sending"
    factories.finish(call)
    told = ask_async(program)
    assert told.status_code == 200
    assert told.json()["id"] == program.post(KEY).json()["id"]
    assert count_made(sandbox) == 1


def test_without_a_key_nobody_is_answered_before_it_is_known(program, hasty):
    answer = program.call("POST", "/workstations", {"Prefer": "respond-async"}, json={"type": "python"})
    assert read_error(answer) == (503, "Service Unavailable")
    assert (answer.headers["X-Portal-Status"], answer.headers["Retry-After"]) == ("cancelled", "5")
    assert models.Request.objects.get().status == "CANCELLED"


def test_other_preferences_change_nothing(program, hasty):
    for prefer in ("", "wait=10", "respond-asynchronously", "return=minimal"):
        assert ask_async(program, prefer).status_code == 503, prefer


# --- Without one ---


def resolve(sandbox) -> None:
    """A scan finds what was made."""
    scan(factories.acquire_lease(name="reconcile"))


@pytest.fixture(autouse=True)
def _scan_at_once(settings) -> None:
    settings.PORTAL_SCAN_INTERVAL = 0.0


def test_one_that_waits_at_the_end_is_cancelled_past_the_limit_of_acts_too(program, hasty, alice, use_up):
    answer = program.post()
    assert read_error(answer) == (503, "Service Unavailable")
    portal_request = models.Request.objects.get()
    assert portal_request.status == "CANCELLED"
    assert answer.headers["X-Portal-Request"] == portal_request.label
    assert models.Event.objects.get(verb="cancel").actor_name == "alice"
    assert factories.claim_next() is None

    use_up(alice, "act", 30)
    assert program.post().status_code == 503
    assert models.Request.objects.latest("pk").status == "CANCELLED"


def test_whose_client_leaves_is_cancelled(program, server, sandbox):
    connection = program.leave()
    server.await_waiting(1)
    connection.close()
    server.await_waiting(0)
    await_row(models.Request.objects.filter(status="CANCELLED"))


def test_an_unknown_outcome_is_the_same_504_until_it_is_settled(program, sandbox):
    sandbox.script({"name": "reset-made"})
    first = program.post_and_send()
    again = program.post()
    assert read_error(first) == read_error(again) == (504, "Gateway Timeout")
    assert first.headers["X-Portal-Request"] == again.headers["X-Portal-Request"]

    resolve(sandbox)
    told = program.post()
    assert told.status_code == 200
    assert told.headers["X-Portal-Request"] == first.headers["X-Portal-Request"]
    assert count_made(sandbox) == 1
    # From then on it is a new wish.
    assert program.post_and_send().json()["id"] != told.json()["id"]


def test_what_has_ended_is_no_outcome_that_is_owed(program, sandbox):
    sandbox.script({"name": "reset-made"})
    first = program.post_and_send()
    resolve(sandbox)
    models.Workstation.objects.update(ended_at=Now())
    answer = program.post_and_send()
    assert answer.json()["status"] == "active"
    assert answer.headers["X-Portal-Request"] != first.headers["X-Portal-Request"]


def test_whose_client_leaves_while_it_is_sent_is_found_again(program, server):
    connection = program.leave()
    server.await_waiting(1)
    call = factories.claim()
    connection.close()
    await_that(lambda: not server.application.submissions)
    factories.finish(call)
    answer = program.post()
    assert answer.status_code == 200
    assert models.Request.objects.count() == 1
    await_that(lambda: not models.Repetition.objects.exists())


def test_whose_client_leaves_as_it_ends_is_found_again(program, server, settings, monkeypatch):
    # The process learns of the outcome after the client has left: it hears no announcement and looks for none.
    settings.PORTAL_LISTEN_URL = "postgres://127.0.0.1:1/nobody"
    for name in ("_SOONEST", "_LATEST"):
        monkeypatch.setattr(waiting, name, 10 * PATIENCE)
    connection = program.leave()
    server.await_waiting(1)
    factories.send_once()
    connection.close()
    await_that(lambda: not server.application.submissions)
    server.await_waiting(0)
    answer = program.begin_post()
    server.stop()
    assert answer.result(60).status_code == 200
    assert models.Request.objects.count() == 1


def test_whose_client_leaves_withdraws_nothing_for_a_call_of_another_process(program, server, sandbox):
    leaving = program.leave()
    server.await_waiting(1)
    with Server() as other:
        staying = Program(other, program.secret)
        answer = staying.begin_post()
        [shared] = models.Request.objects.all()
        leaving.close()
        await_that(
            lambda: answer.done() or models.Request.objects.filter(status="QUEUED").exclude(pk=shared.pk).exists()
        )
        if not answer.done():
            factories.send_once()
        told = answer.result(PATIENCE)
        staying.close()
    assert told.status_code == 200
    assert factories.reread(shared).status == "CANCELLED"
    assert count_made(sandbox) == 1


def test_what_a_process_was_telling_as_it_died_is_told_to_who_asks_later(program, sandbox):
    sandbox.script({"name": "reset-made"})
    first = program.post_and_send()
    resolve(sandbox)
    models.Repetition.objects.update(told_at=Now())
    assert (program.post().status_code, program.post().headers["Retry-After"]) == (503, "5")
    models.Repetition.objects.update(told_at=Now() - repetitions.TELLING)
    assert program.post().headers["X-Portal-Request"] == first.headers["X-Portal-Request"]
    await_that(lambda: not models.Repetition.objects.exists())


def test_who_reads_nothing_of_an_outcome_is_told_it_again(program, server, sandbox, monkeypatch):
    sandbox.script({"name": "reset-made"})
    first, serving = program.post_and_send(), server.application.serving
    resolve(sandbox)
    models.Workstation.objects.update(raw=json.dumps({"more": "x" * 30_000_000}))  # the kernel keeps less for a client
    monkeypatch.setattr(application, "TAKEN_WITHIN", 0.5)
    with program.leave():
        await_that(lambda: bool(serving))
        await_that(lambda: not serving)
    monkeypatch.setattr(application, "TAKEN_WITHIN", PATIENCE)
    assert program.post().headers["X-Portal-Request"] == first.headers["X-Portal-Request"]


def test_two_that_listen_at_the_same_time_get_two_at_once(program, sandbox):
    answers = [program.begin_post() for _ in range(2)]
    assert models.Request.objects.count() == models.Repetition.objects.count() == 2
    for portal_request in models.Request.objects.order_by("pk"):
        factories.send_until_settled(portal_request)
    assert len({one.result(PATIENCE).json()["id"] for one in answers}) == 2


def test_another_body_or_token_does_not_find_it(program, make_program, alice, sandbox):
    sandbox.script({"name": "reset-made"})
    program.post_and_send()
    other = program.post_and_send(name="another")
    assert other.status_code == 200
    assert make_program(alice).post_and_send().status_code == 200
    assert models.Request.objects.count() == 3


def test_of_two_that_ask_for_one_outcome_one_is_told(program, server, sandbox):
    sandbox.script({"name": "reset"})
    unknown = program.post_and_send()
    models.Request.objects.update(status="QUEUED", failure="")  # as where it is proven that nothing was made
    portal_request = models.Request.objects.get()
    both = [program._threads.submit(program.post) for _ in range(2)]
    server.await_waiting(2)
    factories.send_until_settled(portal_request)
    await_row(models.Request.objects.exclude(pk=portal_request.pk))
    factories.send_until_settled(models.Request.objects.exclude(pk=portal_request.pk).get())
    told = [answer.result(60) for answer in both]
    assert [answer.status_code for answer in told] == [200, 200]
    assert told[0].json()["id"] != told[1].json()["id"]
    assert unknown.headers["X-Portal-Request"] in {answer.headers["X-Portal-Request"] for answer in told}


def test_who_tells_the_outcome_does_so_though_the_first_try_was_in_doubt(program, alice):
    token = make_token(alice).row
    repetitions.owe_outcome(
        owed=models.Repetition(token=token, body="x", submission=factories.submit(alice).submission)
    )
    [first], [other] = (repetitions.list_owed(token=token, body="x") for _ in range(2))
    assert [repetitions.settle(owed=one) for one in (first, first)] == [True, True]
    with pytest.raises(repetitions.BeingTold):
        repetitions.settle(owed=other)
    repetitions.note_told(owed=first, is_over=True)
    assert not repetitions.settle(owed=other)
