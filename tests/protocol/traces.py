"""What a portal has done, replayed: each request's story, as the audit log tells it, has to be a path of the model.

`tests.chaos.stage.REPLAY` has `manage.py` do so with whatever database a run has left.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from portal import models
from portal.models.event import Verb
from tests.protocol import normal, requests
from tests.protocol.explore import Machine, explore
from tests.protocol.requests import OUTCOME, STATUS, World

ONE = World(sends=2, older=True)
TWO = World(types=("python", "python"), words=0, refusals=False, wishes=False)
# Each is explored only for what those before it do not have; in the last, lists lag for longer than the grace.
WORLDS = (ONE, TWO, replace(ONE, lists_keep_to_the_grace=False))

# What an event says, and the steps of the model that it may be.
STEPS: Mapping[str, tuple[str, ...]] = {
    Verb.CLAIM: ("R-1 is claimed",),
    "response SUCCEEDED": ("R-1 hears of its own",),
    "response FAILED": ("R-1 hears that it failed", "R-1 hears a refusal"),
    "response UNKNOWN": ("R-1 is given up", "R-1 hears of another's"),
    "late-response SUCCEEDED": ("R-1 hears late of its own",),
    "late-response FAILED": ("R-1 hears a late refusal",),
    Verb.DEADLINE_PASSED: ("R-1 is given up",),
    Verb.WORKER_DIED: ("R-1 is given up",),
    "reconcile found": ("R-1 is given what was found",),
    "reconcile not created": ("R-1 is not created",),
    Verb.NEEDS_REVIEW: ("R-1 is doubted", "a question about R-1 is asked, or lapses"),
    Verb.NOT_CREATED: ("a person says that R-1 made nothing",),
    Verb.CLOSE: ("a person closes R-1",),
    Verb.CANCEL: ("a person cancels R-1",),
    Verb.REQUEST_CANCEL: ("a person no longer wants R-1",),
}
# What the model leaves out on purpose, and where it may lead.
LEFT_OUT: Mapping[str, tuple[str, str]] = {
    Verb.GIVE_UP: ("QUEUED", "FAILED"),  # how long a request has waited is in no state
    Verb.REFUSE_WORKSPACE: ("QUEUED", "FAILED"),  # nor whose workspaces are
    Verb.ADOPT: ("QUEUED UNKNOWN", "SUCCEEDED"),  # an operator may know what no list shows
    Verb.RESTORED: ("QUEUED SENDING UNKNOWN", "UNKNOWN"),  # no database goes back
}
# What leaves the request alone: it is of its workstation, of what is noted about it, or says no more than silence.
IGNORED = {
    *(Verb.QUEUE_SLOW, Verb.NOTICE, Verb.EVIDENCE, Verb.REFUSED, "late-response UNKNOWN"),
    *(Verb.REQUEST_RELEASE, Verb.WITHDRAW_RELEASE, Verb.RELEASED, Verb.ENDED, Verb.MISSING, Verb.FOUND_AGAIN),
    *(Verb.SET_END, Verb.WARN_END, Verb.REOPEN, Verb.DISOWN, Verb.LEAVE_OUT, Verb.NAME_WORKSPACE),
    *(Verb.OPEN_CONNECTION, Verb.END_CONNECTION, Verb.PASS_ON, Verb.SHARE, Verb.END_SHARE),
}


class Seen(NamedTuple):
    """A state of the model as one request shows it."""

    status: str = STATUS.QUEUED
    last: str = ""  # the outcome of the last attempt
    is_open: bool = False  # an attempt may have made what nobody knows of
    is_unwanted: bool = False
    is_asked: bool = False
    has_workstation: bool = False


type Step = tuple[Seen, str, Seen]


class Entry(NamedTuple):
    """A workstation that a call for the request has made, by the provider's books. Both in seconds, by one clock."""

    uid: str
    made_at: float
    claimed_at: float


@dataclass(kw_only=True)
class Story:
    number: int
    events: list[tuple[models.Event, list[models.Change]]] = field(default_factory=list)
    attempts: list[models.Attempt] = field(default_factory=list)
    entries: Sequence[Entry] = ()

    def tell(self, finding: str) -> str:
        told = [
            f"  {event.pk} {event.verb} by {event.actor_name or 'the portal'}: {event.detail}"
            for event, _ in self.events
        ]
        told += [
            f"  attempt {one.number}: {one.outcome}, {one.claimed_tick} to {one.ended_tick}" for one in self.attempts
        ]
        return "\n".join([f"R-{self.number}: {finding}", *told, *(f"  provider: {entry}" for entry in self.entries)])


