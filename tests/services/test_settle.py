"""Unknown requests are settled by looks at the provider's lists: adopted, tried again, or left to an operator."""

from datetime import timedelta

import pytest
from django.db.models import F

from portal import models
from portal.models.clock import Now
from portal.services import accounts, decisions, dispatch, intake, leases, looking, record, settle
from portal.worker import process
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

ACTIVE, HISTORY = "GET /workstations", "GET /workstations/history"
UNTIL_SURE = 131  # seconds: the margins and the call of the settings below (5 + 5 + 60), and the grace (60)
MOVED = {
    models.Account: ["created_at"],
    models.Attempt: ["claimed_at", "deadline_at", "ended_at"],
    models.Look: ["begun_at", "ended_at"],
    models.Workspace: ["first_seen_at"],
    models.Workstation: ["first_seen_at", "shown_at"],
}


@pytest.fixture(autouse=True)
def _look_at_every_round(settings) -> None:
    settings.PORTAL_LOOK_INTERVAL = 0.0


@pytest.fixture
def held() -> leases.Held:
    taken = leases.take_lease(name="settle", holder="test", seconds=600)
    assert taken is not None
    return taken


def pass_time(seconds: float) -> None:
    """As if so much time had gone by: all that was written so far moves into the past, and holds end."""
    with factories.unprotected():
        for model, names in MOVED.items():
            model.objects.update(**{name: F(name) - timedelta(seconds=seconds) for name in names})
    models.Key.objects.filter(state="HELD", held_until__isnull=False).update(held_until=Now() - timedelta(seconds=1))


def look(held: leases.Held) -> models.Look:
    """A round of the duty, a second later than all before."""
    pass_time(1)
    settle.settle_requests(held=held, client=process.make_client())
    return models.Look.objects.order_by("id").last()


def ask(sandbox, requester: models.User, name: str = "", **values: str) -> models.Request:
    """Submit, and send once; `name` is what the POST meets when no workspace is named."""
    portal_request = factories.submit(requester, **values)
    if name:
        sandbox.script({"name": name})
    factories.send_once()
    portal_request.refresh_from_db()
    return portal_request


def entry(uid: str, *, type: str = "python", workspace: str | None = None, **values: object) -> dict[str, object]:
    """A workstation as a list shows it."""
    space = {"id": workspace, "status": "active"} if workspace else None
    return {"id": uid, "type": type, "status": "active", "workspace": space, **values}


def script_list(sandbox, *entries: dict[str, object], on: str = ACTIVE, times: int = 1) -> None:
    sandbox.script({"on": on, "status": 200, "body": {"data": list(entries), "next_cursor": None}, "times": times})


def statuses(*portal_requests: models.Request) -> list[str]:
    for portal_request in portal_requests:
        portal_request.refresh_from_db()
    return [portal_request.status for portal_request in portal_requests]


def made(sandbox) -> list[str]:
    return [workstation["uid"] for workstation in sandbox.record()["workstations"]]


# --- Found ---


@pytest.mark.parametrize("is_named", [True, False], ids=["named", "unnamed"])
@pytest.mark.parametrize("name", ["reset-made", "hang-made", "fail-500-made"])
def test_what_was_made_unsaid_is_adopted_by_one_look_and_never_asked_for_again(
    sandbox, settings, alice, held, name, is_named
):
    settings.AGENTSTATION_TOTAL_TIMEOUT = 0.5 if name == "hang-made" else 5.0
    portal_request = ask(sandbox, alice, workspace_uid=name) if is_named else ask(sandbox, alice, name)
    assert portal_request.status == "UNKNOWN"

    decided_by = look(held)

    assert statuses(portal_request) == ["SUCCEEDED"]
    assert (portal_request.failure, portal_request.workstation.uid) == ("", made(sandbox)[0])
    assert portal_request.workstation.workspace.owner == alice
    assert portal_request.workstation.is_live
    assert len(sandbox.record()["posts"]) == 1
    event = models.Event.objects.get(verb="settle", request_number=portal_request.pk)
    assert event.detail == {
        "decision": "found",
        "attempt": 1,
        "look": decided_by.pk,
        "look_begun_at": decided_by.begun_at.isoformat(),
        "active": 1,
        "history": 0,
        "candidates": [made(sandbox)[0]],
        "workstation": made(sandbox)[0],
        "before": "UNKNOWN",
        "after": "SUCCEEDED",
    }
    assert not models.Workstation.objects.orphans().exists()


