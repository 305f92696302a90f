"""Unknown requests are reconciled by scans of the provider's lists: found, sent again, or put before a person."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from portal import models
from portal.services.key import accounts, steady_clock
from portal.services.reconciliation import operator_actions, reconcile, sync
from portal.services.requests import dispatch, notes, results, submissions
from portal.services.runtime import clients
from tests import factories, queries
from tests.services.reconciling import (
    ACTIVE,
    GRACE,
    HISTORY,
    UNTIL_SURE,
    ask,
    deny,
    entry,
    made,
    make_witness,
    scan,
    script_list,
    send_late,
    statuses,
    take_as_not_created,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scan_in_every_round")]


# --- Found ---


def test_nobody_is_asked_about_what_another_request_is_given_in_the_same_round(sandbox, alice, bob, lease):
    nothing = ask(sandbox, alice, workspace_uid="reset")
    something = ask(sandbox, bob, workspace_uid="reset-made")

    scan(lease)

    assert statuses(nothing, something) == ["UNKNOWN", "SUCCEEDED"]
    assert nothing.operator_note == ""
    assert not models.Event.objects.filter(verb="needs-review").exists()


@pytest.mark.parametrize("is_named", [True, False], ids=["named", "unnamed"])
@pytest.mark.parametrize("name", ["reset-made", "hang-made", "fail-500-made"])
def test_what_was_made_unsaid_is_adopted_by_one_scan_not_sent_again(sandbox, settings, alice, lease, name, is_named):
    settings.AGENTSTATION_TOTAL_TIMEOUT = 0.5 if name == "hang-made" else 5.0
    portal_request = ask(sandbox, alice, workspace_uid=name) if is_named else ask(sandbox, alice, name)
    assert portal_request.status == "UNKNOWN"

    decided_by = scan(lease)

    assert statuses(portal_request) == ["SUCCEEDED"]
    assert (portal_request.failure, portal_request.workstation.uid) == ("", made(sandbox)[0])
    assert factories.get_workspace(portal_request.workstation).owner == alice
    assert portal_request.workstation.is_live
    assert len(sandbox.record()["posts"]) == 1
    event = models.Event.objects.get(verb="reconcile", request_number=portal_request.pk)
    assert event.detail == {
        "decision": "found",
        "attempt": 1,
        "scan": decided_by.pk,
        "scan_begun_at": decided_by.begun_at.isoformat(),
        "active": 1,
        "history": 0,
        "newcomers": [made(sandbox)[0]],
        "grace": 60.0,
        "is_witnessed": False,
        "workstation": made(sandbox)[0],
        "before": "UNKNOWN",
        "after": "SUCCEEDED",
    }
    assert not models.Workstation.objects.orphans().exists()


@pytest.mark.parametrize("way", ["in time", "late", "reconciled"])
def test_a_new_workspace_gets_the_name_that_was_asked_for_and_keeps_it(sandbox, alice, lease, recovering, way):
    if way == "late":
        portal_request, call, result = send_late(sandbox, alice, recovering, workspace_name="Plan")
        results.record_result(call=call, result=result)
    else:
        portal_request = ask(sandbox, alice, "" if way == "in time" else "reset-made", workspace_name="Plan")
    scan(lease)

    assert statuses(portal_request) == ["SUCCEEDED"]
    space = factories.get_workspace(portal_request.workstation)
    assert (space.owner, space.name) == (alice, "Plan")
    assert [json.loads(post["body"]) for post in sandbox.record()["posts"]] == [{"type": "python"}]
    told = [change.columns for event in models.Event.objects.all() for change in event.changes]
    assert any("name" in columns for columns in told)
    assert "Plan" not in str(told)
    ask(sandbox, alice, workspace_uid=space.uid)
    space.refresh_from_db()
    assert space.name == "Plan"


@pytest.mark.parametrize(
    "faults", [{"clock_off": -3600}, {"clock_off": 3600}, {"times_off": 7200}, {"times_off": -18_000}]
)
def test_a_provider_whose_clock_is_off_or_that_writes_local_times_is_understood(sandbox, alice, lease, faults):
    sandbox.set_faults(faults)
    make_witness(alice)
    portal_request = ask(sandbox, alice, "reset-made")
    scan(lease)
    assert (statuses(portal_request), portal_request.operator_note) == (["SUCCEEDED"], "")
    if times_off := faults.get("times_off"):
        assert accounts.get_current_account().started_offset == pytest.approx(times_off, abs=60)


@pytest.mark.parametrize(("name", "becomes"), [("reset-made", "SUCCEEDED"), ("reset", "CANCELLED")])
def test_a_wish_to_cancel_is_granted_only_where_nothing_was_created(sandbox, alice, bob, lease, name, becomes):
    portal_request = ask(sandbox, alice, name)
    submissions.cancel_request(actor=alice, portal_request=portal_request)
    deny(lease, witness_of=bob)
    assert statuses(portal_request) == [becomes]
    assert factories.claim_next(worker="w") is None


# --- Not created ---


def test_nothing_created_is_believed_a_grace_after_the_second_scan(sandbox, alice, bob, lease):
    portal_request = ask(sandbox, alice, "fail-500")
    make_witness(bob)
    scan(lease)
    scan(lease, after=UNTIL_SURE - 10, times=2)
    assert statuses(portal_request) == ["UNKNOWN"]

    scan(lease, after=10, times=2)
    assert statuses(portal_request) == ["UNKNOWN"]
    decided_by = scan(lease, after=GRACE)

    assert statuses(portal_request) == ["QUEUED"]
    detail = models.Event.objects.get(verb="reconcile", request_number=portal_request.pk).detail
    assert (detail["decision"], detail["scan"], detail["workstation"]) == ("not created", decided_by.pk, None)
    assert detail["is_witnessed"]
    assert factories.send_until_settled(portal_request).status == "SUCCEEDED"
    assert (len(sandbox.record()["posts"]), len(made(sandbox))) == (3, 2)
    assert portal_request.attempts.count() == 2


def test_without_a_witness_people_are_asked_and_later_an_older_one_is_believed(sandbox, alice, bob, lease):
    make_witness(bob)
    portal_request = ask(sandbox, alice, "reset")
    deny(lease)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.NO_WITNESS)
    scan(lease, after=15 * 60)
    scan(lease, after=GRACE)
    assert (statuses(portal_request), portal_request.operator_note) == (["QUEUED"], "")


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(hours=1)], ids=["steady", "of a clock that was ahead"])
def test_a_question_stays_when_another_process_begins_to_watch_the_clock(sandbox, alice, lease, ahead):
    portal_request = ask(sandbox, alice, "reset")
    deny(lease)
    with factories.unprotected():
        models.Attempt.objects.update(**{name: F(name) + ahead for name in ("claimed_at", "deadline_at", "ended_at")})
    asked = models.Event.objects.count()
    lease.run(reconcile.reconcile_requests, client=clients.make_client(), steady=steady_clock.SteadyClock())
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.NO_WITNESS)
    assert models.Event.objects.count() == asked


def test_after_four_tries_it_has_failed_for_good(sandbox, alice, bob, lease):
    portal_request = ask(sandbox, alice, workspace_uid="fail-500")
    for attempt_count in range(1, 5):
        assert (statuses(portal_request), portal_request.attempt_count) == (["UNKNOWN"], attempt_count)
        deny(lease, witness_of=bob)
        if attempt_count < 4:
            assert statuses(portal_request) == ["QUEUED"]
            factories.send_once()

    assert statuses(portal_request) == ["FAILED"]
    assert portal_request.failure == "500"
    assert len([post for post in sandbox.record()["posts"] if "fail-500" in post["body"]]) == 4


def test_a_requester_who_is_asked_may_cancel_at_once(sandbox, alice, lease):
    portal_request = ask(sandbox, alice, "reset")
    deny(lease)
    submissions.cancel_request(actor=alice, portal_request=models.Request.objects.get(pk=portal_request.pk))
    assert statuses(portal_request) == ["CANCELLED"]


def test_before_anybody_is_asked_nobody_may_say_that_nothing_was_created(sandbox, alice, olga, lease):
    portal_request = ask(sandbox, alice, "reset")
    for actor in (alice, olga):
        with pytest.raises(submissions.NotPossible):
            operator_actions.declare_not_created(actor=actor, portal_request=portal_request, reason="I know.")
    assert statuses(portal_request) == ["UNKNOWN"]


def test_many_are_asked_about_in_one_round_and_nobody_waits_for_the_key_meanwhile(sandbox, alice, lease):
    requests = []
    for _ in range(25):
        requests.append(ask(sandbox, alice, "reset"))
        ask(sandbox, alice, type="golang")  # else sending would be paused
    script_list(sandbox, entry("W1", workspace="S1", startedAt="soon"))
    factories.pass_time(1)
    asked = queries.record(lambda: factories.reconcile_once(lease))
    assert statuses(*requests) == ["UNKNOWN"] * 25
    assert {portal_request.operator_note for portal_request in requests} == {notes.NEWCOMER}
    assert (
        sum('FROM "portal_key"' in sql and "FOR UPDATE" in sql for sql in asked) < 5
    )  # of the scan and of who is sent to, whatever is asked


# --- Groups ---


# --- No candidates ---


# --- To a person ---


@pytest.fixture
def left(sandbox, alice, bob, lease) -> list[models.Request]:
    """Two requests that wait for what an operator says of one workstation, which may be either's."""
    portal_requests = [ask(sandbox, alice, "reset"), ask(sandbox, bob, "reset", type="golang")]
    witness = make_witness(bob)
    entries = [
        entry("Q1", type="quantum", workspace="S-new"),
        entry(witness.uid, workspace=factories.get_workspace(witness).uid),
    ]
    script_list(sandbox, *entries, times=9)
    deny(lease)
    assert statuses(*portal_requests) == ["UNKNOWN", "UNKNOWN"]
    assert {portal_request.operator_note for portal_request in portal_requests} == {notes.NEWCOMER}
    assert len(sandbox.record()["posts"]) == 3
    return portal_requests


