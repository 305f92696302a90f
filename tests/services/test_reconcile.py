"""Unknown requests are reconciled by scans of the provider's lists: found, sent again, or put before a person."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from portal import models
from portal.services.key import accounts, steady_clock
from portal.services.reconciliation import operator_actions, reconcile, scans, sync
from portal.services.requests import dispatch, notes, results, submissions
from portal.services.runtime import clients
from tests import factories
from tests.services.reconciling import (
    ACTIVE,
    GRACE,
    HISTORY,
    UNTIL_SURE,
    ask,
    deny,
    entry,
    list_as_made,
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


def test_a_workstation_that_ended_before_we_looked_is_adopted_and_not_live(sandbox, alice, lease):
    portal_request = ask(sandbox, alice, "reset-made")
    clients.make_client().release_workstation(uid=made(sandbox)[0])

    scan(lease)

    assert statuses(portal_request) == ["SUCCEEDED"]
    assert (portal_request.workstation.is_live, portal_request.workstation.status) == (False, "completed")


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


@pytest.mark.parametrize(
    ("mine", "shown"),
    [
        ({}, {"workspace": "S1", "startedAt": "soon"}),
        ({"workspace_uid": "reset"}, {"workspace": "reset-made"}),
        ({"workspace_uid": "reset"}, {"workspace": "reset", "type": "quantum"}),
    ],
)
def test_what_does_not_fit_exactly_is_for_a_person(sandbox, alice, lease, mine, shown):
    portal_request = ask(sandbox, alice, "reset", **mine)
    script_list(sandbox, entry("W1", **shown))
    scan(lease)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.NEWCOMER)
    assert models.Event.objects.get(verb="needs-review").reason == notes.NEWCOMER
    assert models.Workstation.objects.orphans().get().uid == "W1"


@pytest.mark.parametrize(("name", "becomes"), [("reset-made", "SUCCEEDED"), ("reset", "CANCELLED")])
def test_a_wish_to_cancel_is_granted_only_where_nothing_was_created(sandbox, alice, bob, lease, name, becomes):
    portal_request = ask(sandbox, alice, name)
    submissions.cancel_request(actor=alice, portal_request=portal_request)
    deny(lease, witness_of=bob)
    assert statuses(portal_request) == [becomes]
    assert factories.claim_next(worker="w") is None


# --- Not created ---


@pytest.mark.parametrize("name", ["reset", "hang", "fail-500"])
def test_nothing_created_is_believed_a_grace_after_the_second_scan(sandbox, settings, alice, bob, lease, name):
    settings.AGENTSTATION_TOTAL_TIMEOUT = 0.5 if name == "hang" else 60.0
    portal_request = ask(sandbox, alice, name)
    sure_after = 5 + settings.AGENTSTATION_TOTAL_TIMEOUT + 60 + settings.PORTAL_RECONCILE_GRACE
    settings.AGENTSTATION_TOTAL_TIMEOUT = 5.0
    make_witness(bob)
    scan(lease)
    scan(lease, after=sure_after - 10, times=2)
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


def test_where_nothing_of_ours_was_ever_listed_only_people_decide(sandbox, alice, lease):
    portal_request = ask(sandbox, alice, "reset")
    deny(lease)
    scan(lease, after=30 * 24 * 3600, times=2)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.NO_WITNESS)

    operator_actions.declare_not_created(actor=alice, portal_request=portal_request)

    assert statuses(portal_request) == ["QUEUED"]
    assert factories.send_until_settled(portal_request).status == "SUCCEEDED"
    assert len(sandbox.record()["posts"]) == 2


def test_lists_that_lag_longer_than_the_grace_do_not_buy_twice(sandbox, alice, bob, lease):
    sandbox.set_faults({"shows_after": 200})
    portal_request = ask(sandbox, alice, "fail-500-made")
    make_witness(bob)
    scan(lease, after=UNTIL_SURE, times=2)
    assert statuses(portal_request) == ["UNKNOWN"]
    list_as_made(sandbox, portal_request, made(sandbox)[0])
    scan(lease)
    assert statuses(portal_request) == ["SUCCEEDED"]
    assert len(made(sandbox)) == 2


def test_a_clock_that_stepped_begins_the_wait_anew(sandbox, alice, bob, lease):
    portal_request = ask(sandbox, alice, "fail-500")
    make_witness(bob)
    factories.pass_time(600)
    for _ in range(3):
        stepped = steady_clock.SteadyClock()
        lease.run(reconcile.reconcile_requests, client=clients.make_client(), steady=stepped)
    assert statuses(portal_request) == ["UNKNOWN"]


def test_a_question_stays_when_another_process_begins_to_watch_the_clock(sandbox, alice, lease):
    portal_request = ask(sandbox, alice, "reset")
    deny(lease)
    asked = models.Event.objects.count()
    lease.run(reconcile.reconcile_requests, client=clients.make_client(), steady=steady_clock.SteadyClock())
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.NO_WITNESS)
    assert models.Event.objects.count() == asked


def test_people_are_asked_though_the_clock_stepped_back_and_no_worker_lives_for_long(sandbox, alice, lease):
    """Then scans follow one another quickly, and each worker begins to watch the clock anew."""
    portal_request = ask(sandbox, alice, "fail-500")
    with factories.unprotected():
        names = ("claimed_at", "ended_at", "deadline_at")
        models.Attempt.objects.update(**{name: F(name) + timedelta(hours=1) for name in names})
    for _ in range(25):
        factories.pass_time(40)
        steady = steady_clock.SteadyClock()
        lease.run(reconcile.reconcile_requests, client=clients.make_client(), steady=steady)
    assert models.Scan.objects.count() >= 25
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.NO_SCANS)


@pytest.mark.parametrize(("name", "failure"), [("fail-500", "500"), ("garbage", "unreadable")])
def test_after_four_tries_it_has_failed_for_good(sandbox, alice, bob, lease, name, failure):
    portal_request = ask(sandbox, alice, workspace_uid=name)
    for attempt_count in range(1, 5):
        assert (statuses(portal_request), portal_request.attempt_count) == (["UNKNOWN"], attempt_count)
        deny(lease, witness_of=bob)
        if attempt_count < 4:
            assert statuses(portal_request) == ["QUEUED"]
            factories.send_once()

    assert statuses(portal_request) == ["FAILED"]
    assert portal_request.failure == failure
    assert len([post for post in sandbox.record()["posts"] if name in post["body"]]) == 4


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
    with CaptureQueriesContext(connection) as queries:
        factories.reconcile_once(lease)
    assert statuses(*requests) == ["UNKNOWN"] * 25
    assert {portal_request.operator_note for portal_request in requests} == {notes.NEWCOMER}
    texts = [query["sql"] for query in queries if 'FROM "portal_key"' in query["sql"] and "FOR UPDATE" in query["sql"]]
    assert len(texts) < 5  # of the scan and of who is sent to, whatever is asked


# --- Groups ---


def test_the_older_of_two_gets_the_only_one(sandbox, alice, bob, lease):
    older = ask(sandbox, alice, "reset")
    factories.pass_time(1)
    younger = ask(sandbox, bob, "reset-made")

    scan(lease)
    assert statuses(older, younger) == ["SUCCEEDED", "UNKNOWN"]

    deny(lease, witness_of=bob)
    assert statuses(older, younger) == ["SUCCEEDED", "QUEUED"]
    assert factories.send_until_settled(younger).status == "SUCCEEDED"
    assert len(made(sandbox)) == 3
    assert not models.Workstation.objects.orphans().exists()


@pytest.mark.parametrize(("count", "status", "note"), [(2, "SUCCEEDED", ""), (3, "UNKNOWN", notes.CONFIRM)])
def test_two_go_to_two_requests_and_three_to_an_operator(sandbox, alice, bob, lease, count, status, note):
    requests = [ask(sandbox, person, "reset") for person in (alice, bob)]
    script_list(sandbox, *(entry(f"W{number}", workspace=f"S{number}") for number in range(count)))
    scan(lease)
    assert statuses(*requests) == [status] * 2
    assert {portal_request.operator_note for portal_request in requests} == {note}


def test_a_named_workspace_has_the_better_claim(sandbox, alice, bob, lease):
    unnamed, named = ask(sandbox, alice, "reset"), ask(sandbox, bob, workspace_uid="reset-made")
    scan(lease)
    assert statuses(unnamed, named) == ["UNKNOWN", "SUCCEEDED"]


def test_where_none_was_named_one_in_a_known_workspace_is_no_candidate(sandbox, alice, bob, lease):
    workspace_uid = factories.get_workspace(factories.create_workstation(bob)).uid
    factories.pass_time(1)
    portal_request = ask(sandbox, alice, "reset")
    script_list(sandbox, entry("W1", workspace=workspace_uid))
    scan(lease)
    assert statuses(portal_request) == ["UNKNOWN"]


def test_two_groups_are_settled_each_with_its_own(sandbox, alice, bob, lease):
    python, golang = ask(sandbox, alice, "reset-made"), ask(sandbox, bob, "reset-made", type="golang")
    scan(lease)
    assert statuses(python, golang) == ["SUCCEEDED", "SUCCEEDED"]
    assert (python.workstation.type, golang.workstation.type) == ("python", "golang")


@pytest.mark.parametrize("is_first_known", [True, False], ids=["fits", "without a time"])
def test_an_older_request_leaves_a_younger_one_what_only_that_can_have_made(
    sandbox, alice, bob, olga, lease, is_first_known
):
    """The provider's clock stepped back in between: by it, what the younger one made started first."""
    older = ask(sandbox, alice, "reset")
    started = [older.attempts.get().claimed_at + timedelta(seconds=seconds) for seconds in (1, -10)]
    first = entry("W1", workspace="S1", startedAt=started[0].isoformat() if is_first_known else None)
    second = entry("W2", workspace="S2", startedAt=started[1].isoformat())
    script_list(sandbox, first)
    lease.run(scans.advance_scan, account=older.account, client=clients.make_client())
    factories.pass_time(1)
    younger = ask(sandbox, bob, "reset")
    script_list(sandbox, first, second)

    scan(lease)
    if is_first_known:
        assert statuses(older, younger) == ["SUCCEEDED", "SUCCEEDED"]
        assert [row.workstation.uid for row in (older, younger)] == ["W1", "W2"]
        return
    assert statuses(older, younger) == ["SUCCEEDED", "UNKNOWN"]
    assert older.workstation.uid == "W2"

    witness = make_witness(alice)
    shown = entry(witness.uid, type="max", workspace=factories.get_workspace(witness).uid)
    script_list(sandbox, first, second, shown, times=4)
    deny(lease)
    assert statuses(younger) == ["UNKNOWN"]
    assert younger.operator_note == notes.NEWCOMER

    left = models.Workstation.objects.get(uid="W1")
    operator_actions.disown_workstation(actor=olga, workstation=left, reason="Not ours.")
    scan(lease)
    assert statuses(younger) == ["QUEUED"]