def project(state: requests.State) -> Seen:
    row = state.requests[0]
    return Seen(
        status=row.status,
        last=row.attempts[-1].outcome if row.attempts else "",
        is_open=bool(row.open_attempts),
        is_unwanted=row.is_unwanted and row.status not in requests.FINAL,
        is_asked=bool(row.note),
        has_workstation=any(one.owner == 0 for one in state.machines),
    )


def find_unknown(steps: set[Step]) -> set[Step]:
    """Those that the model does not have. It is explored only until all others are found."""
    missing = set(steps)
    for world in WORLDS:

        def list_steps(state: requests.State, world: World = world) -> Iterator[requests.Step]:
            for words, after in requests.list_steps(state, world) if missing else ():
                taken = project(state), project(after)
                missing.difference_update(
                    {(taken[0], said, taken[1]) for said, known in STEPS.items() if words in known}
                )
                yield words, after

        machine = Machine(
            first=requests.begin(world),
            list_steps=list_steps,
            find_violation=lambda *_: "",
            normalize=normal.normalize,
            is_over=requests.is_over,
            is_asked=requests.is_asked,
        )
        explore(machine)
    return missing


# --- What the audit log says ---


class Rows(dict[tuple[str, int], dict[str, Any]]):
    """The audited columns of the rows of one story, as they are after each event."""

    def apply(self, changes: Sequence[models.Change]) -> None:
        for one in changes:
            self.setdefault((one.kind, one.row_id), {}).update(
                {name: after for name, (_, after) in one.columns.items()}
            )

    def project(self, number: int, *, status: str = "") -> Seen:
        row = self.get(("request", number), {})
        status = status or row.get("status", "")
        outcomes = {pk: _simplify(one["outcome"]) for (kind, pk), one in self.items() if kind == "attempt"}
        late = {
            one["attempt_id"]: _simplify(one["outcome"]) for (kind, _), one in self.items() if kind == "late-response"
        }
        unknown = [
            pk for pk, outcome in outcomes.items() if outcome == OUTCOME.UNKNOWN and late.get(pk) != OUTCOME.FAILED
        ]
        owners = [one.get("request_id") for (kind, _), one in self.items() if kind == "workstation"]
        return Seen(
            status=status,
            last=[*outcomes.values()][-1] if outcomes else "",
            is_open=bool(unknown) and status in (STATUS.UNKNOWN, STATUS.QUEUED),
            is_unwanted=bool(row.get("cancel_requested_at")) and status not in requests.FINAL,
            is_asked=bool(row.get("operator_note")),
            has_workstation=number in owners and status == STATUS.SUCCEEDED,
        )


def _simplify(outcome: str) -> str:
    """What was not sent, was refused by nobody: the same follows."""
    return OUTCOME.FAILED if outcome == OUTCOME.NOT_SENT else outcome


def name_step(event: models.Event) -> str:
    said = event.detail.get("decision") if event.verb == Verb.RECONCILE else None
    if event.verb in (Verb.RESPONSE, Verb.LATE_RESPONSE):
        said = _simplify(event.detail["outcome"])
    return f"{event.verb} {said}" if said else event.verb


def read_steps(story: Story) -> Iterator[Step | str]:
    """The steps of its story, and in words what is none."""
    rows = Rows()
    for event, changes in story.events:
        before = rows.project(story.number)
        rows.apply(changes)
        after, name = rows.project(story.number), name_step(event)
        if isinstance(said := event.detail.get("after"), str) and name in STEPS and said != after.status:
            yield f"event {event.pk} says {said}, and what it changed {after.status}"
        if event.verb == Verb.SUBMIT:
            if after != Seen() or before.status:
                yield f"event {event.pk} begins with {after}"
        elif name in LEFT_OUT:
            if before.status not in LEFT_OUT[name][0].split() or after.status != LEFT_OUT[name][1]:
                yield f"event {event.pk}, {name}, leads from {before} to {after}"
        elif name not in STEPS:
            if name not in IGNORED or before != after:
                yield f"event {event.pk}, {name}, is nothing that the model knows"
        elif name.endswith(OUTCOME.FAILED) and not before.has_workstation and after.has_workstation:
            # What an earlier attempt was late to name is given to it at once.
            between = rows.project(story.number, status=STATUS.QUEUED)
            yield before, name, between
            yield between, "reconcile found", after
        else:
            yield before, name, after