def link(left: list[models.Request], **values: Any) -> None:
    operator_actions.adopt_workstation(portal_request=left[1], **values)


@pytest.mark.parametrize(
    ("say", "becomes"),
    [
        (link, "SUCCEEDED"),
        (lambda left, **values: operator_actions.release_orphan(**values), "QUEUED"),
        (lambda left, **values: operator_actions.disown_workstation(**values), "QUEUED"),
    ],
    ids=["linked", "released", "disowned"],
)
def test_once_an_operator_has_said_whose_it_is_all_go_on(olga, lease, left, say, becomes):
    say(left, actor=olga, workstation=models.Workstation.objects.get(uid="Q1"), reason="Her note says so.")
    scan(lease)
    assert (statuses(*left), left[0].operator_note) == (["QUEUED", becomes], "")


def test_scans_are_complete_once_an_operator_leaves_out_what_they_leave_out(sandbox, sign_in, alice, bob, olga, lease):
    left_out = make_witness(alice)
    portal_request = ask(sandbox, bob, "reset")
    make_witness(bob)
    sandbox.set_faults({"omit": [left_out.uid]})
    scan(lease, after=UNTIL_SURE + 30 * 60)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.LEFT_OUT)
    assert left_out.uid in sign_in(olga).get("/unknown/").text
    assert left_out.uid in sign_in(olga).get(f"/requests/{portal_request.pk}/").text
    page = sign_in(bob).get(f"/requests/{portal_request.pk}/").text
    assert "leave out" in page
    assert left_out.uid not in page, "it is alice's"

    said = sign_in(olga).post(f"/unknown/orphans/{left_out.uid}/disown/", {"reason": "It runs."}, follow=True).text
    assert "is left out" in said
    assert "It runs." not in said
    event = models.Event.objects.get(verb="leave-out")
    assert (event.actor_name, event.request_number) == ("olga", left_out.request_id)
    assert deny(lease).is_complete
    assert statuses(portal_request) == ["QUEUED"]


