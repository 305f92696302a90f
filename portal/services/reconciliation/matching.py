"""Decides what became of a request whose outcome is unknown, from what scans of the provider's lists showed.

Everything here is pure: values in, a decision out. Both decisions are strict. A workstation is adopted only on an
exact fit, because the wrong one would show a person somebody else's work. A request counts as not created only if no
workstation could possibly be its own, because one that is sent again while its workstation runs is bought twice.
docs/decisions/0004-absence-needs-a-witness.md has the rules and their reasons.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from portal import models
from portal.services.requests import notes

_SLACK = timedelta(seconds=2)  # of clocks that are being adjusted, not stepped
_LEAST_EARLY = timedelta(seconds=2)  # a Date header has whole seconds, and was written before it came
LONGEST_WAIT = 15  # times PORTAL_RECONCILE_GRACE, which is a minute


@dataclass(frozen=True, kw_only=True)
class SentAttempt:
    """An attempt whose outcome is unknown."""

    claimed_at: datetime
    claimed_tick: int
    ended_at: datetime
    ended_tick: int
    proof_from: datetime  # from when on the provider is done with it
    span: timedelta  # how long after the claim that may be: waited for anew where the clock has stepped since
    scanned_at: datetime | None = None  # when a first scan after its end began, by a clock that has stepped back since


@dataclass(frozen=True, kw_only=True)
class Unresolved:
    """A request of which at least one attempt has an unknown outcome."""

    number: int
    type: str
    workspace_uid: str
    attempts: Sequence[SentAttempt]  # those of unknown outcome, oldest first
    obstacle: str = ""  # why nobody but a person may decide that nothing was created; empty where the scans may
    alike: int = 1  # how many attempts of unknown outcome ask for the same
    may_be_sent: bool = True  # once it is taken as not created


@dataclass(frozen=True, kw_only=True)
class Newcomer:
    """A workstation that no request owns and that is not foreign."""

    id: int
    uid: str
    type: str
    workspace_uid: str | None
    workspace_tick: int | None = None  # at which a scan first listed another workstation in its workspace, if any did
    is_workspace_taken: bool = False  # somebody owns the workspace, or has named it
    started_at: datetime | None = None
    listed_tick: int | None = None
    is_nameless: bool = False  # its ID cannot be kept
    is_in_flight: bool = False  # a call under way may have created it
    must_confirm: bool = False  # an operator has to confirm whose it is
    is_open: bool = True  # nobody has said whose it is
    made_for: int | None = None  # the request for which a late response named it

    def concerns(self, unresolved: Unresolved) -> bool:
        """Whether it may be given to the request: open, or named for it."""
        return self.is_open or self.made_for == unresolved.number


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A workstation that was given to a request without proof: another's call may have made it."""

    type: str
    listed_tick: int
    asked_type: str
    claimed_tick: int  # of the request's first attempt of unknown outcome


@dataclass(frozen=True, kw_only=True)
class AccountState:
    """What is known of the account at this moment, by the database's clock."""

    now: datetime
    steady_since: datetime  # when that clock was last seen to step, or this process began to watch it
    wait_unit: timedelta  # what all waits are multiples of: a minute, in a rehearsal less
    allowed_lag: timedelta  # how long the provider's lists may lag: as long, or longer where they do
    clock_offset: timedelta | None  # by which the provider's startedAt is ahead; None where nothing shows it
    scans: Sequence[models.Scan]
    walked_tick: int  # of the end of the last scan that read all that it was to read
    documented_types: frozenset[str]  # those that cannot be taken for one another
    assignments: Sequence[Assignment] = ()  # of what was listed since the oldest unknown attempt
    has_no_lists: bool = False
    has_left_out: bool = False  # the lists lack what runs
    is_shared: bool = False
    is_paused: bool = False  # what is taken as not created could not be sent at once

    @property
    def longest_wait(self) -> timedelta:
        """A quarter of an hour: people are asked, or a scan that shows something older of ours is believed."""
        return LONGEST_WAIT * self.wait_unit

    @property
    def early(self) -> timedelta:
        """How much the provider's clock may be behind its own Date header."""
        return max(self.wait_unit / 2, _LEAST_EARLY)

    @property
    def wide(self) -> timedelta:
        """The tolerance where the provider sends no Date."""
        return 10 * self.wait_unit

    def measure(self, *, sent: SentAttempt, until: datetime) -> timedelta:
        """For how long the provider has certainly been done with an attempt: a step of the clock begins that anew."""
        # What is in the future was written before the clock stepped back, and shows nothing but that.
        latest = self.now + _SLACK
        since = [self.steady_since + sent.span]
        if sent.claimed_at <= latest:
            since.append(sent.proof_from if sent.ended_at <= latest else sent.claimed_at + sent.span)
        elif sent.ended_at <= latest:
            since.append(sent.ended_at)
        return until - max(since)

    @property
    def scans_in_order(self) -> Sequence[models.Scan]:
        """The scans, newest first, without those that began before the clock stepped back."""
        latest, kept = self.now + _SLACK, []
        for scan in sorted(self.scans, key=lambda scan: scan.id, reverse=True):
            if scan.begun_at <= latest:
                latest = scan.begun_at
                kept.append(scan)
        return kept