def test_a_workstation_that_ended_before_we_looked_is_adopted_and_not_live(sandbox, alice, held):
    portal_request = ask(sandbox, alice, "reset-made")
    process.make_client().release_workstation(uid=made(sandbox)[0])

    look(held)

    assert statuses(portal_request) == ["SUCCEEDED"]
    assert (portal_request.workstation.is_live, portal_request.workstation.status) == (False, "completed")


@pytest.mark.parametrize("clock_off", [-3600, 3600])
def test_a_provider_whose_clock_is_an_hour_off_is_believed_all_the_same(sandbox, alice, held, clock_off):
    sandbox.change_weather({"clock_off": clock_off})
    portal_request = ask(sandbox, alice, "reset-made")
    look(held)
    assert statuses(portal_request) == ["SUCCEEDED"]


@pytest.mark.parametrize("times", [{}, {"startedAt": None}, {"startedAt": "soon"}, {"startedAt": 7}])
def test_a_candidate_without_a_readable_time_is_adopted_all_the_same(sandbox, alice, held, times):
    portal_request = ask(sandbox, alice, "reset")
    script_list(sandbox, entry("W1", workspace="S1", **times))
    look(held)
    assert statuses(portal_request) == ["SUCCEEDED"]
    assert portal_request.workstation.uid == "W1"


def test_a_candidate_without_a_workspace_is_adopted_where_none_was_named(sandbox, alice, held):
    portal_request = ask(sandbox, alice, "reset")
    script_list(sandbox, entry("W1"))
    look(held)
    assert statuses(portal_request) == ["SUCCEEDED"]


def test_a_wish_to_cancel_does_not_leave_what_was_made_without_an_owner(sandbox, alice, held):
    portal_request = ask(sandbox, alice, "reset-made")
    intake.cancel_request(actor=alice, portal_request=portal_request)
    look(held)
    assert statuses(portal_request) == ["SUCCEEDED"]
    assert portal_request.workstation.uid == made(sandbox)[0]


# --- Not created ---


@pytest.mark.parametrize("name", ["reset", "hang"])
def test_nothing_made_is_believed_on_the_second_look_and_not_before_the_grace_has_passed(
    sandbox, settings, alice, held, name
):
    settings.AGENTSTATION_TOTAL_TIMEOUT = 0.5 if name == "hang" else 60.0
    portal_request = ask(sandbox, alice, name)
    sure_after = 5 + settings.AGENTSTATION_TOTAL_TIMEOUT + 60 + settings.PORTAL_SETTLE_GRACE
    settings.AGENTSTATION_TOTAL_TIMEOUT = 5.0
    look(held)
    pass_time(sure_after - 10)
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]

    pass_time(10)
    decided_by = look(held)

    assert statuses(portal_request) == ["QUEUED"]
    detail = models.Event.objects.get(verb="settle", request_number=portal_request.pk).detail
    assert (detail["decision"], detail["look"], detail["workstation"]) == ("not created", decided_by.pk, None)
    assert factories.send_until_settled(portal_request).status == "SUCCEEDED"
    assert (len(sandbox.record()["posts"]), len(made(sandbox))) == (2, 1)
    assert portal_request.attempts.count() == 2


def test_one_look_however_late_is_not_enough(sandbox, alice, held):
    portal_request = ask(sandbox, alice, "reset")
    pass_time(UNTIL_SURE)
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    look(held)
    assert statuses(portal_request) == ["QUEUED"]


def test_after_a_complete_500_the_grace_counts_from_the_answer(sandbox, alice, held):
    portal_request = ask(sandbox, alice, "fail-500")
    look(held)
    pass_time(50)
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    pass_time(10)
    look(held)
    assert statuses(portal_request) == ["QUEUED"]


