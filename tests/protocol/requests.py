"""The life of requests as a machine: a state, and every step that portal, provider and people may take from it.

Times are graces before now; what is older than all that is ever waited for counts as that old. Of ticks only the order
matters.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import combinations
from types import SimpleNamespace
from typing import Any, NamedTuple

from portal import models
from portal.services.reconciliation import matching
from portal.services.requests import notes

# Words, for members of an enumeration are slow to hash.
STATUS: Any = SimpleNamespace(**{str(one): str(one) for one in models.Request.Status})
OUTCOME: Any = SimpleNamespace(**{str(one): str(one) for one in models.Attempt.Outcome})
FINAL = {str(one) for one, following in models.TRANSITIONS.items() if not following}
TYPES = frozenset(models.Request.Type.values)
OPEN, MADE, REFUSED, OVER = "open", "made", "refused", "over"  # what the provider does about a call
NOBODY, STRANGER, OLDER = -1, -2, -3  # who a workstation is by, or whose; OLDER: of ours from before
OLD, CALL = -4, 1  # graces: longer than anything is waited for, and the longest call
GRACE, NOW = timedelta(minutes=1), datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class World:
    types: tuple[str, ...] = ("python",)  # of each request
    sends: int = 1  # attempts of a request, at most
    words: int = 1  # how often people say of a request that nothing was created
    strangers: int = 0  # workstations that somebody else makes with the same key
    strangers_at: tuple[int, ...] = (0,)  # when those started, in graces; beyond OLD, before or after all calls
    older: bool = False  # there is a workstation of ours from before
    refusals: bool = True
    wishes: bool = True  # people cancel
    pauses: bool = False
    clock_steps: bool = False
    lapses: int = 0  # scans that leave out anything, whatever is assumed
    # Assumptions: without each there is a way to buy twice, or to give away what is not ours.
    lists_keep_to_the_grace: bool = True
    calls_end_by_their_deadline: bool = True
    strangers_are_known: bool = True
    steps_are_seen: bool = True


class Attempt(NamedTuple):
    claimed_at: int
    claimed_tick: int
    outcome: str = OUTCOME.SENDING
    ended_at: int = 0
    ended_tick: int = 0
    call: str = OPEN
    late: str = ""  # the outcome of a late response


class Request(NamedTuple):
    type: str
    status: str = STATUS.QUEUED
    attempts: tuple[Attempt, ...] = ()
    note: str = ""
    is_unwanted: bool = False
    words: int = 0

    @property
    def open_attempts(self) -> tuple[Attempt, ...]:
        """As `unresolved.list_open_attempts` has them."""
        if self.status not in (STATUS.UNKNOWN, STATUS.QUEUED):
            return ()
        return tuple(one for one in self.attempts if one.outcome == OUTCOME.UNKNOWN and one.late != OUTCOME.FAILED)


class Machine(NamedTuple):
    by: int
    type: str
    made_at: int = 0
    listed_tick: int | None = None
    owner: int = NOBODY
    made_for: int = NOBODY
    is_young: bool = True  # made within the grace


class Scan(NamedTuple):
    begun_at: int
    begun_tick: int
    witness_tick: int
    own_count: int


class State(NamedTuple):
    requests: tuple[Request, ...]
    machines: tuple[Machine, ...] = ()
    scans: tuple[Scan, ...] = ()  # complete ones, oldest first
    tick: int = 0
    steady_since: int = OLD
    is_paused: bool = False
    is_shared: bool = False
    lapses: int = 0


type Step = tuple[str, State]


def begin(world: World) -> State:
    older = (Machine(by=OLDER, type="browser", made_at=OLD, listed_tick=0, owner=OLDER),) if world.older else ()
    is_shared = world.strangers > 0 and world.strangers_are_known
    return State(tuple(map(Request, world.types)), older, is_shared=is_shared)


def list_steps(state: State, world: World) -> Iterator[Step]:
    """Every step that may be taken, in words, with where it leads."""
    for number, row in enumerate(state.requests):
        for place, attempt in enumerate(row.attempts):
            yield from _call(state, world, number, place, attempt)
        yield from _send_or_wish(state, world, number, row)
        if row.open_attempts:
            yield from _reconcile(state, world, number, row)
    if any(row.open_attempts for row in state.requests):
        yield from _scan(state, world)
    yield from _surroundings(state, world)


# --- Claim, call, record ---


def _may_be_sent(row: Request, world: World) -> bool:
    return len(row.attempts) < world.sends + row.words


def _send_or_wish(state: State, world: World, number: int, row: Request) -> Iterator[Step]:
    name = f"R-{number + 1}"
    if row.status == STATUS.QUEUED:
        if _may_be_sent(row, world) and not state.is_paused:
            attempts = (*row.attempts, Attempt(0, state.tick + 1))
            claimed = _move(state, number, STATUS.SENDING, attempts=attempts)
            yield f"{name} is claimed", claimed._replace(tick=state.tick + 1)
        if world.wishes:
            yield f"a person cancels {name}", _move(state, number, STATUS.CANCELLED)
    elif world.wishes and row.status in (STATUS.UNKNOWN, STATUS.SENDING) and not row.is_unwanted:
        yield f"a person no longer wants {name}", _change(state, number, is_unwanted=True)
    if row.status in (STATUS.UNKNOWN, STATUS.QUEUED) and world.words:
        for one in (one for one in _list_newcomers(state, number) if not one.is_in_flight):
            by = state.machines[one.id].by
            given = _change_machine(state, one.id, by=OLDER if by == STRANGER else by)
            yield f"a person says that {name} made what was found", _give(given, one.id, number)
    if row.status == STATUS.UNKNOWN and row.note:
        yield f"a person closes {name}", _move(state, number, STATUS.FAILED)
        if world.wishes:
            yield f"a person cancels {name}", _move(state, number, STATUS.CANCELLED)
        if row.words < world.words:
            status = STATUS.CANCELLED if row.is_unwanted else STATUS.QUEUED
            yield f"a person says that {name} made nothing", _move(state, number, status, words=row.words + 1)


def _call(state: State, world: World, number: int, place: int, attempt: Attempt) -> Iterator[Step]:
    """What the provider does about a call, and what is recorded of it."""
    row, name, tick = state.requests[number], f"R-{number + 1}", state.tick + 1
    change = partial(_change_attempt, state, number, place)
    if attempt.call == OPEN:
        made = (*state.machines, Machine(by=number, type=row.type))
        yield f"{name} makes one", change(call=MADE)._replace(machines=made)
        if world.refusals:
            yield f"{name} is refused", change(call=REFUSED)
    if attempt.outcome == OUTCOME.SENDING:
        change = partial(change, ended_at=0, ended_tick=tick)
        yield f"{name} is given up", _move(change(outcome=OUTCOME.UNKNOWN), number, STATUS.UNKNOWN, tick)
        if attempt.call == MADE:
            at = _find_made(state, number, place)
            if state.machines[at].owner != NOBODY:  # its answer names what another was given
                taken = change(outcome=OUTCOME.UNKNOWN, call=OVER, late=OUTCOME.SUCCEEDED)
                yield f"{name} hears of another's", _move(taken, number, STATUS.UNKNOWN, tick)
            else:
                heard = change(outcome=OUTCOME.SUCCEEDED, call=OVER)
                yield f"{name} hears of its own", _give(heard, at, number)._replace(tick=tick)
        elif attempt.call == REFUSED:
            refused = change(outcome=OUTCOME.FAILED, call=OVER)
            yield f"{name} hears that it failed", _move(refused, number, STATUS.FAILED, tick)
            if _may_be_sent(row, world):
                yield f"{name} hears a refusal", _move(refused, number, STATUS.QUEUED, tick)
    elif attempt.outcome == OUTCOME.UNKNOWN and attempt.call == MADE:
        yield f"{name} hears late of its own", _hear_late(state, number, place)
    elif attempt.outcome == OUTCOME.UNKNOWN and attempt.call == REFUSED:
        after = change(call=OVER, late=OUTCOME.FAILED)
        if row.status == STATUS.UNKNOWN and place == len(row.attempts) - 1:
            after = _settle_not_created(after, world, number)
        yield f"{name} hears a late refusal", after


def _hear_late(state: State, number: int, place: int) -> State:
    at, status = _find_made(state, number, place), state.requests[number].status
    after = _change_attempt(state, number, place, call=OVER, late=OUTCOME.SUCCEEDED)
    is_taken = state.machines[at].owner != NOBODY
    if status not in (STATUS.UNKNOWN, STATUS.QUEUED):
        return after if is_taken else _change_machine(after, at, made_for=number)
    if not is_taken:
        return _give(after, at, number)
    return after if status == STATUS.UNKNOWN else _move(after, number, STATUS.UNKNOWN)


def _find_made(state: State, number: int, place: int) -> int:
    """What this attempt has made: a request's are in the order of its attempts."""
    heard = (OUTCOME.SUCCEEDED, MADE)
    before = sum(
        not {one.outcome, one.call, one.late}.isdisjoint(heard) for one in state.requests[number].attempts[:place]
    )
    return [at for at, one in enumerate(state.machines) if one.by == number][before]


