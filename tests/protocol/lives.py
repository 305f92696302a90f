"""The end of a workstation as a machine: announced, put off, carried out; with a database that goes back, and steps of
its clock. Times are in fifths of the half hour in which an end is announced: the last announcement is one before it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

from portal import models
from portal.db import places
from portal.services.key import database_moved, databases
from portal.services.lives import carrying_out

_UNIT = timedelta(minutes=5)
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_LIFE = 10  # of which a tenth is the last announcement's
_FAR, _PAST = 4, -2  # units: nothing is decided by what is beyond
_FIRST = 6
_PLACE = places.Place(name="here", timeline=1)


@dataclass(frozen=True, kw_only=True)
class World:
    database_goes_back: bool = True
    clock_steps: bool = True
    # Assumptions
    losses_are_seen: bool = True  # a process has looked at the database since what is lost was decided
    memory_is_kept: bool = True  # by a process that lives on, or in SQLite's file


class Row(NamedTuple):
    """What the database has: units until the end by its clock, and what was announced."""

    left: int | None = _FAR
    warnings: int = 0
    seen: int = 0
    release: str = ""  # "its end", or "wish"
    tick: int = 0


class State(NamedTuple):
    row: Row = Row()
    backup: Row = Row()
    runs: bool = True
    remembered: int = 0  # the tick that a process has seen
    is_doubted: bool = False  # until an operator says what became of the database
    is_claimed: bool = False  # a release was claimed and is not sent yet
    # What is so, whatever the database says.
    wished_left: int | None = _FAR  # until the end that people were told last
    is_unwanted: bool = False  # somebody asked for its release
    promised: int | None = None  # units that have passed since the last announcement of this end


type Step = tuple[str, State]


def list_steps(state: State, world: World) -> Iterator[Step]:
    if not state.runs:
        return
    yield from _portal(state)
    yield from _people(state)
    yield from _surroundings(state, world)


def find_violation(before: State, after: State) -> str:
    if after.runs or not before.runs or before.is_unwanted:
        return ""
    if before.wished_left is None or before.wished_left > 0:
        return "what was put off, or was to run on, was ended"
    return "" if before.promised else "it was ended before the time that its last announcement gives"


def is_over(state: State) -> bool:
    return not state.runs


def is_asked(state: State) -> bool:
    """Of what has no end its owner is asked, from a day on."""
    return state.is_doubted or (state.row.left is None and not state.row.release)


@cache
def _describe(row: Row) -> carrying_out.End:
    return carrying_out.End(
        at=_NOW + (row.left or 0) * _UNIT, life=_LIFE * _UNIT, warnings=row.warnings, seen=row.seen * _UNIT
    )


@cache
def _finds_change(tick: int, remembered: int, *, is_young: bool) -> bool:
    row = models.Database(identity="one", place="here", timeline=1)
    memory = None if is_young else databases.Memory(identity="one", timeline=1)
    return bool(database_moved.find_change(row=row, place=_PLACE, tick=tick, memory=memory, seen=remembered))


def _portal(state: State) -> Iterator[Step]:
    """A round of the job, and the sender; nothing leaves while the database is in doubt."""
    row = state.row
    if _finds_change(row.tick, state.remembered, is_young=state.remembered < 0):
        if not state.is_doubted:
            yield "the loss is seen", state._replace(is_doubted=True)
        return
    if state.is_doubted:
        return
    seen = state._replace(remembered=row.tick)
    if row.left is not None and not row.release:
        end = _describe(row)
        if (warnings := end.count_warnings(now=_NOW)) > row.warnings:
            later = end.postpone(now=_NOW)
            left = row.left if later is None else (later - _NOW) // _UNIT
            announced = row._replace(warnings=warnings, seen=0, left=left)
            promised = 0 if warnings == 2 else None
            after = seen._replace(row=announced, promised=promised, wished_left=left)
            yield f"the end is announced ({warnings})", after
        elif end.is_over(now=_NOW):
            yield "the end is carried out", seen._replace(row=row._replace(release="its end"))
    if row.release and not state.is_claimed:
        yield "the release is claimed", seen._replace(is_claimed=True)
    if state.is_claimed:
        yield "the release is sent", seen._replace(is_claimed=False, runs=False)
        yield "the release is not answered", seen._replace(is_claimed=False)


def _people(state: State) -> Iterator[Step]:
    row, tick = state.row, min(state.row.tick + 1, 2)
    is_kept = row.release == "its end" and not state.is_claimed
    if not row.release or is_kept:
        for words, left in (("a person puts the end off", _FAR), ("a person takes the end away", None)):
            later = Row(left=left, tick=tick)
            yield words, state._replace(row=later, wished_left=left, promised=None)
    if not row.release:
        asked = row._replace(release="wish", tick=tick)
        yield "a person releases it", state._replace(row=asked, is_unwanted=True)
    if state.is_doubted:
        # Put back: nothing ends within half an hour, and all is announced anew.
        release = row.release if row.release == "wish" else ""
        left = None if row.left is None else max(row.left, _FIRST)
        again = row._replace(warnings=0, seen=0, release=release, left=left, tick=2)
        after = state._replace(row=again, is_doubted=False, remembered=2, wished_left=left, promised=None)
        yield "an operator says that it was put back", after._replace(is_unwanted=release == "wish")


def _surroundings(state: State, world: World) -> Iterator[Step]:
    row = state.row
    yield "time passes", _pass_time(state)
    young = -1 if not world.memory_is_kept else state.remembered
    yield "the worker starts anew", state._replace(remembered=young, is_claimed=False)
    if row.tick == 0 and state.backup != row:
        yield "a backup is made", state._replace(backup=row)
    was_seen = state.remembered == row.tick or not world.losses_are_seen
    if world.database_goes_back and row != state.backup and was_seen and not state.is_doubted:
        yield "the database goes back", state._replace(row=state.backup, is_claimed=False)
    if world.clock_steps and row.left is not None:
        # A job that watches the clock adds the step; one that begins after it does not know of it.
        ahead = row._replace(left=max(_PAST, row.left - 2))
        yield "the clock steps unseen", state._replace(row=ahead)


def _pass_time(state: State) -> State:
    row = state.row
    left = row.left if row.left is None else max(_PAST, row.left - 1)
    seen = min(1, row.seen + 1) if row.warnings == 2 else 0
    wished = state.wished_left if state.wished_left is None else max(_PAST, state.wished_left - 1)
    backup = state.backup._replace(left=state.backup.left and max(_PAST, state.backup.left - 1))
    promised = None if state.promised is None else 1
    return state._replace(row=row._replace(left=left, seen=seen), backup=backup, wished_left=wished, promised=promised)