@pytest.mark.parametrize(("name", "failure"), [("fail-500", "500"), ("reset", "no-answer"), ("garbage", "unreadable")])
def test_after_four_tries_it_has_failed_for_good(sandbox, alice, held, name, failure):
    portal_request = ask(sandbox, alice, workspace_uid=name)
    for tries in range(1, 5):
        assert (statuses(portal_request), portal_request.tries) == (["UNKNOWN"], tries)
        look(held)
        pass_time(UNTIL_SURE)
        look(held)
        if tries < 4:
            assert statuses(portal_request) == ["QUEUED"]
            factories.send_once()

    assert statuses(portal_request) == ["FAILED"]
    assert portal_request.failure == failure
    assert len(sandbox.record()["posts"]) == 4


def test_a_wish_to_cancel_is_granted_where_nothing_was_made(sandbox, alice, held):
    portal_request = ask(sandbox, alice, "reset")
    intake.cancel_request(actor=alice, portal_request=portal_request)
    look(held)
    pass_time(UNTIL_SURE)
    look(held)
    assert statuses(portal_request) == ["CANCELLED"]
    assert dispatch.claim_request(worker="w") is None


def test_a_candidate_that_appears_late_is_adopted_by_the_request_that_queues_again(sandbox, alice, held):
    sandbox.change_weather({"shows_after": 3600})
    portal_request = ask(sandbox, alice, "reset-made")
    look(held)
    pass_time(UNTIL_SURE)
    look(held)
    assert statuses(portal_request) == ["QUEUED"]

    sandbox.change_weather({})
    look(held)

    assert statuses(portal_request) == ["SUCCEEDED"]
    assert portal_request.workstation.uid == made(sandbox)[0]
    assert dispatch.claim_request(worker="w") is None


def test_a_candidate_of_the_first_attempt_is_still_found_after_the_second(sandbox, alice, held):
    sandbox.change_weather({"shows_after": 3600})
    portal_request = ask(sandbox, alice, "reset-made")
    look(held)
    pass_time(UNTIL_SURE)
    look(held)
    sandbox.script({"name": "reset"})
    factories.send_once()
    sandbox.change_weather({})

    look(held)

    assert statuses(portal_request) == ["SUCCEEDED"]
    assert portal_request.workstation.uid == made(sandbox)[0]


# --- Groups ---


def test_the_older_of_two_gets_the_only_candidate(sandbox, alice, bob, held):
    older = ask(sandbox, alice, "reset")
    pass_time(1)
    younger = ask(sandbox, bob, "reset-made")

    look(held)
    assert statuses(older, younger) == ["SUCCEEDED", "UNKNOWN"]

    pass_time(UNTIL_SURE)
    look(held)
    assert statuses(older, younger) == ["SUCCEEDED", "QUEUED"]
    assert factories.send_until_settled(younger).status == "SUCCEEDED"
    assert len(made(sandbox)) == 2
    assert not models.Workstation.objects.orphans().exists()


def test_two_candidates_go_to_two_requests_and_a_third_stays_an_orphan(sandbox, alice, bob, held):
    first, second = ask(sandbox, alice, "reset"), ask(sandbox, bob, "reset")
    script_list(sandbox, *(entry(f"W{number}", workspace=f"S{number}") for number in (1, 2, 3)))

    look(held)

    assert statuses(first, second) == ["SUCCEEDED", "SUCCEEDED"]
    assert list(models.Workstation.objects.orphans().values_list("uid", flat=True)) == ["W3"]


@pytest.mark.parametrize(
    ("mine", "shown"),
    [
        ({"type": "python"}, {"type": "max", "workspace": "S1"}),
        ({"workspace_uid": "reset"}, {"workspace": "S1"}),
        ({"workspace_uid": "reset"}, {"workspace": "reset-made"}),
    ],
)
def test_a_group_does_not_take_what_another_asked_for(sandbox, alice, held, mine, shown):
    portal_request = ask(sandbox, alice, "reset", **mine)
    script_list(sandbox, entry("W1", **shown))
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert models.Workstation.objects.orphans().get().uid == "W1"


