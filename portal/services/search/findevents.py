"""Finds events by what an auditor is looking for, in a record of ten million as fast as in one of a thousand.

A search has four ways in, each with an index: who did it, what it was done to, the HTTP request, and the reasons that
people gave, which are few. Verbs narrow them, and so do people and a request that are named beside them; without words
these are ways in themselves. The newest of each way are merged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from portal import models
from portal.services.search import finding, periods

# What is named in events that belong to no request; those of a request are found by its number.
_KINDS = ("key", "account", "user", "group", "workstation", "workspace", "notice")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is looked for; all of it must fit. `people` are names of which one did it, `verbs` are those of which one
    was done, `number` is the request's. `by_person`: whether a person did it, or the portal itself; None: either."""

    words: Sequence[str] = ()
    people: Sequence[str] = ()
    verbs: Sequence[str] = ()
    by_person: bool | None = None
    number: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class _Way:
    """A condition that an index answers, with its value, and the order in which that gives its newest or oldest."""

    condition: str
    value: Any
    order: str = "e.id {onwards}"


def find_events(*, asked: Asked, verbs: Sequence[str], part: finding.Slice) -> list[int]:
    """Ids of events that fit all of it, in the order of the part; a word of `verbs` is what was done.

    Other words are a person's name, the name of what it was done to, an HTTP request's id, or a part of the reason.
    """
    chosen = sorted({word for word in asked.words if word in verbs})
    ways = [] if asked.number is None else [[_be("request_number", asked.number)]]
    ways += [[_be("actor_name", name) for name in asked.people]] if asked.people else []
    ways += [_list_ways(word) for word in asked.words if word not in verbs] + [[_be("verb", verb)] for verb in chosen]
    ways += [[_be("verb", verb) for verb in asked.verbs]] if asked.verbs else []
    if not ways:
        return []
    period, values = _bound(asked, part)
    narrow = [*period, *(f"({' OR '.join(way.condition for way in other)})" for other in ways[1:])]
    values += [way.value for other in ways[1:] for way in other]
    return _merge(ways[0], narrow=" AND ".join(narrow), values=values, part=part)


def _bound(asked: Asked, part: finding.Slice) -> tuple[list[str], list[Any]]:
    """By id, which is the order of the indexes; by time, for the ids of a period have a few others beside them; and by
    who did it."""
    above, below = periods.find_bounds(model=models.Event, column="at", since=asked.since, until=asked.until)
    conditions, values = ["e.id > %s", "e.id < %s"], list[Any]([max(above, part.above), min(below, part.below)])
    for condition, moment in (("e.at >= %s", asked.since), ("e.at < %s", asked.until)):
        if moment is not None:
            conditions.append(condition)
            values.append(connection.ops.adapt_datetimefield_value(moment))
    if asked.by_person is not None:
        conditions.append(f"e.actor_id IS {'NOT ' if asked.by_person else ''}NULL")
    return conditions, values


def _merge(ways: list[_Way], *, narrow: str, values: list[Any], part: finding.Slice) -> list[int]:
    directions = {"onwards": part.order, "back": "ASC" if part.newest_first else "DESC"}
    each = [
        f"SELECT id FROM (SELECT e.id FROM portal_event e WHERE {way.condition} AND {narrow}"  # noqa: S608 (no values)
        f" ORDER BY {way.order.format(**directions)} LIMIT %s) AS way"
        for way in ways
    ]
    statement = f"SELECT id FROM ({' UNION '.join(each)}) AS found ORDER BY id {part.order} LIMIT %s"  # noqa: S608
    given = [value for way in ways for value in (way.value, *values, part.limit)]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*given, part.limit])
        return [number for (number,) in cursor.fetchall()]


def _list_ways(word: str) -> list[_Way]:
    """The ways in to events with the word: one of them fits each that has it."""
    names = [word, *models.User.objects.filter(username__iexact=word).values_list("username", flat=True)[:5]]
    pattern = f"%{connection.ops.prep_for_like_query(word)}%"
    # What the indexes of http_request and reason leave out is said as they say it.
    return [
        *(_be("actor_name", name) for name in dict.fromkeys(names)),
        *(_be("target", target) for target in (word, *(f"{kind} {word}" for kind in _KINDS))),
        _be("http_request", word, also="NOT (e.http_request = '') AND "),
        _Way(condition="NOT (e.reason = '') AND upper(e.reason) LIKE upper(%s) ESCAPE '\\'", value=pattern),
    ]


def _be(column: str, value: str | int, *, also: str = "") -> _Way:
    # PostgreSQL must not know that it is one value alone: it would order by the number alone, for which it may take
    # another index and walk past all that do not fit.
    return _Way(
        condition=f"{also}e.{column} IN (%s, NULL)", value=value, order=f"e.{column} {{back}}, e.id {{onwards}}"
    )
