"""Verifying: is the audit log as the portal wrote it, and is each row as the log says? What differs is named.

In constant memory, and while the portal runs: seals are read before their events, which were there before them, and
what seems wrong in a part that was pruned meanwhile is read again from where the chain begins by then.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from django.db.models import Exists, OuterRef, Sum

from portal import models
from portal.services.audit import ranges, reading, rowcheck, seals, tombstones
from portal.services.audit.report import KEY, Report
from portal.services.audit.signatures import Verdict

_SEALS = 20  # at once

type Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class _Link:
    """How far the chain of seals has been walked. `begin`: the number above which all events are in the next seal; None
    where a seal between cannot be believed."""

    number: int
    digest: str
    last_id: int
    begin: int | None


def verify_log(
    *, checkpoint: seals.Checkpoint | None = None, rows: bool = False, on_progress: Progress | None = None
) -> Report:
    """Check every seal and event, and with `rows` every row that events tell of.

    `on_progress` hears how many events, or rows, of how many are done.
    """
    report, start = Report(), tombstones.find_start()
    total = int(models.Seal.objects.aggregate(total=Sum("count"))["total"] or 0) if on_progress else 0
    _check_tombstones(report)
    link = _check_kept(report, start)
    if checkpoint is not None:
        _check_checkpoint(report, checkpoint, start)
    while group := seals.read_seals(after=link.number, limit=_SEALS):
        check = _Check(link=link)
        check.check_group(group)
        if check.report.findings and (now := tombstones.find_start()).number > link.number:
            link = _begin(now)
            continue
        report.take(check.report)
        link = check.link
        if on_progress is not None:
            on_progress(report.events, total)
    _check_unsealed(report, link)
    _find_headless(report)
    report.pruned = tombstones.find_start().pruned
    if rows:
        rowcheck.compare_rows(report=report, on_progress=on_progress)
    return report


def _begin(start: tombstones.Start) -> _Link:
    return _Link(number=start.number, digest=start.digest, last_id=start.last_id, begin=start.last_id)


def _check_tombstones(report: Report) -> None:
    for stone in tombstones.walk_tombstones():
        what = f"tombstone of {stone.made_at} UTC"
        match stone.check():
            case Verdict.WRONG:
                report.add("tombstone", what, "was altered, or not written by the portal.")
            case Verdict.UNKNOWN_KEY:
                report.add_key(stone.signature, what)


def _check_kept(report: Report, start: tombstones.Start) -> _Link:
    """The events that stayed when others of their seals were pruned."""
    found = Report()
    if start.number:
        events = reading.walk_events(after=reading.LOWEST, until=start.last_id)
        _Run(report=found, expected=ranges.unpack(ranges=start.kept), begin=reading.LOWEST).take(events)
    if found.findings and (now := tombstones.find_start()) != start:
        return _check_kept(report, now)
    report.take(found)
    return _begin(start)


def _check_checkpoint(report: Report, checkpoint: seals.Checkpoint, start: tombstones.Start) -> None:
    what = f"seal {checkpoint.number}"
    stored = models.Seal.objects.filter(number=checkpoint.number).values_list("digest", flat=True).first()
    digest = start.digest if checkpoint.number == start.number else stored
    if checkpoint.number < start.number:
        report.add(KEY, what, "of the checkpoint was pruned: take a newer one.")
    elif digest is None:
        report.add("checkpoint", what, "of the checkpoint is not in the log.")
    elif digest != checkpoint.digest:
        report.add("checkpoint", what, "is another one than the checkpoint's: the log up to it was made anew.")


def _check_unsealed(report: Report, link: _Link) -> None:
    """Those behind the last seal: each by itself."""
    for event in reading.walk_events(after=link.last_id):
        report.events += 1
        verdict = event.check()
        report.unsealed += verdict is Verdict.AUTHENTIC
        _judge(report, event, verdict)


def _judge(report: Report, event: reading.StoredEvent, verdict: Verdict) -> None:
    what = f"event {event.id}"
    if verdict is Verdict.WRONG:
        report.unfit.add(event.id)
        report.add("changed", what, f"of {event.at} UTC was changed, or not written by the portal.")
    elif verdict is Verdict.UNKNOWN_KEY:
        report.add_key(event.signature, what)


def _find_headless(report: Report) -> None:
    """Report changes whose event is not there: who removed or invented it has left them."""
    if not models.Event.objects.exists() and models.Request.objects.exists():
        report.add("removed", "the audit log", "is empty, although there are requests.")
    events = models.Event.objects.filter(pk=OuterRef("event_id"))
    headless = models.Change.objects.filter(~Exists(events)).order_by("event_id").values_list("event_id", flat=True)
    known = {finding.what for finding in report.findings}
    for event_id in headless.distinct().iterator():
        report.unfit.add(event_id)
        if f"event {event_id}" not in known:
            report.add("removed", f"event {event_id}", "is not there, though what it says of rows is.")


@dataclass(kw_only=True)
class _Check:
    """Checks some seals that follow each other, with their events."""

    link: _Link
    report: Report = field(default_factory=Report)

    def check_group(self, group: list[seals.StoredSeal]) -> None:
        """Report what is wrong with these seals and their events, and move the link behind them."""
        believed = {seal.number for seal in group if self._is_authentic(seal)}
        until = max((seal.last_id for seal in group if seal.number in believed), default=self.link.last_id)
        events = _Events(reading.walk_events(after=self.link.last_id, until=until))
        for seal in group:
            self.report.seals, self.report.newest = self.report.seals + 1, seal.made_at
            is_joined = self._check_link(seal)
            if seal.number in believed:
                self._check_events(seal, events, begin=self.link.begin if is_joined else None)
                self.link = replace(self.link, last_id=seal.last_id, begin=seal.last_id)
            else:
                self.link = replace(self.link, begin=None)
            self.link = replace(self.link, number=seal.number, digest=seal.digest)

    def _is_authentic(self, seal: seals.StoredSeal) -> bool:
        verdict = seal.check()
        if verdict is Verdict.WRONG:
            self.report.add("seal", f"seal {seal.number}", "was altered.")
        elif verdict is Verdict.UNKNOWN_KEY:
            self.report.add_key(seal.digest, f"seal {seal.number}")
        return verdict is Verdict.AUTHENTIC

    def _check_link(self, seal: seals.StoredSeal) -> bool:
        """Whether the seal follows the one before it."""
        expected = self.link.number + 1
        if seal.number != expected:
            is_one = seal.number == expected + 1
            missing = f"seal {expected}" if is_one else f"seals {expected} to {seal.number - 1}"
            self.report.add("seal", missing, "was removed." if is_one else "were removed.")
            return False
        if seal.previous != self.link.digest:
            words = "does not follow the seal before it: one of the two was replaced."
            self.report.add("seal", f"seal {seal.number}", words)
            return False
        return True

    def _check_events(self, seal: seals.StoredSeal, events: "_Events", *, begin: int | None) -> None:
        # Where the seal before it cannot be believed, this one alone says where it begins.
        begin = seal.first_id - 1 if begin is None else begin
        run = _Run(report=self.report, expected=ranges.unpack(ranges=seal.ids), begin=begin)
        run.take(events.take_until(seal.last_id))
        run.close(seal)


class _Events:
    """Events in their order, as far as somebody wants them."""

    def __init__(self, events: Iterator[reading.StoredEvent]) -> None:
        self._events = events
        self._next = next(events, None)

    def take_until(self, last_id: int) -> Iterator[reading.StoredEvent]:
        while (event := self._next) is not None and event.id <= last_id:
            self._next = next(self._events, None)
            yield event


@dataclass(kw_only=True)
class _Run:
    """Compares events with the numbers that must be there, both in their order."""

    report: Report
    expected: Iterator[int]
    begin: int
    _lines: list[str] = field(default_factory=list)
    _unknown: list[reading.StoredEvent] = field(default_factory=list)
    _is_whole: bool = True

    def take(self, events: Iterable[reading.StoredEvent]) -> None:
        """Report which events are missing, which are too many, and which were changed."""
        wanted = next(self.expected, None)
        for event in events:
            self.report.events += 1
            while wanted is not None and wanted < event.id:
                wanted = self._miss(wanted)
            if event.id == wanted:
                self._check(event)
                wanted = next(self.expected, None)
            elif event.id <= self.begin:  # of a seal that cannot be believed
                _judge(self.report, event, event.check())
            else:
                self.report.unfit.add(event.id)
                words = f"of {event.at} UTC was inserted: no seal has it."
                self.report.add("inserted", f"event {event.id}", words)
        while wanted is not None:
            wanted = self._miss(wanted)

    def _miss(self, wanted: int) -> int | None:
        self._is_whole = False
        self.report.add("removed", f"event {wanted}", "was removed.")
        return next(self.expected, None)

    def _check(self, event: reading.StoredEvent) -> None:
        self._lines.append(event.signature)
        verdict = event.check()
        if verdict is Verdict.UNKNOWN_KEY:
            self._unknown.append(event)
        elif verdict is Verdict.WRONG:
            self._is_whole = False
            _judge(self.report, event, verdict)

    def close(self, seal: seals.StoredSeal) -> None:
        """Compare the signatures with the seal, which was made by who could check them all."""
        if seals.hash_signatures(lines=self._lines) == seal.signatures:
            return
        for event in self._unknown:
            self.report.unfit.add(event.id)
            words = f"of {event.at} UTC was changed: it names an audit key that its seal was not made with."
            self.report.add("changed", f"event {event.id}", words)
        if self._is_whole and not self._unknown:
            ids = f"{seal.first_id} to {seal.last_id}"
            words = f"has another event than it was made of: a number of {ids} was given again."
            self.report.add("seal", f"seal {seal.number}", words)