@pytest.mark.parametrize("type", ["python", "golang"])
def test_a_call_under_way_is_not_robbed_and_what_it_makes_is_no_orphan(sandbox, alice, bob, lease, type):
    unknown = ask(sandbox, alice, "reset", type=type)
    in_flight = factories.submit(bob)
    call = factories.claim()
    result = dispatch.send_call(call=call, client=clients.make_client())

    deny(lease)
    assert statuses(unknown, in_flight) == ["UNKNOWN", "SENDING"]
    assert unknown.operator_note in ("", notes.NO_WITNESS)
    assert not models.Workstation.objects.orphans().exists()

    # That time has passed for the response, too.
    aged = clients.make_client().retrieve_workstation(uid=factories.get_named(result).uid)
    results.record_result(call=call, result=replace(result, value=aged))
    scan(lease)
    scan(lease, after=GRACE)
    assert statuses(unknown, in_flight) == ["QUEUED", "SUCCEEDED"]
    assert in_flight.workstation.uid == factories.get_named(result).uid


def test_a_call_that_began_after_the_scan_stops_nothing(sandbox, alice, bob, lease):
    unknown = ask(sandbox, alice, "reset-made")
    lease.run(scans.advance_scan, account=unknown.account, client=clients.make_client())
    factories.submit(bob)
    factories.claim()
    scan(lease)
    assert statuses(unknown) == ["SUCCEEDED"]


