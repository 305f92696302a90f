"""Verifying rows: is each row what the newest event that tells of it says it was?

Rows of requests are compared in ranges of their numbers, so that memory stays constant; all others (people, groups,
keys, accounts, orphans) are few. The portal may run meanwhile: what seems wrong is looked at again until no event
has come between.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from django.db import connection

from portal import models
from portal.models.event import Verb
from portal.services.audit import canon, keys, rowdigests, tombstones

_RANGE = 200  # requests at once
_PAGE = 2000  # events
_LOOKS = 5  # at what changes while it is looked at
_WORDS = {
    "late-answer": "late answer",
    "stray-response": "stray response",
    "workstation-type": "workstation type",
}
# Whoever is added after the first of these must be told of by one: a person or group without was slipped in.
_ADDING = (Verb.SET_UP, Verb.ADD_PERSON, Verb.ADD_GROUP)
_ADDED = ("person", "group")
_TOLD = "request_number, id, verb, row_digests"
_EVENTS = f"SELECT {_TOLD} FROM portal_event"  # noqa: S608 (our own words)
_OF_NO_REQUEST = "request_number IS NULL AND NOT (row_digests = '')"  # as the index `event_of_rows` has it
_LOWEST, _HIGHEST = -(2**63) + 1, 2**63 - 1
_NEXT_NUMBERS = (
    "SELECT min(request_number) FROM portal_event WHERE request_number > %s",
    "SELECT min(id) FROM portal_request WHERE id > %s",
)
_OF_REQUESTS = {
    "attempt": "SELECT id, request_id FROM portal_attempt WHERE request_id BETWEEN %s AND %s",
    "late-answer": "SELECT l.id, a.request_id FROM portal_lateanswer l JOIN portal_attempt a ON a.id = l.attempt_id"
    " WHERE a.request_id BETWEEN %s AND %s",
}

type Name = tuple[str, int]
type Difference = tuple[str, str, str]  # a finding's kind, what and words


@dataclass(kw_only=True)
class Told:
    """What events tell of rows: for each row the newest statement."""

    newest: dict[Name, rowdigests.Statement] = field(default_factory=dict)

    def hear(self, *, text: str, event_id: int, number: int | None = None) -> None:
        """Take in what one event says, of the request with that number or of none."""
        for statement in rowdigests.read_statements(text=text, event_id=event_id, number=number):
            self.take(statement)

    def take(self, statement: rowdigests.Statement | None) -> None:
        """Keep the statement where it is newer than the one that is known."""
        if statement is not None:
            known = self.newest.get((statement.kind, statement.id))
            if known is None or known.origin < statement.origin:
                self.newest[statement.kind, statement.id] = statement


@dataclass(kw_only=True)
class Loose(Told):
    """What events that belong to no request tell. `read_until`: the last event that was heard."""

    read_until: int = _LOWEST - 1
    names: tombstones.Names = field(default_factory=tombstones.Names)
    first_digest: int | None = None  # the first event of all that tells of a row
    lowest_added: dict[str, int] = field(default_factory=dict)  # the first row of a kind that an event added

    def hear_event(self, *, event_id: int, number: int | None, verb: str, text: str) -> None:
        """Take in one event, of a request or not."""
        self.read_until = event_id
        if not text:
            return
        self.first_digest = event_id if self.first_digest is None else self.first_digest
        if number is not None:
            return
        self.hear(text=text, event_id=event_id)
        if verb in _ADDING:
            for statement in rowdigests.read_statements(text=text, event_id=event_id):
                lowest = self.lowest_added.get(statement.kind, statement.id)
                self.lowest_added[statement.kind] = min(lowest, statement.id)

    def catch_up(self) -> None:
        """Take in what was written since."""
        sql = f"{_EVENTS} WHERE id > %s ORDER BY id LIMIT {_PAGE}"
        while page := canon.fetch_rows(sql=sql, values=[self.read_until]):
            for number, event_id, verb, text in page:
                self.hear_event(event_id=event_id, number=number, verb=verb, text=text)

    def hear_loose(self) -> None:
        """Take in those alone that belong to no request: a small part of all, by an index of their own."""
        sql = f"{_ask_loose(_TOLD)} AND id > %s ORDER BY id LIMIT {_PAGE}"
        while page := canon.fetch_rows(sql=sql, values=[self.read_until]):
            for number, event_id, verb, text in page:
                self.hear_event(event_id=event_id, number=number, verb=verb, text=text)


def _ask_loose(what: str) -> str:
    """A question about the events that belong to no request and tell of rows.

    SQLite would else walk through all that belong to no request, of which most tell of none: each sign-in is one.
    """
    hint = " INDEXED BY event_of_rows" if connection.vendor == "sqlite" else ""
    return f"SELECT {what} FROM portal_event{hint} WHERE {_OF_NO_REQUEST}"  # noqa: S608 (our own words)


def find_differing(*, numbers: Iterable[int], names: tombstones.Names) -> set[int]:
    """Those of the requests of which anything is not as the newest events that tell of it left it."""
    (first_digest,) = canon.fetch_rows(sql=_ask_loose("min(id)"))[0]
    loose = Loose(names=names, first_digest=first_digest)
    doubtful = [
        number for run in _split(sorted(numbers)) if _differ(first=run[0], last=run[-1], loose=loose) for number in run
    ]
    if doubtful:
        loose.hear_loose()  # only now: what is told elsewhere is seldom needed
    return {number for number in doubtful if _differ(first=number, last=number, loose=loose)}


def _split(numbers: list[int]) -> Iterator[list[int]]:
    """In runs, each within one range: what lies between them may be wide."""
    while numbers:
        run = [number for number in numbers if number < numbers[0] + _RANGE]
        yield run
        numbers = numbers[len(run) :]


def _differ(*, first: int, last: int, loose: Loose) -> bool:
    return next(_compare_range(first=first, last=last, loose=loose), None) is not None


def compare_rows(*, loose: Loose, on_progress: Callable[[int, int], None] | None = None) -> Iterator[Difference]:
    """Every row that differs from the newest that events tell of it. `on_progress` hears which request of which."""
    newest = canon.fetch_rows(sql="SELECT max(id) FROM portal_request")[0][0] or 0
    for first, last in _walk_ranges():
        # In a range with a difference, request by request, each until nothing comes between.
        if next(_compare_range(first=first, last=last, loose=loose), None) is not None:
            for number in range(first, last + 1):
                yield from _compare_steadily(number=number, loose=loose)
        if on_progress is not None:
            on_progress(min(last, newest), newest)
    yield from _compare_loose(loose=loose)


def _walk_ranges() -> Iterator[tuple[int, int]]:
    """Ranges of numbers that requests or events have; what lies between them may be wide, where somebody tampered."""
    last = _LOWEST - 1
    while (first := _find_number(above=last)) is not None:
        last = min(first + _RANGE - 1, _HIGHEST)
        yield first, last


def _find_number(*, above: int) -> int | None:
    """The next number of a request, in the table or in the events."""
    found = [canon.fetch_rows(sql=sql, values=[above])[0][0] for sql in _NEXT_NUMBERS]
    return min((number for number in found if number is not None), default=None)


def _compare_steadily(*, number: int, loose: Loose) -> list[Difference]:
    """The differences of one request, seen while no event about it came between."""
    found: list[Difference] = []
    for _ in range(_LOOKS):
        before = _find_newest_event(number)
        found = list(_compare_range(first=number, last=number, loose=loose))
        if not found or _find_newest_event(number) == before:
            break
    return found


def _find_newest_event(number: int) -> int | None:
    return models.Event.objects.filter(request_number=number).order_by("-id").values_list("id", flat=True).first()


# --- The rows of requests ---


@dataclass(kw_only=True)
class _Range(Told):
    """What events tell of the requests of a range."""

    mentioned: set[int] = field(default_factory=set)
    # Requests that were submitted since events tell of rows: all that is theirs must be told of.
    complete: set[int] = field(default_factory=set)
    unsaid: set[int] = field(default_factory=set)


def _compare_range(*, first: int, last: int, loose: Loose) -> Iterator[Difference]:
    told = _read_range(first=first, last=last, first_digest=loose.first_digest)
    sql = "SELECT id FROM portal_request WHERE id BETWEEN %s AND %s"
    present = {row[0] for row in canon.fetch_rows(sql=sql, values=[first, last])}
    for number in sorted(present - told.mentioned):
        yield "row inserted", f"request R-{number}", "is in no event: it was inserted past the portal."
    for number in sorted(present & told.unsaid):
        yield "row inserted", f"request R-{number}", "was submitted by an event that the portal did not write."
    yield from _compare_statements(told.newest.values(), loose=loose)
    yield from _find_inserted(first=first, last=last, told=told)


def _read_range(*, first: int, last: int, first_digest: int | None) -> _Range:
    told = _Range()
    sql = f"{_EVENTS} WHERE request_number BETWEEN %s AND %s"
    for number, event_id, verb, text in canon.fetch_rows(sql=sql, values=[first, last]):
        told.mentioned.add(number)
        told.hear(text=text, event_id=event_id, number=number)
        if verb == Verb.SUBMIT and text:
            told.complete.add(number)
        elif verb == Verb.SUBMIT and first_digest is not None and event_id >= first_digest:
            told.unsaid.add(number)
    return told


def _find_inserted(*, first: int, last: int, told: _Range) -> Iterator[Difference]:
    """Attempts and late answers of the range of which no event tells."""
    for kind, sql in _OF_REQUESTS.items():
        for row_id, number in canon.fetch_rows(sql=sql, values=[first, last]):
            if number in told.complete and (kind, row_id) not in told.newest:
                yield (
                    "row inserted",
                    f"{_name(kind, row_id)} of R-{number}",
                    "is in no event: it was inserted past the portal.",
                )


def _compare_statements(statements: Iterable[rowdigests.Statement], *, loose: Loose) -> Iterator[Difference]:
    for statement, row in _join_rows(statements):
        difference = _compare(statement, row)
        if difference is None or (row is None and loose.names.has_row(statement=statement)):
            continue
        newer = _find_newer(statement, loose=loose)
        if newer is not None:
            difference = _compare(newer, row)
        if difference is not None:
            yield difference


def _join_rows(
    statements: Iterable[rowdigests.Statement],
) -> Iterator[tuple[rowdigests.Statement, canon.Row | None]]:
    by_kind = defaultdict(list)
    for statement in statements:
        by_kind[statement.kind].append(statement)
    for kind, told in by_kind.items():
        rows = rowdigests.read_rows(kind=kind, ids=[statement.id for statement in told])
        for statement in told:
            yield statement, rows.get(statement.id)


def _compare(statement: rowdigests.Statement, row: canon.Row | None) -> Difference | None:
    what = _name(statement.kind, statement.id)
    key = keys.find_key(key_id=statement.key_id)
    if key is None:
        return "row key", what, f"cannot be checked: the audit key {statement.key_id} is not in PORTAL_AUDIT_KEY_OLD."
    digest = rowdigests.digest_row(kind=statement.kind, number=statement.id, row=row, secret=key.secret)
    if digest == statement.digest:
        return None
    if row is None:
        return "row removed", what, f"was removed; event {statement.origin} tells of it."
    return "row changed", what, f"is not as event {statement.origin} left it."


def _find_newer(statement: rowdigests.Statement, *, loose: Loose) -> rowdigests.Statement | None:
    """What another event tells of the row: one that belongs to no request, or to another request."""
    told = Told()
    told.take(statement)
    told.take(loose.newest.get((statement.kind, statement.id)))
    if statement.kind == "workstation":
        links = models.Workstation.objects.filter(pk=statement.id).values_list("request_id", "made_for_id").first()
        for number in links or ():
            others = _read_range(first=number, last=number, first_digest=None) if number is not None else told
            told.take(others.newest.get((statement.kind, statement.id)))
    newest = told.newest[statement.kind, statement.id]
    return newest if newest.origin > statement.origin else None


def _name(kind: str, row_id: int) -> str:
    return f"request R-{row_id}" if kind == "request" else f"{_WORDS.get(kind, kind)} {row_id}"


# --- All others ---


def _compare_loose(*, loose: Loose) -> Iterator[Difference]:
    found: list[Difference] = []
    for _ in range(_LOOKS):
        loose.catch_up()
        seen = loose.read_until
        found = [*_compare_pages(loose), *_find_slipped_in(loose)]
        loose.catch_up()
        if not found or loose.read_until == seen:
            break
    yield from found


def _compare_pages(loose: Loose) -> Iterator[Difference]:
    statements = sorted(loose.newest.values(), key=lambda statement: statement.origin)
    for start in range(0, len(statements), _PAGE // 10):
        yield from _compare_statements(statements[start : start + _PAGE // 10], loose=loose)


def _find_slipped_in(loose: Loose) -> Iterator[Difference]:
    """People and groups of whom no event tells, though all that were added before and since are told of."""
    for kind in _ADDED:
        if (lowest := loose.lowest_added.get(kind)) is None:
            continue
        table = rowdigests.FORMS[kind].table
        for (row_id,) in canon.fetch_rows(sql=f"SELECT id FROM {table} WHERE id > %s ORDER BY id", values=[lowest]):  # noqa: S608
            if (kind, row_id) not in loose.newest:
                yield "row inserted", _name(kind, row_id), "is in no event: it was inserted past the portal."