def _settle_not_created(state: State, world: World, number: int) -> State:
    row = state.requests[number]
    again = STATUS.QUEUED if _may_be_sent(row, world) else STATUS.FAILED
    return _move(state, number, STATUS.CANCELLED if row.is_unwanted else again)


# --- Scanning and reconciling ---


def _scan(state: State, world: World) -> Iterator[Step]:
    """A whole scan, in one step, shows what the grace has passed for, and any of the rest."""
    may_lapse = state.lapses < world.lapses or not world.lists_keep_to_the_grace
    may = [at for at, one in enumerate(state.machines) if one.listed_tick is None and (one.is_young or may_lapse)]
    for chosen in (set(some) for size in range(len(may) + 1) for some in combinations(may, size)):
        shown = [at for at in range(len(state.machines)) if at in chosen or at not in may]
        machines = tuple(
            one._replace(listed_tick=state.tick + 1) if at in shown and one.listed_tick is None else one
            for at, one in enumerate(state.machines)
        )
        owners = [machines[at].owner for at in shown if machines[at].owner != NOBODY]
        witness = max((_find_witness(state, owner) for owner in owners), default=0)
        scan = Scan(0, state.tick + 1, witness, min(1, len(owners)))
        lapses = state.lapses + any(at not in chosen and not state.machines[at].is_young for at in may)
        after = state._replace(
            machines=machines, scans=(*state.scans, scan)[-3:], tick=state.tick + 1, lapses=min(lapses, world.lapses)
        )
        yield f"a scan: {len(shown)} of {len(machines)}", after


