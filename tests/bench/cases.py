"""What is measured: each page, each filter alone and in pairs, and searches; beside them the same of a plain Django."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

PAGE, SEARCH, WRITE = 1.5, 2.0, 1.2  # times as long at most with the many requests as with the few


@dataclass(frozen=True, kw_only=True)
class Case:
    """One address. `group`: cases whose rows cost the same; `plain`: the same of a plain Django, if it has it."""

    group: str
    name: str
    path: str
    plain: str = ""
    person: str = "auditor"
    goal: float = PAGE
    do: str = "get"

    def describe(self) -> dict[str, str]:
        """As the portal's process is asked."""
        return {"do": self.do, "path": self.path, "person": self.person}


# Each with as many rows as a page shows, with the few requests too, as far as that goes.
_FILTERS = {
    "state": {"status": "FAILED"},
    "type": {"type": "python"},
    "failure": {"failure": "503"},
    "person": {"person": "{heavy}"},
    "dates": {"since": "{since}", "until": "{until}"},
    "unknown ever": {"unknown": "ever"},
    "took longer": {"longer": "120"},
}
_RARE = {
    "state, rare": {"status": "UNKNOWN"},
    "type, rare": {"type": "voip-chromium"},
    "failure, rare": {"failure": "401"},
    "person, rare": {"person": "{light}"},
    "longer than all": {"longer": "300 d"},
    "two that exclude each other": {"status": "SUCCEEDED", "failure": "422"},
}
_SEARCHES = {
    "a number": "R-{of_workstation}",
    "a rare word": "heliotrope",
    "a frequent word": "payroll",
    "two words": "demo customer",
    "part of a word": "egressio",
    "Cyrillic": "проверка",
    "Japanese": "動作確認",
    "a person": "{heavy}",
    "UID of a workspace": "{workspace}",
    "UID of a workstation": "{workstation}",
    "an error's text": "teapot",
    "what is nowhere": "xylophonist",
    "signs": "%_'",
    "two letters": "zq",
}


_WHO = {"heavy": "of whom has most", "light": "of whom has least"}


def list_cases(facts: dict[str, Any]) -> Iterator[Case]:
    """All of them, for a database of which these are the facts."""
    yield from _list_pages(facts)
    yield from _list_history(facts)
    yield from _list_member(facts)
    yield from _list_admin(facts)


def _list_pages(facts: dict[str, Any]) -> Iterator[Case]:
    for name, path in {
        "usage, 30 days": "/usage/",
        "usage, 365 days": "/usage/?days=365",
        "workstations": "/workstations/",
        "workspaces": "/workspaces/",
        "guide to failures": "/failures/",
        "one failure": "/failures/503/",
        "key": "/key/",
        "a request": f"/requests/{facts['of_workstation']}/",
        "a workstation": f"/workstations/{facts['workstation']}/",
        "a workspace": f"/workspaces/{facts['workspace']}/",
    }.items():
        yield Case(group="pages", name=name, path=path)
    for name, path in {"unknown and orphans": "/unknown/", "API changes": "/api-changes/"}.items():
        yield Case(group="pages", name=name, path=path, person="operator")
    for name, path in {"home": "/", "form": "/requests/new/", "usage, their own": "/usage/"}.items():
        yield Case(group="pages", name=name, path=path, person=facts["heavy"])
    for who, name in itertools.product(("heavy", "light"), ("workstations", "workspaces")):
        yield Case(group="a member's lists", name=f"{name}, {_WHO[who]}", path=f"/{name}/", person=facts[who])

    yield Case(group="writing", name="submit a request", path="", person=facts["heavy"], goal=WRITE, do="submit")