# --- What ticks and the provider's books say ---


def find_disorder(story: Story, *, scans: Mapping[int, int], listed: Mapping[str, int | None]) -> Iterator[str]:
    """`scans`: the tick at which each began; `listed`: the one at which each workstation was first listed."""
    for one, following in zip(story.attempts, story.attempts[1:], strict=False):
        if one.ended_tick is None or not one.claimed_tick <= one.ended_tick < following.claimed_tick:
            yield f"attempt {following.number} was claimed before attempt {one.number} had ended"
    by_number = {one.number: one for one in story.attempts}
    for event, _ in story.events:
        name, detail = name_step(event), event.detail
        if name == "reconcile not created":
            ended = by_number[detail["attempt"]].ended_tick or 0
            if scans.get(detail["scan"], 0) < ended:
                yield f"event {event.pk} believes a scan that began before the attempt had ended"
        tick = listed.get(detail["workstation"]) if name == "reconcile found" else None
        unknown = [one.claimed_tick for one in story.attempts if one.outcome == OUTCOME.UNKNOWN]
        if tick is not None and tick <= min(unknown):
            yield f"event {event.pk} gives what was listed before the claim"
    allowed = 1 + sum(event.verb in (Verb.NOT_CREATED, Verb.RESTORED) for event, _ in story.events)
    if len(story.entries) > allowed:
        yield f"{len(story.entries)} were made for it"
    yield from (f"{one.uid} was made before its claim" for one in story.entries if one.made_at < one.claimed_at)


# --- Replaying ---


def read_stories(entries: Mapping[int, Sequence[Entry]]) -> list[Story]:
    numbers = models.Request.objects.order_by("pk").values_list("pk", flat=True)
    stories = {number: Story(number=number, entries=entries.get(number, ())) for number in numbers}
    changes = defaultdict[int, list[models.Change]](list)
    for change in models.Change.objects.order_by("event_id", "position").iterator():
        changes[change.event_id].append(change)
    for event in models.Event.objects.exclude(request_number=None).order_by("pk").iterator():
        if event.request_number in stories:
            stories[event.request_number].events.append((event, changes[event.pk]))
    for attempt in models.Attempt.objects.defer("response").order_by("number").iterator():
        stories[attempt.request_id].attempts.append(attempt)
    return [*stories.values()]


def find_entries(posts: Sequence[Mapping[str, Any]]) -> dict[int, list[Entry]]:
    """By the provider's record of POSTs, of those whose answer is stored."""
    made = {post["made"]: datetime.fromisoformat(post["time"]).timestamp() for post in posts if post["made"]}
    entries = defaultdict[int, list[Entry]](list)
    for station in models.Workstation.objects.filter(uid__in=made).exclude(request=None, made_for=None):
        number = station.request_id or station.made_for_id or 0
        first = models.Attempt.objects.filter(request=number).earliest("number")
        entries[number].append(Entry(station.uid, made[station.uid], first.claimed_at.timestamp()))
    return entries


def replay(stories: Sequence[Story]) -> tuple[int, list[str]]:
    """How many steps there were, and each request's story that is no path of the model."""
    scans = dict(models.Scan.objects.values_list("pk", "begun_tick"))
    listed = dict(models.Workstation.objects.values_list("uid", "listed_tick"))
    read = [(story, [*read_steps(story)]) for story in stories]
    unknown = find_unknown({step for _, steps in read for step in steps if not isinstance(step, str)})
    found = []
    for story, steps in read:
        wrong = [
            step if isinstance(step, str) else f"{step[1]} leads from {step[0]} to {step[2]}"
            for step in steps
            if isinstance(step, str) or step in unknown
        ]
        wrong += find_disorder(story, scans=scans, listed=listed)
        found += [story.tell("; ".join(wrong))] if wrong else []
    return sum(len(steps) for _, steps in read), found


def describe_traces(entries: Mapping[int, Sequence[Entry]]) -> tuple[str, list[str]]:
    """A line for the report of a run, and the stories that it must not have."""
    stories = read_stories(entries)
    steps, found = replay(stories)
    return f"traces {len(stories)} requests, {steps} steps, {len(found)} unknown", found


def print_traces() -> None:
    line, found = describe_traces({})
    print("\n".join([line, *found]))  # noqa: T201 (a command's own words)
