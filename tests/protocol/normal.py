"""Which states of requests are the same for all that can follow: there are fewer to visit."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache
from itertools import permutations

from tests.protocol.requests import (
    CALL,
    FINAL,
    NOBODY,
    OLD,
    OLDER,
    OPEN,
    OUTCOME,
    STRANGER,
    Attempt,
    Machine,
    Request,
    Scan,
    State,
)


def normalize(state: State) -> State:
    """Without what decides nothing any more, and with ticks by their order among claims and ends, for they are
    compared with nothing else."""
    rows = tuple(map(_forget, state.requests))
    order = sorted({0} | {tick for row in rows for one in row.attempts for tick in (one.claimed_tick, one.ended_tick)})
    top = 2 * len(order) - 1

    def place(tick: int) -> int:
        """Even where it is one of these, odd where it is between two."""
        at = bisect_left(order, tick)
        return 2 * at if at < len(order) and order[at] == tick else 2 * at - 1

    if order != list(range(0, top, 2)):
        rows = tuple(row._replace(attempts=tuple(_place(one, place) for one in row.attempts)) for row in rows)
    machines = tuple(_forget_machine(rows, one, place) for one in state.machines)
    scans = tuple(
        Scan(one.begun_at, place(one.begun_tick), place(one.witness_tick), one.own_count)
        for one in state.scans
        if any(_may_prove(one, row) for row in state.requests)
    )
    after = State(_share(rows), _share(machines), _share(scans), top, *state[4:])
    orders = _list_orders(tuple(row.type for row in rows))
    if len(orders) == 1:
        return after
    least = min(tuple(rows[old] for old in order) for order in orders)
    named = [_rename(after, order) for order in orders if least == tuple(rows[old] for old in order)]
    return min(named, key=lambda one: [str(machine) for machine in one.machines]) if named[1:] else named[0]


@cache
def _share[Part](one: Part) -> Part:
    """The first that was equal to it: millions of states are made of few parts."""
    return one


def _place(one: Attempt, place: Callable[[int], int]) -> Attempt:
    return one._replace(claimed_tick=place(one.claimed_tick), ended_tick=place(one.ended_tick))


@cache
def _may_prove(scan: Scan, row: Request) -> bool:
    """Whether the scan can ever show that the request was not created; what is as old as can be may be older."""
    if not (attempts := row.open_attempts):
        return False
    done = max(attempts[-1].ended_at, attempts[-1].claimed_at + CALL)
    return scan.begun_tick >= attempts[-1].ended_tick and (scan.begun_at > done or done <= OLD + CALL)


@cache
def _forget(row: Request) -> Request:
    kept = row.open_attempts
    attempts = [
        one
        if one.outcome == OUTCOME.SENDING or one in kept
        else one._replace(
            claimed_at=one.claimed_at if one.call == OPEN else OLD,
            claimed_tick=0 if OUTCOME.FAILED in (one.outcome, one.late) else one.claimed_tick,
            ended_at=OLD,
            ended_tick=0,
        )
        for one in row.attempts
    ]
    return row._replace(attempts=tuple(attempts), is_unwanted=row.is_unwanted and row.status not in FINAL)


def _forget_machine(rows: Sequence[Request], one: Machine, place: Callable[[int], int]) -> Machine:
    if one.listed_tick is None:
        return one
    if one.owner == NOBODY:
        return one._replace(listed_tick=place(one.listed_tick), is_young=False)
    is_proven = one.owner < 0 or any(sent.outcome == OUTCOME.SUCCEEDED for sent in rows[one.owner].attempts)
    return one._replace(made_at=OLD, listed_tick=0 if is_proven else place(one.listed_tick), is_young=False)


@cache
def _list_orders(types: tuple[str, ...]) -> list[tuple[int, ...]]:
    """Those in which alike requests change places."""
    every = permutations(range(len(types)))
    return [order for order in every if all(types[new] == types[old] for new, old in enumerate(order))]


def _rename(state: State, order: tuple[int, ...]) -> State:
    names = {old: new for new, old in enumerate(order)} | {one: one for one in (NOBODY, STRANGER, OLDER)}
    machines = [
        one._replace(by=names[one.by], owner=names[one.owner], made_for=names[one.made_for]) for one in state.machines
    ]
    machines.sort(key=lambda one: one.by)
    return state._replace(requests=tuple(state.requests[old] for old in order), machines=tuple(machines))
