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

FOUND, WAIT, NOT_CREATED = ((verdict, "") for verdict in (Verdict.FOUND, Verdict.WAIT, Verdict.NOT_CREATED))
NOT_FITTING, CONFIRM, NO_SCANS, NO_WITNESS = (
    (Verdict.ASK, note) for note in (notes.NEWCOMER, notes.CONFIRM, notes.NO_SCANS, notes.NO_WITNESS)
)
HOUR = timedelta(hours=1)
HURRIED = {"wait_unit": timedelta(seconds=6), "allowed_lag": timedelta(seconds=6)}
GIVEN = matching.Assignment(type="python", listed_tick=30, asked_type="python", claimed_tick=5)
LEFT = {"listed_tick": 8}  # before the request's claim


@pytest.mark.parametrize(
    ("request_", "changes", "state", "decided"),
    [
        (REQUEST, {}, {}, FOUND),
        (NAMED, {}, {}, FOUND),
        (NAMED, {"is_workspace_taken": True, "workspace_tick": 5}, {}, FOUND),
        (replace(REQUEST, obstacle=notes.RESTORED), {}, {}, FOUND),
        (replace(REQUEST, obstacle=notes.OTHERS), {}, {}, (Verdict.ASK, notes.OTHERS)),
        (NAMED, {"workspace_uid": "S2"}, {}, NOT_FITTING),
        (NAMED, {"workspace_uid": None}, {}, NOT_FITTING),
        (REQUEST, {"workspace_uid": None}, {}, NOT_FITTING),
        (REQUEST, {"is_workspace_taken": True}, {}, NOT_FITTING),
        (REQUEST, {"workspace_tick": 11}, {}, FOUND),
        (REQUEST, {"workspace_tick": 9}, {}, NOT_FITTING),
        (REQUEST, {"workspace_tick": 0}, {}, NOT_FITTING),
        (REQUEST, {"type": "quantum"}, {}, NOT_FITTING),
        (REQUEST, {"type": "golang"}, {}, NOT_CREATED),
        (REQUEST, {"listed_tick": 10}, {}, NOT_CREATED),
        (REQUEST, {"made_for": 8}, {}, NOT_FITTING),
        (REQUEST, {"made_for": 7}, {}, FOUND),
        (REQUEST, {"must_confirm": True}, {}, CONFIRM),
        (REQUEST, {}, {"is_shared": True}, CONFIRM),
        (REQUEST, {"is_in_flight": True}, {}, WAIT),
        (REQUEST, {}, {"walked_tick": 29}, WAIT),
        # When it started: the provider's clock, or the database's, may have stepped.
        (REQUEST, {"started_at": None}, {}, NOT_FITTING),
        (REQUEST, {"started_at": at(-29)}, {}, FOUND),
        (REQUEST, {"started_at": at(-31)}, {}, NOT_FITTING),
        (REQUEST, {"started_at": at(79)}, {}, FOUND),
        (REQUEST, {"started_at": at(81)}, {}, NOT_FITTING),
        (REQUEST, {"started_at": at(-100_000)}, {}, NOT_FITTING),
        (REQUEST, {"started_at": at(5) + HOUR}, {"clock_offset": HOUR}, FOUND),
        (REQUEST, {"started_at": at(-599)}, {"clock_offset": None}, FOUND),
        (REQUEST, {"started_at": at(-601)}, {"clock_offset": None}, NOT_FITTING),
        (REQUEST, {"started_at": at(619)}, {"clock_offset": None}, FOUND),
        (REQUEST, {"started_at": at(621)}, {"clock_offset": None}, NOT_FITTING),
        (REQUEST, {"started_at": at(-3)}, HURRIED, FOUND),
        (REQUEST, {"started_at": at(-4)}, HURRIED, NOT_FITTING),
        # What no scan lists is waited for for a quarter of an hour: some call always may be under way.
        (REQUEST, {"listed_tick": None}, {"now": at(1_000)}, WAIT),
        (REQUEST, {"listed_tick": None, "is_in_flight": True}, {"now": at(1_100)}, NOT_FITTING),
        # What was left by one that was given what this one may have made.
        (REQUEST, LEFT, {}, NOT_CREATED),
        (REQUEST, LEFT, {"assignments": [GIVEN]}, NOT_FITTING),
        (REQUEST, LEFT, {"assignments": [replace(GIVEN, listed_tick=10)]}, NOT_CREATED),
        (REQUEST, LEFT, {"assignments": [replace(GIVEN, claimed_tick=8)]}, NOT_CREATED),
        (REQUEST, LEFT, {"assignments": [replace(GIVEN, type="golang")]}, NOT_CREATED),
        (REQUEST, LEFT, {"assignments": [replace(GIVEN, type="quantum")]}, NOT_FITTING),
        (REQUEST, LEFT, {"assignments": [replace(GIVEN, asked_type="golang"), GIVEN]}, NOT_FITTING),
    ],
)
def test_what_a_newcomer_means(request_, changes, state, decided):
    assert decide(request_, replace(NEWCOMER, **changes), **state) == decided


@pytest.mark.parametrize("changes", [{"started_at": at(3)}, {"listed_tick": 29, "started_at": at(6)}])
def test_of_two_that_fit_the_one_that_was_listed_or_began_first_is_taken_where_two_were_sent(changes):
    other = replace(NEWCOMER, id=2, **changes)
    decision = matching.decide(unresolved=replace(REQUEST, alike=2), newcomers=[NEWCOMER, other], state=STATE)
    assert decision.newcomer == other
    assert decide(REQUEST, NEWCOMER, other) == CONFIRM