# --- No candidates ---


def test_what_the_first_scan_listed_is_foreign_and_not_taken(sandbox, alice, lease):
    script_list(sandbox, entry("W1", workspace="S1"), times=2)
    scan(lease)
    portal_request = ask(sandbox, alice, "reset")
    models.Workstation.objects.update(listed_tick=2**40)
    scan(lease)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert not models.Workstation.objects.orphans().exists()


def test_lists_that_were_not_read_to_their_end_prove_nothing(sandbox, alice, bob, lease):
    portal_request = ask(sandbox, alice, "reset")
    make_witness(bob)
    scan(lease, after=UNTIL_SURE, times=2)
    factories.pass_time(GRACE)
    sandbox.script({"on": HISTORY, "status": 500, "times": 4})
    assert not scan(lease).is_complete
    assert statuses(portal_request) == ["UNKNOWN"]
    scan(lease)
    assert statuses(portal_request) == ["QUEUED"]


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


def test_one_that_a_request_owns_cannot_be_disowned(sandbox, alice, olga):
    with pytest.raises(submissions.NotPossible):
        operator_actions.disown_workstation(actor=olga, workstation=make_witness(alice), reason="It is another team's.")


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


def test_what_unknown_attempts_may_have_made_is_no_stranger(sandbox, alice, lease):
    factories.mark_baseline_scan()
    first, second = ask(sandbox, alice, "reset"), ask(sandbox, alice, "reset", type="golang")
    script_list(sandbox, entry("W1", type="odd"), entry("W2", workspace="S2"))
    scan(lease)
    assert statuses(first, second) == ["SUCCEEDED", "UNKNOWN"]
    assert models.Workstation.objects.orphans().count() == 1
    assert accounts.get_current_account().shared_at is None


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


