"""Requests whose outcome was unknown: how long, and whether it took a person."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.chaos import clocks

type Line = tuple[int, datetime, int | None, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """One time; `seconds`: until it was known, None where it still is not; `by_person`: somebody decided; `is_found`: a
    workstation was made."""

    request: int
    seconds: float | None
    by_person: bool
    is_found: bool = False


def follow(lines: Iterable[Line], *, clock: clocks.Clock) -> list[Unknown]:
    begun: dict[int, float] = {}
    found, now = [], -math.inf
    for request, at, actor, detail in lines:
        now = clock.locate(at.timestamp(), after=now)
        before, after = detail.get("before"), detail.get("after")
        if before == "UNKNOWN" != after and request in begun:
            seconds, is_found = now - begun.pop(request), after == "SUCCEEDED"
            found.append(Unknown(request=request, seconds=seconds, by_person=actor is not None, is_found=is_found))
        if after == "UNKNOWN":
            begun[request] = now
    return found + [Unknown(request=request, seconds=None, by_person=False) for request in begun]


def describe(unknowns: list[Unknown], *, asked: frozenset[int]) -> dict[str, str]:
    """The share that needed a person, and the time until the others were known. `asked`: left to a person."""
    by_itself = [unknown for unknown in unknowns if unknown.seconds is not None and not unknown.by_person]
    known = sorted(unknown.seconds for unknown in by_itself if unknown.seconds is not None)
    found = sum(unknown.is_found for unknown in by_itself)
    needed = sum(unknown.by_person or (unknown.seconds is None and unknown.request in asked) for unknown in unknowns)
    share = f"{needed} of {len(unknowns)}" + (f" ({needed / len(unknowns):.1%})" if unknowns else "")
    if not known:
        return {"unknown ones that needed a person": share}
    times = (known[len(known) // 2], known[len(known) * 9 // 10], known[-1])
    return {
        "unknown ones that needed a person": share,
        "the others": f"{found} found, {len(known) - found} not created",
        "the others were known after": "{:.1f} s (median), {:.1f} s (9 of 10), {:.1f} s (all)".format(*times),
    }
