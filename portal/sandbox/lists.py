"""The two lists: which workstations are on a page, and the cursors that lead on from it."""

import sqlite3
from functools import partial

from portal.sandbox import paging
from portal.sandbox.database import Database
from portal.sandbox.habits import Habits


def read_page(
    database: Database, habits: Habits, *, active: bool, window: paging.Window, limit: int, now: float
) -> tuple[list[sqlite3.Row], str | None, str | None]:
    """The workstations of a page of the active list or of the history, newest first, and the cursors to its neighbours:
    the next page and the previous one. The caller holds the database's lock."""
    if habits.pages_shift and window.older_than is None and window.newer_than is None:
        window = window.move_to(window.place or 0)

    select = partial(_select, database, habits, active=active, now=now)

    def write_cursor(part: paging.Window | None) -> str | None:
        """A cursor, if anything lies where it leads."""
        return paging.write_cursor(part) if part is not None and select(window=part, limit=1) else None

    rows = select(window=window, limit=limit)
    older = newer = None
    if rows and window.place is not None:
        older = window.move_to(window.place + len(rows))
    elif rows:
        older, newer = window.move_older(rows[-1]["sequence"]), window.move_newer(rows[0]["sequence"])
    follows = write_cursor(older)
    if follows is None and habits.endless:
        follows = paging.write_cursor(window.start_again())
    return rows, follows, write_cursor(newer)


def _select(
    database: Database, habits: Habits, *, active: bool, window: paging.Window, now: float, limit: int
) -> list[sqlite3.Row]:
    if habits.lists_empty:
        return []
    # Going towards newer ones, the page is the nearest, not the newest.
    way = "ASC" if window.newer_than is not None else "DESC"
    terms = _list_terms(habits, active=active, window=window, now=now)
    rows = database.all(
        f"SELECT * FROM workstations WHERE {' AND '.join(term for term, _ in terms)}"  # noqa: S608 - our own terms
        f" ORDER BY started_at {way}, sequence {way} LIMIT ? OFFSET ?",
        *(value for _, values in terms for value in values),
        limit,
        window.place or 0,
    )
    return rows if way == "DESC" else rows[::-1]


def _list_terms(
    habits: Habits, *, active: bool, window: paging.Window, now: float
) -> list[tuple[str, tuple[object, ...]]]:
    """The conditions for a page, each with its values."""
    terms: list[tuple[str, tuple[object, ...]]] = [
        ("listed_at <= ?", (now,)),
        ("started_at <= ?", (now - habits.shows_after,)),
        ("ends_at > ?", (now - habits.shows_ended_for,))
        if active
        else ("ends_at <= ?", (now - habits.history_shows_after,)),
    ]
    place = "(started_at, sequence) {} (SELECT started_at, sequence FROM workstations WHERE sequence = ?)"
    optional: list[tuple[str, float | None]] = [
        ("started_at < ?", None if window.before is None else window.before - habits.clock_off),
        ("started_at > ?", None if window.after is None else window.after - habits.clock_off),
        (place.format("<"), window.older_than),
        (place.format(">"), window.newer_than),
    ]
    terms += [(term, (value,)) for term, value in optional if value is not None]
    if habits.omit:
        terms.append((f"uid NOT IN ({', '.join('?' * len(habits.omit))})", tuple(habits.omit)))
    return terms