def test_people_are_asked_once(lease, left):
    scan(lease)
    assert models.Event.objects.filter(verb="needs-review").count() == 2


def test_a_stranger_makes_operators_confirm_from_then_on(sandbox, alice, lease):
    factories.mark_baseline_scan()
    script_list(sandbox, entry("X1", workspace="S-x"))
    scan(lease)
    account = accounts.get_current_account()
    assert account.shared_at is not None
    assert models.Event.objects.get(verb="note-sharing").detail["workstation"] == "X1"

    portal_request = ask(sandbox, alice, "reset-made")
    scan(lease)

    assert statuses(portal_request) == ["UNKNOWN"]
    assert portal_request.operator_note == notes.CONFIRM


@pytest.mark.parametrize("is_explained", [True, False])
def test_a_stranger_that_only_the_history_has_shown_counts_too(sandbox, alice, lease, is_explained):
    factories.mark_baseline_scan()
    if is_explained:
        ask(sandbox, alice, "reset")
    script_list(sandbox, entry("W1", workspace="S1", status="completed"), on=HISTORY)
    scan(lease)
    assert (accounts.get_current_account().shared_at is None) is is_explained


@pytest.mark.parametrize("had_lists", [False, True])
def test_one_404_asks_nobody_where_there_were_lists_and_its_note_lapses(sandbox, alice, lease, had_lists):
    if had_lists:
        factories.mark_baseline_scan()
        scan(lease)
    portal_request = ask(sandbox, alice, "reset")
    sandbox.script({"on": ACTIVE, "status": 404})
    scan(lease)
    assert (statuses(portal_request), portal_request.operator_note) == (
        ["UNKNOWN"],
        "" if had_lists else notes.NO_LISTS,
    )
    scan(lease)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], "")


