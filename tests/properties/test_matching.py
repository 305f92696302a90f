"""Whatever calls make unseen, and whenever lists show it: nothing is bought twice."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis
from hypothesis import strategies as st

from portal import models
from portal.services.reconciliation import matching
from portal.services.reconciliation.matching import Verdict

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(seconds=60)
DOCUMENTED = frozenset({"python", "golang"})
TYPES = ("python", "python", "python", "golang", "quantum")
LAST = 30  # the tick at which all calls have ended, and all that they made is listed
quick = hypothesis.settings(max_examples=400, derandomize=True, database=None, deadline=None)


@dataclass(frozen=True)
class Call:
    """One of unknown outcome. `listed`: when a scan first shows what it made; None: it made nothing."""

    number: int
    type: str
    claimed: int
    ended: int
    listed: int | None
    step: int  # seconds that the provider's clock was off when it made something

    @property
    def sent(self) -> matching.SentAttempt:
        claimed_at, ended_at = START + timedelta(seconds=self.claimed), START + timedelta(seconds=self.ended)
        return matching.SentAttempt(
            claimed_at=claimed_at,
            claimed_tick=self.claimed,
            ended_at=ended_at,
            ended_tick=self.ended,
            proof_from=ended_at,
            span=MINUTE,
        )

    @property
    def made(self) -> matching.Newcomer:
        return matching.Newcomer(
            id=self.number,
            uid=f"W{self.number}",
            type=self.type,
            workspace_uid=f"S{self.number}",
            started_at=START + timedelta(seconds=self.claimed + self.step),
            listed_tick=self.listed,
        )


@st.composite
def draw_calls(draw: st.DrawFn) -> list[Call]:
    calls = []
    for number in range(1, draw(st.integers(4, 6))):
        claimed = draw(st.integers(1, 12))
        calls.append(
            Call(
                number=number,
                type=draw(st.sampled_from(TYPES)),
                claimed=claimed,
                ended=claimed + draw(st.integers(1, 4)),
                listed=draw(st.none() | st.integers(claimed + 1, claimed + 9)),
                step=draw(st.sampled_from([0, -20, -3600])),
            )
        )
    return sorted(calls, key=lambda call: call.claimed)


def play(calls: list[Call]) -> tuple[dict[int, int], list[int]]:
    """What is given to whom, and which requests are sent again at the end, as `reconcile` has it decided."""
    given: dict[int, int] = {}  # by request, the call that made it
    for tick in sorted({call.listed for call in calls if call.listed} | {LAST}):
        while found := next((pair for pair in decide_all(calls, given, tick) if pair[1].newcomer), None):
            number, decision = found
            given[number] = decision.newcomer.id if decision.newcomer else 0
    decisions = decide_all(calls, given, LAST)
    return given, [number for number, decision in decisions if decision.verdict is Verdict.NOT_CREATED]


def decide_all(calls: list[Call], given: dict[int, int], tick: int) -> list[tuple[int, matching.Decision]]:
    return [(known["unresolved"].number, matching.decide(**known)) for known in read_plainly(calls, given, tick)]


def read_plainly(calls: list[Call], given: dict[int, int], tick: int) -> list[dict[str, Any]]:
    """What is known of each request at a tick, without a bound."""
    by_number = {call.number: call for call in calls}
    under_way = [call for call in calls if call.claimed < tick < call.ended]
    unknown = [call for call in calls if call.ended <= tick and call.number not in given]
    newcomers = [
        replace(call.made, is_in_flight=any(one.claimed <= call.listed for one in under_way))
        for call in calls
        if call.listed and call.listed <= tick and call.number not in given.values()
    ]
    assignments = [
        matching.Assignment(
            type=by_number[made].type,
            listed_tick=by_number[made].listed or 0,
            asked_type=by_number[number].type,
            claimed_tick=by_number[number].claimed,
        )
        for number, made in given.items()
    ]
    state = matching.AccountState(
        now=START + timedelta(seconds=tick + (600 if tick == LAST else 0)),
        steady_since=START - 60 * MINUTE,
        allowed_lag=MINUTE,
        wait_unit=MINUTE,
        clock_offset=timedelta(),
        scans=[make_scan(number, tick) for number in (1, 2, 3)] if tick == LAST else [],
        walked_tick=LAST,
        documented_types=DOCUMENTED,
        assignments=assignments,
    )
    return [
        {
            "unresolved": matching.Unresolved(
                number=call.number,
                type=call.type,
                workspace_uid="",
                attempts=[call.sent],
                alike=sum(one.type == call.type for one in unknown),
            ),
            "newcomers": newcomers,
            "state": state,
        }
        for call in unknown
    ]


def make_scan(number: int, tick: int) -> models.Scan:
    """All of them prove what they can, and show a workstation that was claimed after all these calls."""
    begun_at = START + timedelta(seconds=tick + 100 * number)
    return models.Scan(id=number, begun_at=begun_at, begun_tick=tick, own_count=1, witness_tick=tick)


def find_doubled(calls: list[Call], given: dict[int, int], number: int) -> int | None:
    """The call whose workstation runs for nobody once this request is sent again: its own, or that of one that was
    given its own, and so on."""
    makers = {call.number for call in calls if call.listed}
    owners = {made: owner for owner, made in given.items()}
    while number in makers:
        if number not in owners:
            return number
        number = owners[number]
    return None


@quick
@hypothesis.given(draw_calls())
def test_nothing_is_bought_twice(calls):
    given, again = play(calls)
    types = {call.number: call.type for call in calls}
    assert len(set(given.values())) == len(given)
    assert all(types[number] == types[made] for number, made in given.items())
    assert [find_doubled(calls, given, number) for number in again] == [None] * len(again)
