"""What the audit log tells of a run beside the books: pauses, keys that were refused, and ends that were taken back."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.chaos import books, habits

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
    """An event. `at`: by the real clock; `told_at`: by the portal's, as the times in `detail`.

    `late`: seconds after what it tells of, where a process was frozen in between. `fingerprint`: of the key that the
    call had whose answer led to it.
    """

    at: float
    told_at: datetime
    verb: str
    detail: dict[str, Any]
    target: str = ""
    is_portal: bool = True
    fingerprint: str = ""
    request: int = 0
    member: str = ""
    lifetime: str = ""
    late: float = 0.0


def read_line(event: Any, *, at: float, of: Any, refused: Iterable[tuple[int, datetime, str]]) -> Line:
    """`of`: its request, if it has one. `refused`: request, end and fingerprint of calls that were."""
    keys = [(abs(end - event.at), used) for number, end, used in refused if number == event.detail.get("request")]
    has_begun = event.detail.get("after") == "SUCCEEDED" and of and of.ended_at
    return Line(
        at=at,
        told_at=event.at,
        verb=event.verb,
        detail=event.detail,
        target=event.target,
        is_portal=event.actor_id is None,
        fingerprint=min(keys)[1] if keys else "",
        request=of.pk if of else 0,
        member=of.requester.username if of else "",
        lifetime=of.lifetime if of else "",
        # Below zero where the clock was put back between the two.
        late=max(0.0, (event.at - of.ended_at).total_seconds()) if has_begun else 0.0,
    )


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