def test_until_the_first_scan_nothing_is_sent_and_where_it_fails_all_is_sent(sandbox, alice, lease):
    portal_request = factories.submit(alice)
    models.Account.objects.update(baseline_scan="WANTED")
    assert factories.claim_next(worker="w") is None
    sandbox.script({"on": HISTORY, "status": 500, "times": 4})

    scan(lease)

    assert accounts.get_current_account().baseline_scan == "FAILED"
    assert models.Event.objects.get(verb="baseline-scan").detail == {"before": "WANTED", "after": "FAILED"}
    assert factories.send_until_settled(portal_request).status == "SUCCEEDED"


def test_a_late_200_makes_a_request_succeed_that_queues_again(sandbox, alice, lease, recovering):
    portal_request, call, result = send_late(sandbox, alice, recovering)
    take_as_not_created(sandbox, alice, lease)
    assert statuses(portal_request) == ["QUEUED"]

    results.record_result(call=call, result=result)

    assert statuses(portal_request) == ["SUCCEEDED"]
    assert portal_request.workstation.uid == factories.get_named(result).uid
    assert factories.claim_next(worker="w") is None


# --- Late responses ---


def test_a_late_200_of_a_closed_request_is_an_orphan_that_says_for_whom(sandbox, alice, bob, olga, lease, recovering):
    portal_request, call, result = send_late(sandbox, alice, recovering)
    submissions.close_request(actor=olga, portal_request=portal_request, reason="Given up.")
    for _ in range(2):
        results.record_result(call=call, result=result)

    assert statuses(portal_request) == ["FAILED"]
    assert models.LateResponse.objects.count() == 1
    orphan = models.Workstation.objects.orphans().get()
    assert (orphan.uid, orphan.made_for, orphan.request) == (factories.get_named(result).uid, portal_request, None)
    # Nobody else's request takes it, though it fits.
    other = ask(sandbox, bob, "reset")
    scan(lease)
    assert statuses(other) == ["UNKNOWN"]