def _find_witness(state: State, owner: int) -> int:
    attempts = state.requests[owner].attempts if owner >= 0 else ()
    return max((one.claimed_tick for one in attempts if one.outcome == OUTCOME.SUCCEEDED), default=0)


def _reconcile(state: State, world: World, number: int, row: Request) -> Iterator[Step]:
    name = f"R-{number + 1}"
    unresolved, newcomers = _read_unresolved(state, world, number, row), _list_newcomers(state, number)
    account = _read_account(state, world)
    decision = matching.decide(unresolved=unresolved, newcomers=newcomers, state=account)
    if decision.newcomer is not None:
        yield f"{name} is given what was found", _give(state, decision.newcomer.id, number)
    elif row.status == STATUS.QUEUED:
        if not row.words and matching.list_possible(unresolved=unresolved, newcomers=newcomers, state=account):
            yield f"{name} is doubted", _move(state, number, STATUS.UNKNOWN)
    elif decision.verdict is matching.Verdict.NOT_CREATED or (row.is_unwanted and decision.note == notes.NO_WITNESS):
        yield f"{name} is not created", _settle_not_created(state, world, number)
    elif decision.note != row.note:
        yield f"a question about {name} is asked, or lapses", _change(state, number, note=decision.note)


def _read_unresolved(state: State, world: World, number: int, row: Request) -> matching.Unresolved:
    return matching.Unresolved(
        number=number,
        type=row.type,
        workspace_uid="",
        attempts=[_describe_attempt(one) for one in row.open_attempts],
        obstacle=notes.OTHERS if any(one.late == OUTCOME.SUCCEEDED for one in row.attempts) else "",
        alike=sum(len(other.open_attempts) for other in state.requests if other.type == row.type),
        may_be_sent=not row.is_unwanted and _may_be_sent(row, world),
    )