class Verdict(Enum):
    FOUND = "found"
    NOT_CREATED = "not created"
    ASK = "ask"
    WAIT = "wait"


@dataclass(frozen=True, kw_only=True)
class Decision:
    verdict: Verdict
    note: str = ""  # where a person is asked
    newcomer: Newcomer | None = None  # where one was found


def decide(*, unresolved: Unresolved, newcomers: Sequence[Newcomer], state: AccountState) -> Decision:
    """What is to become of an unresolved request, by what is known now. Pure: the protocol's machine calls it too."""
    if named := next((one for one in newcomers if one.made_for == unresolved.number), None):
        return Decision(verdict=Verdict.FOUND, newcomer=named)
    if unresolved.obstacle == notes.OTHERS:
        return _ask(notes.OTHERS)
    fitting = [one for one in newcomers if _fits(unresolved, newcomer=one, state=state)]
    if fitting:
        if any((one.listed_tick or 0) > state.walked_tick for one in fitting):
            return Decision(verdict=Verdict.WAIT)  # later pages may show more that fit
        # Whoever was claimed later can have made what was listed later, and may find nothing else.
        found = min(fitting, key=lambda one: (one.listed_tick, one.started_at, one.id))
        # Of more than were sent, at least one is a stranger's.
        if found.must_confirm or state.is_shared or len(fitting) > unresolved.alike:
            return _ask(notes.CONFIRM)
        return Decision(verdict=Verdict.FOUND, newcomer=found)
    if state.has_no_lists:
        return _ask(notes.NO_LISTS)
    possible = list_possible(unresolved=unresolved, newcomers=newcomers, state=state)
    if possible:
        # A scan that has not ended may show more of it; what none ever lists is not waited for for ever.
        is_early = not _is_overdue(unresolved.attempts[-1], state=state)
        may_fit = all(is_early if one.listed_tick is None else one.is_in_flight for one in possible)
        return Decision(verdict=Verdict.WAIT) if may_fit else _ask(notes.NEWCOMER)
    return _judge_absence(unresolved, state=state)


def list_possible(*, unresolved: Unresolved, newcomers: Sequence[Newcomer], state: AccountState) -> list[Newcomer]:
    """Those that could be the request's in the widest reading: any workspace, and a type nobody knows.

    Also what a request may have made that was given what this one may have made.
    """
    # Not by when it started: either clock may have stepped since, and a scan before the claim would have listed it.
    makers = _trace_makers(unresolved, state=state) if newcomers else {}
    return [one for one in newcomers if _may_have_made(makers, type=one.type, listed_tick=one.listed_tick, state=state)]


def is_within(*, started_at: datetime | None, since: datetime, until: datetime, state: AccountState) -> bool:
    """Whether something may have started between two moments, by the provider's clock; without a time it may."""
    if started_at is None:
        return True
    moment = started_at - (state.clock_offset or timedelta())
    slack = state.wide if state.clock_offset is None else state.early
    return since - slack <= moment <= until + slack


