"""What the audit log of a run tells of lives and limits: no end unannounced, early or told twice, no limit passed."""

import math
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from tests.chaos.told import Line

LIFETIMES = {"10s": 10.0, "20s": 20.0, "40s": 40.0}  # in seconds
MOST = 4  # that the member with a limit may have at once
MOST_OF_TEAM = 10  # that all may have together at first
SLACK = 0.6  # seconds: SQLite's clock, and what lies between a statement and its event
_OVER = ("released", "ended")


@dataclass(kw_only=True)
class _Life:
    begun: float = 0.0
    seconds: float = 0.0
    announced: float | None = None
    warnings: set[tuple[str, int]] = field(default_factory=set)


def find_faults(lines: Iterable[Line], *, steps: Collection[float]) -> list[str]:
    """`steps`: when the clock stepped; what no worker saw may make an end come sooner, but not unannounced."""
    lives: dict[int, _Life] = {}
    return [words for line in lines for words in _follow(line, lives.setdefault(line.request, _Life()), steps=steps)]


def _follow(line: Line, life: _Life, *, steps: Collection[float]) -> Iterable[str]:
    if line.detail.get("after") == "SUCCEEDED":
        life.begun, life.seconds = line.at - line.late, LIFETIMES.get(line.lifetime, 0.0)
        life.announced = None
    elif line.verb == "set-end":
        until = line.detail["after"]["ends_at"]
        life.seconds = (datetime.fromisoformat(until) - line.told_at).total_seconds() if until else 0.0
        life.begun, life.announced = line.at, None
    elif line.verb == "reopen":
        life.announced = None
    elif line.verb == "warn-end":
        warning = (line.detail["ends_at"], line.detail["warning"])
        if warning in life.warnings:
            yield f"the end of R-{line.request} was announced twice: {warning}"
        life.warnings.add(warning)
        life.announced = life.announced or line.at
    elif line.verb == "request-release" and line.is_portal:
        yield from _check_release(line, life, steps=steps)


def _check_release(line: Line, life: _Life, *, steps: Collection[float]) -> Iterable[str]:
    if life.announced is None or line.at - life.announced < life.seconds / 10 - SLACK:
        yield f"R-{line.request} was released without its announcement: {life}, at {line.at}"
    lived = line.at - life.begun
    if lived < life.seconds - SLACK and not any(life.begun <= step <= line.at for step in steps):
        yield f"R-{line.request} was released after {lived:.1f} of {life.seconds:.1f} s"


def find_kept(kept: Iterable[str], *, released: Collection[str]) -> list[str]:
    """What the provider was told to release though its end had been put off for good, whatever the database says."""
    return [f"{uid} was released, though its end had been put off" for uid in sorted(kept) if uid in released]


def count(lines: Iterable[Line]) -> Counter[str]:
    verbs = {"warn-end": "ends announced", "set-end": "ends changed", "request-release": "ends carried out"}
    return Counter(
        verbs[line.verb] for line in lines if line.verb in verbs and (line.is_portal or line.verb == "set-end")
    )


def find_passed(lines: Iterable[Line], *, most: int, member: str = "", until: float = math.inf) -> list[str]:
    """Submissions of the member, or else of anybody, that were one too many, by the order of events."""
    counted, passed = set[int](), list[str]()
    for line in lines:
        after = line.detail.get("after")
        if member not in ("", line.member) or line.at > until:
            continue
        if line.verb == "submit":
            if len(counted) >= most:
                passed.append(f"R-{line.request} of {line.member} was taken beside {sorted(counted)}")
            counted.add(line.request)
        elif after in ("FAILED", "CANCELLED") or line.verb in _OVER:
            counted.discard(line.request)
        elif line.verb == "reopen":
            counted.add(line.request)
    return passed