@cache
def _describe_attempt(one: Attempt) -> matching.SentAttempt:
    return matching.SentAttempt(
        claimed_at=_at(one.claimed_at),
        claimed_tick=one.claimed_tick,
        ended_at=_at(one.ended_at),
        ended_tick=one.ended_tick,
        proof_from=_at(max(one.ended_at, one.claimed_at + CALL)),
        span=CALL * GRACE,
    )


def _list_newcomers(state: State, number: int) -> list[matching.Newcomer]:
    """All of them, where the services read by bounds."""
    attempts = [one for row in state.requests for one in row.attempts]
    under_way = [one.claimed_tick for one in attempts if one.outcome == OUTCOME.SENDING]
    return [
        _describe_newcomer(at, one, is_in_flight=any(tick <= one.listed_tick for tick in under_way))
        for at, one in enumerate(state.machines)
        if one.listed_tick is not None and one.owner == NOBODY and one.made_for in (NOBODY, number)
    ]


@cache
def _describe_newcomer(at: int, one: Machine, *, is_in_flight: bool) -> matching.Newcomer:
    return matching.Newcomer(
        id=at,
        uid=f"{at}",
        type=one.type,
        workspace_uid=f"its own, {at}",
        started_at=_at(one.made_at),
        listed_tick=one.listed_tick,
        is_in_flight=is_in_flight,
        made_for=None if one.made_for == NOBODY else one.made_for,
    )


def _read_account(state: State, world: World) -> matching.AccountState:
    return matching.AccountState(
        now=NOW,
        steady_since=_at(state.steady_since if world.steps_are_seen else OLD),
        wait_unit=GRACE * 2 / matching.LONGEST_WAIT,  # people are asked after two graces, not after fifteen
        allowed_lag=GRACE,
        clock_offset=timedelta(),
        scans=[_describe_scan(at, one) for at, one in enumerate(state.scans)],
        walked_tick=state.tick,
        documented_types=TYPES,
        assignments=list(_list_assignments(state)),
        is_shared=state.is_shared,
        is_paused=state.is_paused,
    )


@cache
def _describe_scan(at: int, one: Scan) -> models.Scan:
    return models.Scan(pk=at, **{**one._asdict(), "begun_at": _at(one.begun_at)})


def _list_assignments(state: State) -> Iterator[matching.Assignment]:
    """What was given away without proof."""
    for one in state.machines:
        attempts = state.requests[one.owner].attempts if one.owner >= 0 else ()
        unknown = [attempt.claimed_tick for attempt in attempts if attempt.outcome == OUTCOME.UNKNOWN]
        if unknown and not any(attempt.outcome == OUTCOME.SUCCEEDED for attempt in attempts):
            asked, listed = state.requests[one.owner].type, one.listed_tick or 0
            yield matching.Assignment(type=one.type, listed_tick=listed, asked_type=asked, claimed_tick=unknown[0])


def _at(time: int) -> datetime:
    return NOW + time * GRACE


# --- Other people, operators, time ---