def _list_history(facts: dict[str, Any]) -> Iterator[Case]:
    count = facts["requests"]
    yield _history("first page", {}, facts)
    yield _history("deep page", {"before": str(count // 10)}, facts, plain={"page": str(count * 9 // 10 // 50)})
    yield _history("oldest first", {"sort": "oldest"}, facts)
    for name, query in (_FILTERS | _RARE).items():
        yield _history(name, query, facts)
    for (one, first), (other, second) in itertools.combinations(_FILTERS.items(), 2):
        yield _history(f"{one} and {other}", first | second, facts)
    for name, text in _SEARCHES.items():
        yield _history(f"search: {name}", {"q": text}, facts, goal=SEARCH)
    for name, query in _FILTERS.items():
        yield _history(f"search and {name}", {"q": "payroll"} | query, facts, goal=SEARCH)


def _history(
    name: str, query: dict[str, str], facts: dict[str, Any], plain: dict[str, str] | None = None, **more: Any
) -> Case:
    shared = not query.get("longer")  # a plain Django has no such column
    return Case(
        group="history",
        name=name,
        path=_address("/requests/", query, facts),
        plain=_address("/plain/requests/", plain or query, facts) if shared else "",
        **more,
    )


def _list_member(facts: dict[str, Any]) -> Iterator[Case]:
    for name, query in {
        "first page": {},
        "deep page": {"before": str(facts["requests"] // 4)},
        "state": _FILTERS["state"],
        "type": _FILTERS["type"],
        "dates": _FILTERS["dates"],
        "unknown ever": _FILTERS["unknown ever"],
        "search: a frequent word": {"q": "payroll"},
        "search: what is nowhere": {"q": "xylophonist"},
    }.items():
        path, goal = _address("/requests/", query, facts), SEARCH if "q" in query else PAGE
        yield Case(group="a member's history", name=name, path=path, person=facts["heavy"], goal=goal)


_DATES = "{0}__gte={{since}}+00:00:00%2B00:00&{0}__lt={{until}}+00:00:00%2B00:00"
_ADMIN = {
    "request": {
        "state": "status__exact=FAILED", "type": "type__exact=python", "failure": "failure=503",
        "state and type": "status__exact=FAILED&type__exact=python", "dates": _DATES.format("created_at"),
        "state and dates": f"status__exact=FAILED&{_DATES.format('created_at')}",
    },
    "attempt": {
        "outcome": "outcome__exact=UNKNOWN", "failure": "failure=503", "dates": _DATES.format("claimed_at"),
        "outcome and failure": "outcome__exact=FAILED&failure=503",
        "two that exclude each other": "outcome__exact=UNKNOWN&failure=429",
    },
    "event": {
        "verb": "verb=pause", "actor": "actor=person", "verb and actor": "verb=submit&actor=person",
        "two that exclude each other": "verb=claim&actor=person", "dates": _DATES.format("at"),
        "verb and dates": f"verb=claim&{_DATES.format('at')}",
    },
    "workstation": {
        "state": "status=active", "type": "type=python", "state and type": "status=completed&type=python",
        "dates": _DATES.format("first_seen_at"),
    },
    "workspace": {"state": "status=active", "dates": _DATES.format("first_seen_at")},
    "file": {"dates": _DATES.format("first_seen_at")},
    "log": {"level": "level=warning", "dates": _DATES.format("first_seen_at")},
    "lateresponse": {"outcome": "outcome__exact=SUCCEEDED"},
}  # fmt: skip
_FOUND = {
    "request": ("heliotrope", "payroll", "R-{of_workstation}", "{workstation}", "xylophonist"),
    "attempt": ("teapot", "R-{of_workstation}", "{heavy}", "xylophonist"),
    "event": ("nobody", "R-{of_workstation}", "{heavy}", "xylophonist"),
    "workstation": ("{workstation}", "{heavy}", "xylophonist"),
    "workspace": ("{workspace}", "{heavy}", "xylophonist"),
    "file": ("report.pdf", "{heavy}", "xylophonist"),
    "log": ("system", "{heavy}", "xylophonist"),
    "lateresponse": ("{heavy}", "xylophonist"),
}
_IN_PLAIN = ("request", "attempt", "event", "workstation")
_PLURALS = {"lateresponse": "late responses"}
_DEEP = 150  # the page; ours ends at 10,000 rows


def _list_admin(facts: dict[str, Any]) -> Iterator[Case]:
    for kind, filters in _ADMIN.items():
        yield _admin(kind, "first page", "", facts)
        if kind in _IN_PLAIN:
            deepest = facts[f"{kind}s"] * 9 // 10 // 50
            yield _admin(kind, "deep page", f"p={min(_DEEP, deepest)}", facts, plain=f"p={deepest}")
        for name, query in filters.items():
            query = query.format(**facts)
            yield _admin(kind, name, query, facts, plain=_as_plain(query))
        for text in _FOUND[kind]:
            yield _admin(
                kind, f"search: {text.strip('{}')}", urlencode({"q": text.format(**facts)}), facts, goal=SEARCH
            )


def _admin(kind: str, name: str, query: str, facts: dict[str, Any], plain: str | None = None, **more: Any) -> Case:
    query, plain = (f"?{words}" if words else "" for words in (query, query if plain is None else plain))
    return Case(
        group=f"admin: {_PLURALS.get(kind, f'{kind}s')}",
        name=name,
        path=f"/admin/portal/{kind}/{query}",
        plain=f"/plain/admin/portal/{kind}/{plain}" if kind in _IN_PLAIN else "",
        **more,
    )


def _as_plain(query: str) -> str:
    """Django's own names for the filters that are ours."""
    return "&".join(_name_plainly(*word.split("=")) for word in query.split("&"))


def _name_plainly(name: str, value: str) -> str:
    if name == "actor":
        return "actor_id__isnull=0"
    return f"{name}={value}" if "__" in name else f"{name}__exact={value}"


def _address(path: str, query: dict[str, str], facts: dict[str, Any]) -> str:
    words = {name: value.format(**facts) for name, value in query.items()}
    return f"{path}?{urlencode(words)}" if words else path