def test_a_second_attempts_time_counts_as_well():
    second = replace(SENT, claimed_at=at(1000), claimed_tick=40, ended_at=at(1010), ended_tick=41, proof_from=at(1100))
    request = replace(REQUEST, attempts=[SENT, second])
    late = replace(NEWCOMER, started_at=at(1005), listed_tick=50)
    assert decide(request, late) == FOUND
    assert decide(request, replace(late, listed_tick=35)) == NOT_FITTING


# --- Denying is wide, and needs a witness ---

YEAR = 400 * 24 * 3600
TWO = [scan(1, begun=200), scan(2, begun=300)]
OLDER = scan(1, begun=200, witness=0)


@pytest.mark.parametrize(
    ("state", "decided"),
    [
        ({"scans": [*TWO, scan(3, begun=359)]}, WAIT),
        ({"scans": [*TWO, scan(3, begun=360)]}, NOT_CREATED),
        ({"is_paused": True}, WAIT),  # it could not be sent again at once
        ({"has_no_lists": True}, (Verdict.ASK, notes.NO_LISTS)),
        ({"allowed_lag": timedelta(seconds=101), "now": at(400)}, WAIT),
        # Fewer than two scans after the grace
        ({"scans": [], "now": at(400)}, WAIT),
        ({"scans": TWO[:1], "now": at(400)}, WAIT),
        ({"scans": [scan(1, begun=159), TWO[1]], "now": at(400)}, WAIT),
        ({"scans": [scan(1, begun=200, tick=19), TWO[1]], "now": at(400)}, WAIT),
        ({"scans": [], "now": at(100 + 60 + 900)}, NO_SCANS),
        ({"scans": [], "now": at(100 + 60 + 900), "has_left_out": True}, (Verdict.ASK, notes.LEFT_OUT)),
        # Whatever clocks say, one that began before the end proves nothing.
        ({"scans": [scan(number, begun=180 + 60 * number, tick=19) for number in (1, 2, 3)]}, NO_SCANS),
        ({"scans": [scan(number, begun=180 + 60 * number, tick=20) for number in (1, 2, 3)]}, NOT_CREATED),
        # A witness is newer, and in the newest scan; after fifteen graces anything of ours will do.
        ({"scans": [scan(1, begun=200, witness=30), scan(2, begun=300, witness=20)]}, NO_WITNESS),
        ({"scans": [OLDER, scan(2, begun=999, witness=0)]}, NO_WITNESS),
        ({"scans": [OLDER, scan(2, begun=1000, witness=0), scan(3, begun=1060, witness=0)]}, NOT_CREATED),
        ({"scans": [OLDER, scan(2, begun=10**6, own=0, witness=0)], "now": at(10**6)}, NO_WITNESS),
        # A step of the clock begins the call and the grace anew, but for a question.
        ({"scans": [scan(1, begun=660), scan(2, begun=661), scan(3, begun=721)], "steady_since": at(500)}, NOT_CREATED),
        (
            {
                "scans": [scan(1, begun=660), scan(2, begun=661), scan(3, begun=721)],
                "steady_since": at(501),
                "now": at(800),
            },
            WAIT,
        ),
        ({"scans": TWO, "steady_since": at(1060), "now": at(1060)}, NO_SCANS),
        # Of a clock that has stepped back since
        ({"scans": [scan(1, begun=YEAR), scan(2, begun=YEAR + 1)], "steady_since": at(110), "now": at(120)}, WAIT),
        (
            {
                "scans": [scan(1, begun=600), scan(2, begun=601), scan(3, begun=180)],
                "steady_since": at(110),
                "now": at(700),
            },
            WAIT,
        ),
    ],
)
def test_what_scans_without_a_newcomer_mean(state, decided):
    assert decide(**state) == decided


@pytest.mark.parametrize(("ended", "since"), [(20, 20 + 100), (5_020, 200)])
def test_a_clock_that_stepped_back_puts_off_no_question(ended, since):
    """It was ahead when it was claimed. Where it still was at its end, the first scan after that tells the least."""
    ahead = replace(SENT, claimed_at=at(5_000), ended_at=at(ended), proof_from=at(5_100), scanned_at=at(200))
    request = replace(REQUEST, attempts=[ahead])
    for seconds, verdict in ((959, Verdict.WAIT), (960, Verdict.ASK)):
        now = at(since + seconds)
        assert decide(request, scans=TWO[:1], steady_since=now, now=now)[0] is verdict


@pytest.mark.parametrize("changes", [{"claimed_at": at(YEAR)}, {"ended_at": at(YEAR + 20), "claimed_at": at(YEAR)}])
def test_an_attempt_of_a_clock_that_stepped_back_is_waited_for_from_then_on(changes):
    ahead = replace(SENT, proof_from=at(YEAR + 100), span=timedelta(seconds=100), **changes)
    scans = [scan(1, begun=2_160), scan(2, begun=2_161), scan(3, begun=2_221)]
    request = replace(REQUEST, attempts=[ahead])
    assert decide(request, steady_since=at(2_000), scans=scans, now=at(2_300)) == NOT_CREATED
    assert decide(request, steady_since=at(2_001), scans=scans, now=at(2_300))[0] is not Verdict.NOT_CREATED


@pytest.mark.parametrize("obstacle", [notes.RESTORED, notes.OTHERS])
def test_what_only_people_may_decide_is_never_sent_again_by_itself(obstacle):
    assert decide(replace(REQUEST, obstacle=obstacle)) == (Verdict.ASK, obstacle)