# --- Late responses ---


def test_a_late_200_makes_a_request_succeed_that_queues_again(sandbox, alice, lease, recovering):
    portal_request, call, result = send_late(sandbox, alice, recovering)
    take_as_not_created(sandbox, alice, lease)
    assert statuses(portal_request) == ["QUEUED"]

    results.record_result(call=call, result=result)

    assert statuses(portal_request) == ["SUCCEEDED"]
    assert portal_request.workstation.uid == factories.get_named(result).uid
    assert factories.claim_next(worker="w") is None


def test_a_late_200_does_not_take_what_another_of_the_group_has_adopted(sandbox, alice, bob, lease, recovering):
    older = ask(sandbox, alice, "reset-made")
    factories.pass_time(1)
    younger, call, result = send_late(sandbox, bob, recovering)
    named = factories.get_named(result)
    assert named.workspace is not None
    script_list(sandbox, entry(named.uid, workspace=named.workspace.uid))
    scan(lease)
    assert statuses(older, younger) == ["SUCCEEDED", "UNKNOWN"]

    results.record_result(call=call, result=result)

    assert statuses(older, younger) == ["SUCCEEDED", "UNKNOWN"]
    assert older.workstation.uid == named.uid
    scan(lease)
    assert (statuses(younger), younger.operator_note) == (["UNKNOWN"], notes.OTHERS)
    assert models.LateResponse.objects.get().attempt.request == younger


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


# --- Whose rows ---


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

    with CaptureQueriesContext(connection) as captured:
        scan(lease)

    locking = [query["sql"] for query in captured if "FOR UPDATE" in query["sql"]]
    assert locking
    assert not [sql for sql in locking if 'FROM "portal_request"' in sql]


def test_a_round_that_leaves_all_as_it_is_asks_no_more_for_two_than_for_one(sandbox, alice, lease):
    factories.mark_baseline_scan()
    ask(sandbox, alice, "reset")
    scan(lease)
    with CaptureQueriesContext(connection) as of_one:
        scan(lease)
    ask(sandbox, alice, "reset")
    scan(lease)
    with CaptureQueriesContext(connection) as of_two:
        scan(lease)
    assert len(of_two) == len(of_one)
