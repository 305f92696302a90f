"""An ID that comes again as a machine: the workstation that had it ends at the provider, and another is given it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

from portal import agentstation, models
from portal.services.mirrors import mirror

_STARTED = datetime(2026, 1, 1, tzinfo=UTC)
OURS, NOBODY, ANOTHER = "ours", "nobody", "another"


@dataclass(frozen=True, kw_only=True)
class World:
    # Assumption: in the same workspace another with the ID starts more than half a grace after the one that had it.
    starts_differ: bool = True


class State(NamedTuple):
    runs: str = OURS  # whose is what has the ID at the provider
    seconds: int = 0  # by which another started later
    is_elsewhere: bool = False  # in another workspace
    is_live: bool = True  # of ours in the database
    is_shown: bool = False  # a list or an answer has shown the other since
    is_wished: bool = False  # somebody asked for the release of ours
    is_claimed: bool = False


type Step = tuple[str, State]


def list_steps(state: State, world: World) -> Iterator[Step]:
    if state.runs == OURS:
        yield "ours ends", state._replace(runs=NOBODY)
    elif state.runs == NOBODY and state.is_live:
        for seconds, is_elsewhere in ((3600, False), (31, False), (2, True), *[(2, False)] * (not world.starts_differ)):
            another = state._replace(runs=ANOTHER, seconds=seconds, is_elsewhere=is_elsewhere)
            yield f"another gets its ID, {seconds} s later", another
        yield "ours is shown as ended", state._replace(is_live=False)
    elif state.is_live:
        is_live = _is_same(state.seconds, is_elsewhere=state.is_elsewhere) is not False
        yield "the other is shown", state._replace(is_live=is_live, is_shown=True)
    if state.is_live and not state.is_wished:
        yield "a person releases ours", state._replace(is_wished=True)
    if state.is_live and state.is_wished and not state.is_claimed:
        yield "the release is claimed", state._replace(is_claimed=True)
    if state.is_claimed:  # `_may_still_send` asks again before its first byte
        sent = State(runs=NOBODY, is_live=False) if state.is_live else state
        yield "the release is sent", sent._replace(is_claimed=False)


@cache
def _is_same(seconds: int, *, is_elsewhere: bool) -> bool | None:
    started = (_STARTED + timedelta(seconds=seconds)).isoformat()
    entry = {"id": "one", "startedAt": started, "workspace": {"id": "elsewhere" if is_elsewhere else "here"}}
    stored = models.Workstation(uid="one", created_at=_STARTED, workspace=models.Workspace(uid="here"))
    return mirror.is_same(stored=stored, entry=agentstation.Workstation.from_dict(entry))


def find_violation(before: State, after: State) -> str:
    was_ended = before.runs == ANOTHER and after.runs != ANOTHER
    return "another's was released, though it had been shown" if was_ended and before.is_shown else ""


def is_over(state: State) -> bool:
    return not state.is_live


def is_asked(state: State) -> bool:
    return state.is_live and not state.is_wished