def test_where_none_was_named_one_in_a_known_workspace_is_no_candidate(sandbox, alice, bob, held):
    workspace_uid = factories.create_workstation(bob).workspace.uid
    pass_time(1)
    portal_request = ask(sandbox, alice, "reset")
    script_list(sandbox, entry("W1", workspace=workspace_uid))
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]


def test_two_groups_are_settled_each_with_its_own(sandbox, alice, bob, held):
    python, golang = ask(sandbox, alice, "reset-made"), ask(sandbox, bob, "reset-made", type="golang")
    look(held)
    assert statuses(python, golang) == ["SUCCEEDED", "SUCCEEDED"]
    assert (python.workstation.type, golang.workstation.type) == ("python", "golang")


def test_a_call_in_flight_of_the_same_group_is_not_robbed(sandbox, alice, bob, held):
    unknown = ask(sandbox, alice, "reset")
    in_flight = factories.submit(bob)
    call = factories.claim()
    result = dispatch.send_call(call=call, client=process.make_client())

    look(held)
    pass_time(UNTIL_SURE)
    look(held)
    assert statuses(unknown, in_flight) == ["UNKNOWN", "SENDING"]

    record.record_result(call=call, result=result)
    look(held)
    assert statuses(unknown, in_flight) == ["QUEUED", "SUCCEEDED"]
    assert in_flight.workstation.uid == result.workstation.uid


def test_a_call_in_flight_of_another_group_does_not_stop_settling(sandbox, alice, bob, held):
    unknown = ask(sandbox, alice, "reset-made")
    factories.submit(bob, type="golang")
    factories.claim()
    look(held)
    assert statuses(unknown) == ["SUCCEEDED"]


# --- No candidates ---


def test_what_a_look_had_shown_before_the_attempt_is_no_candidate(sandbox, alice, held):
    script_list(sandbox, entry("W1", workspace="S1"), times=2)
    factories.mark_first_look()
    look(held)
    pass_time(1)
    portal_request = ask(sandbox, alice, "reset")
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert models.Workstation.objects.orphans().get().uid == "W1"


def test_what_the_first_look_found_is_foreign_and_no_candidate(sandbox, alice, held):
    script_list(sandbox, entry("W1", workspace="S1"), times=2)
    look(held)
    portal_request = ask(sandbox, alice, "reset")
    models.Workstation.objects.update(shown_at=Now() + timedelta(hours=1))
    models.Workspace.objects.update(first_seen_at=Now() + timedelta(hours=1))
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert not models.Workstation.objects.orphans().exists()


def test_a_look_that_began_before_the_attempt_had_ended_settles_nothing(sandbox, alice, held):
    found, missing = ask(sandbox, alice, "reset-made"), ask(sandbox, alice, "reset", type="golang")
    pass_time(UNTIL_SURE)
    with factories.unprotected():
        models.Attempt.objects.update(ended_at=Now() + timedelta(seconds=30))
    look(held)
    look(held)
    assert statuses(found, missing) == ["UNKNOWN", "UNKNOWN"]

    pass_time(40)
    look(held)
    assert statuses(found, missing) == ["SUCCEEDED", "UNKNOWN"]


