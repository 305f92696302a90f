"""What the audit log tells of a run beside the books: pauses, keys that were refused, and ends that were taken back."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.chaos import books, clocks, habits

# So long after a step of the clock, workers that live seem not to have been seen lately.
BLIND = 10.0
FAILED_IN_A_ROW = 3
_COUNTED = {
    "worker-died": "calls of dead workers that were looked for at once",
    "withdraw-key": "keys that were no longer accepted",
    "reopen": "ends that were taken back",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """An event. `fingerprint`: of the key that the call had whose answer led to it."""

    at: float
    verb: str
    target: str
    detail: dict[str, Any]
    fingerprint: str = ""


def read_lines(rows: Iterable[Any], *, refused: Iterable[tuple[int, datetime, str]], clock: clocks.Clock) -> list[Line]:
    """The events in their order, by the real clock. `refused`: request, end and fingerprint of calls that were."""
    lines: list[Line] = []
    calls = [*refused]
    for row in rows:
        at = clock.locate(row.at.timestamp(), after=lines[-1].at if lines else float("-inf"))
        of_request = [
            (abs(ended - row.at), used) for number, ended, used in calls if number == row.detail.get("request")
        ]
        used = min(of_request)[1] if of_request else ""
        lines.append(Line(at=at, verb=row.verb, target=row.target, detail=row.detail, fingerprint=used))
    return lines


def count(lines: Iterable[Line]) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in lines:
        if line.verb == "pause":
            found[f"paused: {line.detail['cause']}"] += 1
        elif line.verb in _COUNTED:
            found[_COUNTED[line.verb]] += 1
    return found


def list_reopened(lines: Iterable[Line]) -> list[tuple[str, float]]:
    return [(line.target.rpartition(" ")[2], line.at) for line in lines if line.verb == "reopen"]


def find_burnt(contents: books.Books, *, pauses: int, bursts: int) -> list[str]:
    """Requests that failed by refusals that are not documented: three fail, then all others wait."""
    refused = {one.request for one in contents.attempts if one.answered in habits.UNDOCUMENTED}
    failed = [row.number for row in contents.requests if row.status == "FAILED" and row.number in refused]
    most = FAILED_IN_A_ROW * (pauses + bursts)
    return [f"{len(failed)} failed in {bursts} bursts and {pauses} pauses: {failed}"] if len(failed) > most else []


def find_stops(lines: Iterable[Line], *, first: str, steps: Iterable[float]) -> list[str]:
    """Pauses for a former key that was refused, though the account's first was accepted, whose workers always live.

    `steps`: when clocks stepped: which workers live is then not known for a moment.
    """
    accepted, found = {first}, []
    for line in lines:
        if line.verb in ("confirm-key", "withdraw-key"):
            accepted = set(line.detail["after"])
        is_refused = line.verb == "pause" and line.detail["cause"] == "401" and line.fingerprint not in ("", first)
        if is_refused and first in accepted and not any(0 <= line.at - step <= BLIND for step in steps):
            found.append(f"{line.fingerprint} was refused, and all waited, though {first} is accepted")
    return found


# --- Requests whose outcome was unknown: how long, and whether it took a person ---

type Change = tuple[int, datetime, int | None, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """One time; `seconds`: until it was known, None where it still is not; `by_person`: somebody decided; `is_found`: a
    workstation was made."""

    request: int
    seconds: float | None
    by_person: bool
    is_found: bool = False


def follow_unknowns(lines: Iterable[Change], *, clock: clocks.Clock) -> list[Unknown]:
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


def describe_unknowns(unknowns: list[Unknown], *, asked: frozenset[int]) -> dict[str, str]:
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