def _surroundings(state: State, world: World) -> Iterator[Step]:
    if sum(one.by == STRANGER for one in state.machines) < world.strangers:
        for at in world.strangers_at:
            made = Machine(by=STRANGER, type=world.types[0], made_at=at)
            yield "a stranger makes one", state._replace(machines=(*state.machines, made))
    if world.pauses:
        yield "sending stops, or goes on", state._replace(is_paused=not state.is_paused)
    if world.clock_steps:
        yield "the clock steps ahead", _age(state, 1)._replace(steady_since=0)
    yield "a grace passes", _pass_time(_age(state, 1), world)


def _age(state: State, graces: int) -> State:
    """All that was noted is as much longer ago."""

    def age(time: int) -> int:
        return time if abs(time) > -OLD else max(OLD, time - graces)

    rows = [
        [one._replace(claimed_at=age(one.claimed_at), ended_at=age(one.ended_at)) for one in row.attempts]
        for row in state.requests
    ]
    return state._replace(
        requests=tuple(row._replace(attempts=tuple(new)) for row, new in zip(state.requests, rows, strict=True)),
        machines=tuple(one._replace(made_at=age(one.made_at)) for one in state.machines),
        scans=tuple(one._replace(begun_at=age(one.begun_at)) for one in state.scans),
        steady_since=age(state.steady_since),
    )


def _pass_time(state: State, world: World) -> State:
    state = state._replace(machines=tuple(one._replace(is_young=False) for one in state.machines))
    for number, row in enumerate(state.requests):
        for place, one in enumerate(row.attempts):
            if one.call == OPEN and one.claimed_at <= -CALL and world.calls_end_by_their_deadline:
                state = _change_attempt(state, number, place, call=OVER)
    return state


# --- What must never be ---


def find_violation(before: State, state: State) -> str:
    for number, (old, new) in enumerate(zip(before.requests, state.requests, strict=True)):
        is_sent_again = state.lapses and old.status == STATUS.UNKNOWN and new.status in (STATUS.QUEUED, STATUS.FAILED)
        if is_sent_again and not old.note and any(one.by == number and one.owner == NOBODY for one in state.machines):
            return "what was made counts as not created"
        if any(
            one.outcome == OUTCOME.SENDING and now.late for one, now in zip(old.attempts, new.attempts, strict=False)
        ):
            return "what another was given was under way"
    if state.machines is before.machines:
        return ""
    for kind in {row.type for row in state.requests}:
        asked = sum(1 + row.words for row in state.requests if row.type == kind)
        if sum(one.by >= 0 and one.type == kind for one in state.machines) > asked:
            return "more were bought than people asked for"
    if any(number > 1 for owner, number in Counter(one.owner for one in state.machines).items() if owner >= 0):
        return "a request was given two"
    if any(one.by == STRANGER and one.owner != NOBODY for one in state.machines):
        return "somebody else's was given away"
    return ""


def is_over(state: State) -> bool:
    return all(row.status in FINAL for row in state.requests)


def is_asked(state: State) -> bool:
    return any(row.note for row in state.requests)


# --- Changing a state ---


def _put(rows: tuple[Any, ...], at: int, **values: Any) -> tuple[Any, ...]:
    return (*rows[:at], rows[at]._replace(**values), *rows[at + 1 :])


def _change(state: State, number: int, **values: Any) -> State:
    return state._replace(requests=_put(state.requests, number, **values))


def _move(state: State, number: int, status: str, tick: int | None = None, **values: Any) -> State:
    models.check_transition(before=state.requests[number].status, after=status)
    after = _change(state, number, status=status, note="", **values)
    return after if tick is None else after._replace(tick=tick)


def _change_attempt(state: State, number: int, place: int, **values: Any) -> State:
    return _change(state, number, attempts=_put(state.requests[number].attempts, place, **values))


def _change_machine(state: State, at: int, **values: Any) -> State:
    return state._replace(machines=_put(state.machines, at, **values))


def _give(state: State, at: int, number: int) -> State:
    return _move(_change_machine(state, at, owner=number), number, STATUS.SUCCEEDED)