BROKEN = {
    "500": ([{"on": HISTORY, "status": 500}], "500 InternalError"),
    "garbage": ([{"on": ACTIVE, "status": 200, "body": "<html>Welcome</html>"}], "200 UnreadableAnswer"),
    "no-id": ([{"on": ACTIVE, "status": 200, "body": {"data": [{"type": "python"}]}}], "200 UnreadableAnswer"),
    "broken-off": ([{"on": HISTORY, "name": "reset"}], "NoAnswer"),
    "key": ([{"on": ACTIVE, "status": 401}], "401 InvalidKey"),
    "circle": (
        [{"on": HISTORY, "status": 200, "body": {"data": [], "next_cursor": "same"}, "times": 2}],
        "200 RepeatedCursor",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_lists_that_were_not_read_to_their_end_settle_nothing_and_are_kept(sandbox, alice, held, kind):
    script, problem = BROKEN[kind]
    found, missing = ask(sandbox, alice, "reset-made"), ask(sandbox, alice, "reset", type="golang")
    look(held)
    models.Workstation.objects.all().delete()
    models.Request.objects.filter(pk=found.pk).update(status="UNKNOWN", failure="no-answer", ended_at=None)
    pass_time(UNTIL_SURE)
    sandbox.script(script)

    incomplete = look(held)

    assert (incomplete.is_complete, incomplete.problem) == (False, problem)
    assert statuses(found, missing) == ["UNKNOWN", "UNKNOWN"]
    assert not models.Workstation.objects.exists()
    look(held)
    assert statuses(found, missing) == ["SUCCEEDED", "QUEUED"]


# --- To an operator ---


def test_one_of_an_unknown_type_that_nobody_claims_is_an_operator_s_and_nothing_is_bought_again(sandbox, alice, held):
    portal_request, later = ask(sandbox, alice, "reset"), ask(sandbox, alice, "reset", type="golang")
    pass_time(UNTIL_SURE)
    script_list(sandbox, entry("Q1", type="quantum", workspace="S-new"), times=9)
    look(held)
    look(held)
    assert statuses(portal_request, later) == ["UNKNOWN", "UNKNOWN"]
    assert portal_request.operator_note == "", "a call under way has its time to claim it"
    models.Workstation.objects.update(request=None)
    pass_time(UNTIL_SURE)
    look(held)

    assert statuses(portal_request, later) == ["UNKNOWN", "UNKNOWN"]
    assert portal_request.operator_note == later.operator_note == settle.ODD_TYPE
    assert len(sandbox.record()["posts"]) == 2


@pytest.fixture
def left(sandbox, alice, bob, held) -> list[models.Request]:
    """Two requests that wait for what an operator says of one workstation, which may be either's."""
    portal_requests = [ask(sandbox, alice, "reset"), ask(sandbox, bob, "reset", type="golang")]
    script_list(sandbox, entry("Q1", type="quantum", workspace="S-new"), times=9)
    look(held)
    pass_time(UNTIL_SURE)
    look(held)
    assert statuses(*portal_requests) == ["UNKNOWN", "UNKNOWN"]
    assert {portal_request.operator_note for portal_request in portal_requests} == {settle.ODD_TYPE}
    return portal_requests


def test_once_an_operator_has_adopted_it_for_one_the_other_is_settled(olga, held, left):
    stray = models.Workstation.objects.get(uid="Q1")
    decisions.adopt_workstation(actor=olga, portal_request=left[1], workstation=stray, reason="Her note says so.")
    look(held)
    assert statuses(*left) == ["QUEUED", "SUCCEEDED"]
    assert left[0].operator_note == ""


def test_once_an_operator_has_given_it_back_all_are_settled(olga, held, left):
    stray = models.Workstation.objects.get(uid="Q1")
    decisions.release_orphan(actor=olga, workstation=stray, reason="Nobody knows it.")
    look(held)
    assert statuses(*left) == ["QUEUED", "QUEUED"]


def test_an_operator_is_asked_once_and_nothing_is_looked_for_more_often_meanwhile(settings, held, left):
    look(held)
    assert models.Event.objects.filter(verb="leave-to-operator").count() == 2
    settings.PORTAL_LOOK_INTERVAL = 300.0
    newest = models.Look.objects.latest("id")
    pass_time(200)
    assert look(held) == newest


def test_one_of_an_unknown_type_that_its_call_claims_stops_nobody(sandbox, alice, bob, held):
    portal_request = ask(sandbox, alice, "reset")
    pass_time(UNTIL_SURE)
    script_list(sandbox, entry("Q1", type="quantum", workspace="S-new"), times=9)
    look(held)
    models.Workstation.objects.update(request=factories.submit(bob))
    look(held)
    look(held)
    assert statuses(portal_request) == ["QUEUED"]


def test_a_candidate_without_a_workspace_where_one_was_named_is_an_operator_s(sandbox, alice, held):
    portal_request = ask(sandbox, alice, workspace_uid="reset")
    script_list(sandbox, entry("W1"))
    look(held)
    pass_time(UNTIL_SURE)
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert portal_request.operator_note == settle.NO_WORKSPACE
    event = models.Event.objects.get(verb="leave-to-operator", request_number=portal_request.pk)
    assert event.reason == settle.NO_WORKSPACE


@pytest.mark.parametrize("status", [404, 501])
@pytest.mark.parametrize("on", [ACTIVE, HISTORY])
def test_a_provider_without_lists_leaves_it_to_an_operator_at_once(sandbox, alice, held, status, on):
    portal_request = ask(sandbox, alice, "reset-made")
    sandbox.script({"on": on, "status": status})
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert portal_request.operator_note == settle.NO_LISTS


def test_lists_that_cannot_be_read_for_a_day_leave_it_to_an_operator(sandbox, alice, held):
    portal_request = ask(sandbox, alice, "reset-made")
    sandbox.script({"on": ACTIVE, "status": 500, "times": 3})
    look(held)
    pass_time(23.9 * 3600)
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert portal_request.operator_note == ""

    pass_time(0.2 * 3600)
    look(held)

    assert statuses(portal_request) == ["UNKNOWN"]
    assert portal_request.operator_note == settle.NO_LOOKS


def test_one_look_that_fails_after_a_day_without_a_worker_is_no_day_of_unreadable_lists(sandbox, alice, held):
    portal_request = ask(sandbox, alice, "reset-made")
    pass_time(25 * 3600)
    sandbox.script({"on": ACTIVE, "status": 500})
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert portal_request.operator_note == ""
    look(held)
    assert statuses(portal_request) == ["SUCCEEDED"]


def test_one_look_that_fails_after_a_day_of_good_ones_is_no_day_of_unreadable_lists(sandbox, alice, bob, held):
    portal_request = ask(sandbox, alice, "reset")
    factories.submit(bob)
    factories.claim()  # keeps the group from being settled
    sandbox.script({"on": ACTIVE, "status": 500})
    look(held)
    pass_time(25 * 3600)
    look(held)
    sandbox.script({"on": ACTIVE, "status": 500})
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert portal_request.operator_note == ""


def test_where_the_first_look_failed_unknown_requests_of_before_are_an_operator_s(sandbox, alice, held):
    sandbox.script({"on": ACTIVE, "status": 500, "times": 2})
    look(held)
    before = ask(sandbox, alice, "reset-made")
    look(held)
    assert (statuses(before), before.operator_note) == (["UNKNOWN"], settle.NOT_MARKED)

    after = ask(sandbox, alice, "reset-made")
    look(held)
    assert statuses(before, after) == ["UNKNOWN", "SUCCEEDED"]
    assert after.workstation.uid == made(sandbox)[1]


def test_until_the_first_look_nothing_is_sent_and_where_it_fails_all_is_sent_the_same(sandbox, alice, held):
    portal_request = factories.submit(alice)
    models.Account.objects.update(first_look="WANTED")
    assert dispatch.claim_request(worker="w") is None
    sandbox.script({"on": HISTORY, "status": 500})

    look(held)

    assert accounts.get_current_account().first_look == "FAILED"
    assert models.Event.objects.get(verb="first-look").detail == {"before": "WANTED", "after": "FAILED"}
    assert factories.send_until_settled(portal_request).status == "SUCCEEDED"


# --- Late answers ---


@pytest.fixture
def recovering() -> leases.Held:
    taken = leases.take_lease(name="recover", holder="test", seconds=600)
    assert taken is not None
    return taken


def send_late(sandbox, requester, recovering, name: str = "", **values) -> tuple[models.Request, dispatch.Call, object]:
    """A call whose answer has come, and whose deadline passed before it could be recorded."""
    portal_request = factories.submit(requester, **values)
    if name:
        sandbox.script({"name": name})
    call = factories.claim()
    result = dispatch.send_call(call=call, client=process.make_client())
    models.Attempt.objects.filter(pk=call.attempt_id).update(deadline_at=Now() - timedelta(seconds=1))
    factories.recover_requests(held=recovering)
    assert statuses(portal_request) == ["UNKNOWN"]
    return portal_request, call, result


def settle_as_not_created(sandbox, held) -> None:
    script_list(sandbox, times=2)
    look(held)
    pass_time(UNTIL_SURE)
    look(held)


def test_a_late_200_makes_a_request_succeed_that_queues_again(sandbox, alice, held, recovering):
    portal_request, call, result = send_late(sandbox, alice, recovering)
    settle_as_not_created(sandbox, held)
    assert statuses(portal_request) == ["QUEUED"]

    record.record_result(call=call, result=result)

    assert statuses(portal_request) == ["SUCCEEDED"]
    assert portal_request.workstation.uid == result.workstation.uid
    assert dispatch.claim_request(worker="w") is None


def test_a_late_200_does_not_take_what_another_of_the_group_has_adopted(sandbox, alice, bob, held, recovering):
    older = ask(sandbox, alice, "reset-made")
    pass_time(1)
    younger, call, result = send_late(sandbox, bob, recovering)
    script_list(sandbox, entry(result.workstation.uid, workspace=result.workstation.workspace.uid))
    look(held)
    assert statuses(older, younger) == ["SUCCEEDED", "UNKNOWN"]

    record.record_result(call=call, result=result)

    assert statuses(older, younger) == ["SUCCEEDED", "UNKNOWN"]
    assert older.workstation.uid == result.workstation.uid
    look(held)
    assert statuses(younger) == ["SUCCEEDED"]
    assert younger.workstation.uid == made(sandbox)[0]
    assert models.LateAnswer.objects.get().attempt.request == younger


def test_a_late_200_of_a_closed_request_is_an_orphan_that_says_for_whom(sandbox, alice, bob, olga, held, recovering):
    portal_request, call, result = send_late(sandbox, alice, recovering)
    intake.close_request(actor=olga, portal_request=portal_request, reason="Given up.")
    record.record_result(call=call, result=result)

    assert statuses(portal_request) == ["FAILED"]
    orphan = models.Workstation.objects.orphans().get()
    assert (orphan.uid, orphan.made_for, orphan.request) == (result.workstation.uid, portal_request, None)
    # Nobody else's request takes it, though it fits.
    other = ask(sandbox, bob, "reset")
    look(held)
    assert statuses(other) == ["UNKNOWN"]


def test_a_late_refusal_fails_only_an_unknown_request(sandbox, alice, held, recovering):
    unknown, first, refused = send_late(sandbox, alice, recovering, "fail-422")
    record.record_result(call=first, result=refused)
    assert (statuses(unknown), unknown.failure) == (["FAILED"], "422")

    queued, second, refused = send_late(sandbox, alice, recovering, "fail-422")
    settle_as_not_created(sandbox, held)
    record.record_result(call=second, result=refused)
    assert statuses(queued) == ["QUEUED"]
    assert models.LateAnswer.objects.count() == 2


def test_a_late_refusal_of_an_earlier_attempt_does_not_decide_a_later_one(sandbox, alice, held, recovering):
    portal_request, call, refused = send_late(sandbox, alice, recovering, "fail-422")
    settle_as_not_created(sandbox, held)
    sandbox.script({"name": "reset-made"})
    factories.send_once()
    record.record_result(call=call, result=refused)
    assert statuses(portal_request) == ["UNKNOWN"]
    look(held)
    assert statuses(portal_request) == ["SUCCEEDED"]


def give_back_late(requester, recovering) -> tuple[models.Request, dispatch.Call]:
    portal_request = factories.submit(requester)
    call = factories.claim()
    models.Attempt.objects.filter(pk=call.attempt_id).update(deadline_at=Now() - timedelta(seconds=1))
    factories.recover_requests(held=recovering)
    return portal_request, call


def test_a_request_given_back_late_queues_again(sandbox, alice, recovering):
    portal_request, call = give_back_late(alice, recovering)
    record.record_result(call=call, result=dispatch.Result())
    assert statuses(portal_request) == ["QUEUED"]
    assert models.LateAnswer.objects.get().outcome == "GIVEN_BACK"


def test_a_request_given_back_late_that_nobody_wants_any_more_is_cancelled(sandbox, alice, recovering):
    portal_request, call = give_back_late(alice, recovering)
    intake.cancel_request(actor=alice, portal_request=models.Request.objects.get(pk=portal_request.pk))
    record.record_result(call=call, result=dispatch.Result())
    assert statuses(portal_request) == ["CANCELLED"]


# --- Whose rows ---


def test_unknown_requests_of_another_account_are_never_settled(sandbox, settings, alice, held):
    portal_request = ask(sandbox, alice, "reset-made")
    mine = sandbox.base_url
    settings.AGENTSTATION_BASE_URL = mine.replace("127.0.0.1", "localhost")
    factories.present_key()
    factories.mark_first_look()
    look(held)
    pass_time(UNTIL_SURE)
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert models.Workstation.objects.get().account == accounts.get_current_account()

    settings.AGENTSTATION_BASE_URL = mine
    factories.present_key()
    look(held)
    assert statuses(portal_request) == ["SUCCEEDED"]


def test_the_lists_of_a_key_that_nobody_has_confirmed_settle_nothing(sandbox, alice, held):
    portal_request = ask(sandbox, alice, "reset-made")
    sandbox.reset()  # another account's world
    models.Credential.objects.update(fingerprint="another")
    looks = models.Look.objects.count()
    look(held)
    pass_time(UNTIL_SURE)
    look(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert models.Look.objects.count() == looks


def test_a_round_whose_lease_was_taken_over_changes_nothing(sandbox, alice, held):
    portal_request = ask(sandbox, alice, "reset-made")
    models.Lease.objects.update(expires_at=Now())
    assert leases.take_lease(name="settle", holder="another", seconds=60) is not None
    with pytest.raises(leases.LeaseLost):
        look(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert not models.Look.objects.exists()
    assert not models.Workstation.objects.exists()


# --- When a look is due ---


def test_looks_come_often_at_first_then_ever_less_and_rarely_without_unknown_requests(sandbox, settings, alice, held):
    settings.PORTAL_LOOK_INTERVAL = 300.0
    settings.PORTAL_DUTY_INTERVAL = 5.0
    first = look(held)
    pass_time(290)
    assert look(held) == first
    pass_time(10)
    second = look(held)
    assert second != first

    pass_time(10)
    ask(sandbox, alice, "reset")
    third = look(held)
    assert third not in (first, second)
    pass_time(2)
    assert look(held) == third
    pass_time(3)
    assert look(held) != third
    pass_time(3600)
    fourth = look(held)
    pass_time(50)
    assert look(held) == fourth
    pass_time(10)
    assert look(held) != fourth


def test_make_first_look_is_made_once(sandbox, held):
    looking.make_first_look(held=held, client=process.make_client())
    looking.make_first_look(held=held, client=process.make_client())
    assert models.Look.objects.count() == 1
    assert accounts.get_current_account().first_look == "DONE"


# --- What the provider says about waiting ---


@pytest.mark.parametrize(
    "retry_after", ["-1", "0", "1000000000", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "Sat, 31 Oct 2099 07:28:00 GMT"]
)
def test_no_retry_after_makes_a_request_stall_or_wait_more_than_an_hour(sandbox, alice, retry_after):
    sandbox.script({"status": 429, "headers": {"Retry-After": retry_after}})
    portal_request = ask(sandbox, alice)
    assert portal_request.status == "QUEUED"
    key = models.Key.objects.get()
    latest = portal_request.attempts.get().ended_at + timedelta(seconds=3660)
    assert key.held_until is not None
    assert key.held_until <= latest
    assert portal_request.next_attempt_at is None or portal_request.next_attempt_at <= latest

    models.Key.objects.filter(state="HELD").update(held_until=F("held_until") - timedelta(seconds=3660))
    models.Request.objects.filter(next_attempt_at__isnull=False).update(
        next_attempt_at=F("next_attempt_at") - timedelta(seconds=3660)
    )
    factories.send_once()
    assert statuses(portal_request) == ["SUCCEEDED"]