@pytest.mark.parametrize(
    ("name", "is_wanted", "status"),
    [
        *(("fail-422", True, "FAILED"), ("fail-503", True, "QUEUED"), ("fail-402", True, "QUEUED")),
        *(("", True, "QUEUED"), ("fail-422", False, "CANCELLED"), ("", False, "CANCELLED")),
    ],
)
def test_a_late_refusal_is_used_as_if_it_had_come_in_time(sandbox, alice, recovering, name, is_wanted, status):
    portal_request, call, result = send_late(sandbox, alice, recovering, name)
    if not is_wanted:
        submissions.cancel_request(actor=alice, portal_request=portal_request)
    results.record_result(call=call, result=result if name else dispatch.Result())  # without one: given back unsent
    assert statuses(portal_request) == [status]
    assert models.LateResponse.objects.count() == 1


def test_unknown_requests_of_another_account_are_never_settled(sandbox, settings, alice, lease):
    portal_request = ask(sandbox, alice, "reset-made")
    mine = sandbox.base_url
    settings.AGENTSTATION_BASE_URL = mine.replace("127.0.0.1", "localhost")
    factories.present_key()
    factories.mark_baseline_scan()
    scan(lease)
    scan(lease, after=UNTIL_SURE)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert models.Workstation.objects.get().account == accounts.get_current_account()

    settings.AGENTSTATION_BASE_URL = mine
    factories.present_key()
    scan(lease)
    assert statuses(portal_request) == ["SUCCEEDED"]


# --- Whose rows ---


# --- When a look is due ---


def test_whatever_breaks_a_scan_what_is_known_is_decided_and_asked(sandbox, alice, lease, monkeypatch, caplog):
    """Our own code breaks on a page; this stands for what nobody has thought of."""
    portal_request = ask(sandbox, alice, "reset-made")
    scan(lease)
    assert statuses(portal_request) == ["SUCCEEDED"]
    lost = ask(sandbox, alice, "reset")

    def break_off(**_: object) -> None:
        raise ValueError("a page that breaks our code")

    monkeypatch.setattr(sync, "store_entries", break_off)
    factories.pass_time(UNTIL_SURE + 15 * 60)
    assert scan(lease).problem == "broke"
    assert (statuses(lost), lost.operator_note) == (["UNKNOWN"], notes.NO_SCANS)
    assert "broke, and has ended" in caplog.text


def test_scans_come_often_at_first_then_ever_less_and_rarely_without_unknowns(sandbox, settings, alice, lease):
    settings.PORTAL_SCAN_INTERVAL, settings.PORTAL_JOB_INTERVAL = 300.0, 5.0

    def list_due(*waits: float) -> list[bool]:
        found = []
        for seconds in waits:
            factories.pass_time(seconds)
            before = models.Scan.objects.count()
            scan(lease)
            found.append(models.Scan.objects.count() > before)
        return found

    scan(lease)
    assert list_due(290, 10, 10) == [False, True, False]
    ask(sandbox, alice, "reset")
    assert list_due(0, 2, 3) == [True, False, True]
    assert list_due(600, 50, 10) == [True, False, True]
    assert list_due(600, 250, 50) == [True, False, True], "people are asked"


# --- Many at one time ---


def test_a_round_locks_no_request_that_it_leaves_as_it_is(sandbox, alice, lease):
    """Its lock on the key would keep all senders waiting, once for each of perhaps hundreds."""
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite locks no rows")
    factories.mark_baseline_scan()
    for _ in range(3):
        ask(sandbox, alice, "reset")
    scan(lease)
    locking = [sql for sql in queries.record(lambda: scan(lease)) if "FOR UPDATE" in sql]
    assert locking
    assert not [sql for sql in locking if 'FROM "portal_request"' in sql]


def test_a_round_that_leaves_all_as_it_is_asks_no_more_for_two_than_for_one(sandbox, alice, lease):
    factories.mark_baseline_scan()
    ask(sandbox, alice, "reset")
    scan(lease)
    of_one = queries.record(lambda: scan(lease))
    ask(sandbox, alice, "reset")
    scan(lease)
    assert len(queries.record(lambda: scan(lease))) == len(of_one)
