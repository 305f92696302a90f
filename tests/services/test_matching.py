"""What the scans' facts mean for an unknown request, as a table over plain values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from portal import models
from portal.services.reconciliation import matching
from portal.services.reconciliation.matching import Verdict
from portal.services.requests import notes

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(seconds=60)
TYPES = frozenset({"python", "golang", "max"})


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


# Claimed at second 0 and tick 10, ended at second 20 and tick 20; the provider is done with it at second 100.
SENT = matching.SentAttempt(
    claimed_at=at(0), claimed_tick=10, ended_at=at(20), ended_tick=20, proof_from=at(100), span=timedelta(seconds=100)
)
REQUEST = matching.Unresolved(number=7, type="python", workspace_uid="", attempts=[SENT])
NAMED = replace(REQUEST, workspace_uid="S1")
NEWCOMER = matching.Newcomer(
    id=1, uid="W1", type="python", workspace_uid="S1", started_at=at(5), listed_tick=30, workspace_tick=None
)


def scan(number: int, *, begun: float, tick: int = 100, own: int = 1, witness: int = 21) -> models.Scan:
    return models.Scan(id=number, begun_at=at(begun), begun_tick=tick, own_count=own, witness_tick=witness)


STATE = matching.AccountState(
    now=at(5_000),
    steady_since=at(-100_000),
    allowed_lag=MINUTE,
    wait_unit=MINUTE,
    clock_offset=timedelta(),
    scans=[scan(1, begun=200), scan(2, begun=300), scan(3, begun=360)],
    walked_tick=10_000,
    documented_types=TYPES,
)


def decide(request=REQUEST, *newcomers, state=STATE, **changes) -> tuple[Verdict, str]:
    decision = matching.decide(unresolved=request, newcomers=newcomers, state=replace(state, **changes))
    return decision.verdict, decision.note


# --- Adopting is narrow ---


@pytest.mark.parametrize(
    ("request_", "changes"),
    [
        (REQUEST, {}),
        (NAMED, {}),
        (NAMED, {"is_workspace_taken": True, "workspace_tick": 5}),
        (REQUEST, {"workspace_tick": 11}),
        (REQUEST, {"started_at": at(-29)}),
        (REQUEST, {"started_at": at(79)}),
        (replace(REQUEST, obstacle=notes.RESTORED), {}),
    ],
)
def test_what_fits_and_nobody_else_can_have_made_is_found(request_, changes):
    assert decide(request_, replace(NEWCOMER, **changes)) == (Verdict.FOUND, "")


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "quantum"},
        {"workspace_uid": None},
        {"is_workspace_taken": True},
        {"workspace_tick": 9},
        {"workspace_tick": 0},
        {"started_at": at(-31)},
        {"started_at": at(81)},
        {"started_at": None},
        {"must_confirm": True},
    ],
)
def test_what_does_not_fit_closely_is_for_a_person_and_stops_sending_again(changes):
    verdict, note = decide(REQUEST, replace(NEWCOMER, **changes))
    assert verdict is Verdict.ASK
    assert note == (notes.CONFIRM if "must_confirm" in changes else notes.NEWCOMER)


def test_what_a_call_under_way_may_have_made_is_waited_for():
    assert decide(REQUEST, replace(NEWCOMER, is_in_flight=True)) == (Verdict.WAIT, "")


@pytest.mark.parametrize(("now", "decided"), [(1_000, (Verdict.WAIT, "")), (1_100, (Verdict.ASK, notes.NEWCOMER))])
def test_what_no_scan_lists_is_waited_for_for_a_quarter_of_an_hour(now, decided):
    for is_in_flight in (False, True):  # some call always may be: any that is under way
        never_listed = replace(NEWCOMER, listed_tick=None, is_in_flight=is_in_flight)
        assert decide(REQUEST, never_listed, now=at(now)) == decided


def test_one_in_another_workspace_than_the_named_is_for_a_person():
    assert decide(NAMED, replace(NEWCOMER, workspace_uid="S2")) == (Verdict.ASK, notes.NEWCOMER)
    assert decide(NAMED, replace(NEWCOMER, workspace_uid=None)) == (Verdict.ASK, notes.NEWCOMER)


@pytest.mark.parametrize("changes", [{"listed_tick": 10}, {"listed_tick": 9}, {"type": "golang"}])
def test_what_cannot_be_the_requests_is_in_nobodys_way(changes):
    assert decide(REQUEST, replace(NEWCOMER, **changes)) == (Verdict.NOT_CREATED, "")


@pytest.mark.parametrize("seconds", [-4_000, -100_000, 100_000])
def test_whenever_it_started_what_was_first_listed_since_the_claim_is_for_a_person(seconds):
    """The provider's clock may have stepped, or the database's: between the two scans, or since the claim."""
    assert decide(REQUEST, replace(NEWCOMER, started_at=at(seconds))) == (Verdict.ASK, notes.NEWCOMER)


def test_the_providers_clock_is_read_by_its_own_date():
    hour = timedelta(hours=1)
    ahead = replace(NEWCOMER, started_at=at(5) + hour)
    assert decide(REQUEST, ahead, clock_offset=hour) == (Verdict.FOUND, "")
    assert decide(REQUEST, ahead) == (Verdict.ASK, notes.NEWCOMER)


def test_without_a_date_ten_minutes_either_way_count():
    for seconds in (-599, 619):
        assert decide(REQUEST, replace(NEWCOMER, started_at=at(seconds)), clock_offset=None)[0] is Verdict.FOUND
    for seconds in (-601, 621):
        assert decide(REQUEST, replace(NEWCOMER, started_at=at(seconds)), clock_offset=None)[0] is not Verdict.FOUND


def test_a_rehearsal_shortens_the_slack_of_clocks_too():
    hurried = {"wait_unit": timedelta(seconds=6), "allowed_lag": timedelta(seconds=6)}
    assert decide(REQUEST, replace(NEWCOMER, started_at=at(-3)), **hurried) == (Verdict.FOUND, "")
    assert decide(REQUEST, replace(NEWCOMER, started_at=at(-4)), **hurried) == (Verdict.ASK, notes.NEWCOMER)


def test_of_two_that_fit_the_one_that_started_first_is_taken_where_two_were_sent():
    other = replace(NEWCOMER, id=2, started_at=at(3))
    decision = matching.decide(unresolved=replace(REQUEST, alike=2), newcomers=[NEWCOMER, other], state=STATE)
    assert decision.newcomer == other
    assert decide(REQUEST, NEWCOMER, other) == (Verdict.ASK, notes.CONFIRM)


def test_of_two_that_fit_the_one_that_was_listed_first_is_taken_whatever_the_providers_clock_says():
    later = replace(NEWCOMER, id=2, listed_tick=31, started_at=at(1))
    decision = matching.decide(unresolved=replace(REQUEST, alike=2), newcomers=[later, NEWCOMER], state=STATE)
    assert decision.newcomer == NEWCOMER


GIVEN = matching.Assignment(type="python", listed_tick=30, asked_type="python", claimed_tick=5)
LEFT = replace(NEWCOMER, listed_tick=8)  # before the request's claim
NOBODYS = (Verdict.NOT_CREATED, "")


@pytest.mark.parametrize(
    ("assignments", "decided"),
    [
        ([], NOBODYS),
        ([GIVEN], (Verdict.ASK, notes.NEWCOMER)),
        ([replace(GIVEN, listed_tick=10)], NOBODYS),
        ([replace(GIVEN, claimed_tick=8)], NOBODYS),
        ([replace(GIVEN, type="golang", asked_type="golang")], NOBODYS),
        ([replace(GIVEN, type="golang")], NOBODYS),
        ([replace(GIVEN, type="quantum")], (Verdict.ASK, notes.NEWCOMER)),
        ([replace(GIVEN, listed_tick=9), replace(GIVEN, claimed_tick=8)], (Verdict.ASK, notes.NEWCOMER)),
        ([replace(GIVEN, asked_type="golang"), GIVEN], (Verdict.ASK, notes.NEWCOMER)),
    ],
)
def test_what_was_left_by_one_that_was_given_what_this_one_may_have_made_is_for_a_person(assignments, decided):
    assert decide(REQUEST, LEFT, assignments=assignments) == decided


def test_what_a_late_response_named_for_another_is_for_a_person():
    assert decide(REQUEST, replace(NEWCOMER, made_for=8)) == (Verdict.ASK, notes.NEWCOMER)
    assert decide(REQUEST, replace(NEWCOMER, made_for=7)) == (Verdict.FOUND, "")


def test_a_second_attempts_time_counts_as_well():
    second = replace(SENT, claimed_at=at(1000), claimed_tick=40, ended_at=at(1010), ended_tick=41, proof_from=at(1100))
    request = replace(REQUEST, attempts=[SENT, second])
    late = replace(NEWCOMER, started_at=at(1005), listed_tick=50)
    assert decide(request, late) == (Verdict.FOUND, "")
    assert decide(request, replace(late, listed_tick=35)) == (Verdict.ASK, notes.NEWCOMER)


def test_with_a_key_that_others_use_an_operator_confirms():
    assert decide(REQUEST, NEWCOMER, is_shared=True) == (Verdict.ASK, notes.CONFIRM)


# --- Denying is wide, and needs a witness ---


def test_two_scans_and_a_witness_prove_a_grace_later_that_nothing_was_created():
    scans = [scan(1, begun=200), scan(2, begun=300)]
    assert decide(scans=[*scans, scan(3, begun=359)]) == (Verdict.WAIT, "")
    assert decide(scans=[*scans, scan(3, begun=360)]) == (Verdict.NOT_CREATED, "")


def test_what_could_not_be_sent_again_at_once_is_not_decided():
    assert decide(is_paused=True) == (Verdict.WAIT, "")


@pytest.mark.parametrize(
    "scans",
    [
        [],
        [scan(1, begun=200)],
        [scan(1, begun=159), scan(2, begun=300)],
        [scan(1, begun=200, tick=19), scan(2, begun=300)],
    ],
)
def test_fewer_than_two_scans_after_the_grace_prove_nothing(scans):
    assert decide(scans=scans, now=at(400)) == (Verdict.WAIT, "")


def test_where_no_two_scans_are_whole_for_long_a_person_is_asked():
    assert decide(scans=[], now=at(100 + 60 + 900)) == (Verdict.ASK, notes.NO_SCANS)


@pytest.mark.parametrize(("ended", "since"), [(20, 20 + 100), (5_020, 200)])
def test_a_clock_that_stepped_back_puts_off_no_question(ended, since):
    """It was ahead when it was claimed. Where it still was at its end, the first scan after that tells the least."""
    ahead = replace(SENT, claimed_at=at(5_000), ended_at=at(ended), proof_from=at(5_100), scanned_at=at(200))
    request = replace(REQUEST, attempts=[ahead])
    for seconds, verdict in ((959, Verdict.WAIT), (960, Verdict.ASK)):
        now = at(since + seconds)
        assert decide(request, scans=[scan(1, begun=200)], steady_since=now, now=now)[0] is verdict


def test_a_witness_has_to_be_newer_and_in_the_newest_scan():
    scans = [scan(1, begun=200, witness=30), scan(2, begun=300, witness=20)]
    assert decide(scans=scans) == (Verdict.ASK, notes.NO_WITNESS)


@pytest.mark.parametrize(("tick", "decided"), [(19, (Verdict.ASK, notes.NO_SCANS)), (20, (Verdict.NOT_CREATED, ""))])
def test_a_scan_that_began_before_the_end_proves_nothing_whatever_clocks_say(tick, decided):
    scans = [scan(number, begun=begun, tick=tick) for number, begun in enumerate((200, 300, 360), start=1)]
    assert decide(scans=scans) == decided


def test_after_fifteen_graces_an_older_workstation_of_ours_is_believed():
    late = [scan(1, begun=200, witness=0), scan(2, begun=1000, witness=0)]
    assert decide(scans=[*late, scan(3, begun=1060, witness=0)]) == (Verdict.NOT_CREATED, "")
    assert decide(scans=[late[0], scan(2, begun=999, witness=0)]) == (Verdict.ASK, notes.NO_WITNESS)


def test_where_the_scans_show_nothing_of_ours_a_person_is_asked():
    empty = [scan(1, begun=200, witness=0), scan(2, begun=1_000_000, own=0, witness=0)]
    assert decide(scans=empty, now=at(1_000_000)) == (Verdict.ASK, notes.NO_WITNESS)


def test_a_step_of_the_clock_begins_the_call_and_the_grace_anew():
    """The clock may have stepped past the deadline: the provider may be at work for as long as the call may last."""
    scans = [scan(1, begun=660), scan(2, begun=661), scan(3, begun=721)]
    assert decide(steady_since=at(500), scans=scans, now=at(800)) == (Verdict.NOT_CREATED, "")
    assert decide(steady_since=at(501), scans=scans, now=at(800)) == (Verdict.WAIT, "")


def test_a_person_is_asked_whether_the_clock_is_steady_or_not():
    """A worker that is started again and again never sees it steady for long."""
    late = at(100 + 60 + 900)
    assert decide(steady_since=late, scans=[scan(1, begun=200), scan(2, begun=300)], now=late) == (
        Verdict.ASK,
        notes.NO_SCANS,
    )


YEAR = 400 * 24 * 3600


def test_scans_of_a_clock_that_has_stepped_back_since_prove_nothing():
    ahead = [scan(1, begun=YEAR), scan(2, begun=YEAR + 1)]
    assert decide(steady_since=at(110), scans=ahead, now=at(120)) == (Verdict.WAIT, "")
    minutes = [scan(1, begun=600), scan(2, begun=601), scan(3, begun=180)]
    assert decide(steady_since=at(110), scans=minutes, now=at(700)) == (Verdict.WAIT, "")


@pytest.mark.parametrize("changes", [{"claimed_at": at(YEAR)}, {"ended_at": at(YEAR + 20), "claimed_at": at(YEAR)}])
def test_an_attempt_of_a_clock_that_stepped_back_is_waited_for_from_then_on(changes):
    ahead = replace(SENT, proof_from=at(YEAR + 100), span=timedelta(seconds=100), **changes)
    scans = [scan(1, begun=2_160), scan(2, begun=2_161), scan(3, begun=2_221)]
    request = replace(REQUEST, attempts=[ahead])
    assert decide(request, steady_since=at(2_000), scans=scans, now=at(2_300)) == (Verdict.NOT_CREATED, "")
    assert decide(request, steady_since=at(2_001), scans=scans, now=at(2_300))[0] is not Verdict.NOT_CREATED


def test_lists_that_lag_longer_make_the_grace_longer():
    assert decide(allowed_lag=timedelta(seconds=101), now=at(400)) == (Verdict.WAIT, "")


@pytest.mark.parametrize("obstacle", [notes.RESTORED, notes.OTHERS])
def test_what_only_people_may_decide_is_never_sent_again_by_itself(obstacle):
    assert decide(replace(REQUEST, obstacle=obstacle)) == (Verdict.ASK, obstacle)


def test_a_response_with_anothers_workstation_is_an_operators_whatever_fits():
    assert decide(replace(REQUEST, obstacle=notes.OTHERS), NEWCOMER) == (Verdict.ASK, notes.OTHERS)


def test_a_provider_without_lists_leaves_it_to_a_person():
    assert decide(has_no_lists=True) == (Verdict.ASK, notes.NO_LISTS)
