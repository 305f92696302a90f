"""Which lists are read: each plain, by each filter and searched, with a page full of rows wherever there are any."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

PAGE, SEARCH = 1.5, 2.0  # times the work at most with the many requests
_DEEP = 150  # the page of a list in the admin; it ends at 10,000 rows
_HISTORY: dict[str, dict[str, str]] = {
    "plain": {},
    "deep": {"before": "{deep}"},
    "state": {"status": "FAILED"},
    "type": {"type": "python"},
    "failure": {"failure": "503"},
    "person": {"person": "{person}"},
    "dates": {"since": "{since}", "until": "{until}"},
    "unknown ever": {"unknown": "ever"},
    "took longer": {"longer": "120"},
}
_SEARCHES = {
    "a frequent word": "payroll",
    "two words": "payroll test",
    "UID of a workstation": "{workstation}",
    "what is nowhere": "xylophonist",
}
_DATES = "{0}__gte={{since}}+00:00:00%2B00:00&{0}__lt={{until}}+00:00:00%2B00:00"
_ADMIN = {
    "request": {"state": "status__exact=FAILED", "type": "type=python", "failure": "failure=503"},
    "attempt": {"outcome": "outcome__exact=UNKNOWN", "failure": "failure=503"},
    "event": {"verb": "verb=cancel", "actor": "actor=person"},
    "workstation": {"state": "status=active", "type": "type=python"},
}
_TIMES = {"request": "created_at", "attempt": "claimed_at", "event": "at", "workstation": "first_seen_at"}


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    path: str
    person: str = "auditor"
    goal: float = PAGE


def list_cases(facts: dict[str, Any]) -> Iterator[Case]:
    for name, query in _HISTORY.items():
        yield Case(name=f"history, {name}", path=_address("/requests/", query, facts))
    yield Case(name="history, a member's own", path="/requests/", person=facts["person"])
    for name, text in _SEARCHES.items():
        yield Case(name=f"history, search: {name}", path=_address("/requests/", {"q": text}, facts), goal=SEARCH)
    both = _address("/requests/", {"q": "test"} | _HISTORY["dates"], facts)
    yield Case(name="history, search and dates", path=both, goal=SEARCH)
    for kind, filters in _ADMIN.items():
        deepest = facts[f"{kind}s"] * 9 // 10 // 50
        queries = {"plain": "", "deep": f"p={min(_DEEP, deepest)}"} | filters | {"dates": _DATES.format(_TIMES[kind])}
        for name, words in queries.items():
            yield Case(name=f"admin: {kind}s, {name}", path=f"/admin/portal/{kind}/?{words.format(**facts)}")
        found = _address(f"/admin/portal/{kind}/", {"q": "{person}"}, facts)
        yield Case(name=f"admin: {kind}s, search", path=found, goal=SEARCH)


def _address(path: str, query: dict[str, str], facts: dict[str, Any]) -> str:
    words = {name: value.format(**facts) for name, value in query.items()}
    return f"{path}?{urlencode(words)}" if words else path