def _trace_makers(unresolved: Unresolved, *, state: AccountState) -> Mapping[str, int]:
    """The first claims, by type, of the request and of all with which it may have changed workstations."""
    makers: dict[str, int] = {}
    reached = {unresolved.type: unresolved.attempts[0].claimed_tick}
    while makers != reached:
        makers = dict(reached)
        for one in state.assignments:
            if _may_have_made(makers, type=one.type, listed_tick=one.listed_tick, state=state):
                reached[one.asked_type] = min(one.claimed_tick, reached.get(one.asked_type, one.claimed_tick))
    return makers


def _may_have_made(makers: Mapping[str, int], *, type: str, listed_tick: int | None, state: AccountState) -> bool:
    return any(
        (listed_tick is None or listed_tick > claimed_tick)
        and (type == asked or not {type, asked} <= state.documented_types)
        for asked, claimed_tick in makers.items()
    )


def _fits(unresolved: Unresolved, *, newcomer: Newcomer, state: AccountState) -> bool:
    """Whether the workstation is of the request, or of one that is just like it, and of no other."""
    uid = newcomer.workspace_uid
    is_known = uid is not None and not (newcomer.is_in_flight or newcomer.is_nameless or newcomer.made_for)
    is_in_place = uid == unresolved.workspace_uid if unresolved.workspace_uid else not newcomer.is_workspace_taken
    return (
        is_known
        and is_in_place
        and newcomer.type == unresolved.type
        and any(_fits_attempt(unresolved, sent=sent, newcomer=newcomer, state=state) for sent in unresolved.attempts)
    )


def _fits_attempt(unresolved: Unresolved, *, sent: SentAttempt, newcomer: Newcomer, state: AccountState) -> bool:
    if newcomer.listed_tick is None or newcomer.listed_tick <= sent.claimed_tick or newcomer.started_at is None:
        return False
    was_known = newcomer.workspace_tick is not None and newcomer.workspace_tick <= sent.claimed_tick
    if not unresolved.workspace_uid and was_known:
        return False
    offset = state.clock_offset
    early, late = (state.wide, state.wide) if offset is None else (state.early, state.allowed_lag)
    started_at = newcomer.started_at - (offset or timedelta())
    return sent.claimed_at - early <= started_at <= sent.ended_at + late


def _judge_absence(unresolved: Unresolved, *, state: AccountState) -> Decision:
    last_sent = unresolved.attempts[-1]
    # Each scan had to begin when the provider was done with the attempt and whatever its lists lag had passed.
    proving = [
        scan
        for scan in state.scans_in_order
        if scan.begun_tick >= last_sent.ended_tick
        and state.measure(sent=last_sent, until=scan.begun_at) >= state.allowed_lag
    ]
    if len(proving) < 2:
        why = notes.LEFT_OUT if state.has_left_out else notes.NO_SCANS
        return _ask(why) if _is_overdue(last_sent, state=state) else Decision(verdict=Verdict.WAIT)
    if unresolved.obstacle:
        return _ask(unresolved.obstacle)
    newest, *earlier, _ = proving
    if not _is_believed(newest, sent=last_sent, state=state):
        return _ask(notes.NO_WITNESS)
    # It is sent at once: so one more grace has to pass in which the lists may still show what was made.
    has_lasted = any(
        newest.begun_at - scan.begun_at >= state.allowed_lag and _is_believed(scan, sent=last_sent, state=state)
        for scan in earlier
    )
    is_held_up = state.is_paused and unresolved.may_be_sent
    return Decision(verdict=Verdict.NOT_CREATED if has_lasted and not is_held_up else Verdict.WAIT)


def _is_overdue(sent: SentAttempt, *, state: AccountState) -> bool:
    """Whether people are asked. That is harmless: it waits neither for a steady clock, nor until one has caught up."""
    since = min(sent.proof_from, sent.ended_at + sent.span)
    if since > state.now and sent.scanned_at:
        since = sent.scanned_at
    return state.now >= since + state.longest_wait + state.allowed_lag


def _is_believed(scan: models.Scan, *, sent: SentAttempt, state: AccountState) -> bool:
    """Whether the scan shows a witness, or long after the attempt anything of ours."""
    is_late = state.measure(sent=sent, until=scan.begun_at) >= state.longest_wait
    return scan.witness_tick > sent.ended_tick or (is_late and scan.own_count > 0)


def _ask(note: str) -> Decision:
    return Decision(verdict=Verdict.ASK, note=note)
