"""Verifying: is the audit log as it was written, and is each row as the log says? What differs is named."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, Model, OuterRef, Q, QuerySet, Sum

from portal import models
from portal.services.audit import (
    canonical,
    chain,
    marks,
    pruned,
    reading,
    rows,
    seals,
    signatures,
    verifyrows,
)
from portal.services.audit.report import Report
from portal.services.audit.signatures import Verdict

_MOST_LATE = timedelta(hours=1)  # by which an event may be dated before events with lower ids: transactions overlap

type Progress = Callable[[int, int], None]


def verify_log(
    *,
    checkpoint: chain.Checkpoint | None = None,
    on_progress: Progress | None = None,
    on_rows: Progress | None = None,
) -> Report:
    """Check every seal, every event, and every row that events tell of.

    `on_progress` hears how many events of how many are done, then `on_rows` up to which request of which.
    """
    report = Report()
    _Walk(report=report, links=chain.Chain(report=report, checkpoint=checkpoint)).check_events(on_progress)
    find_headless(report=report)
    verifyrows.compare_rows(report=report, on_progress=on_rows)
    return report


def verify_seals(*, report: Report, after: int, most: int) -> int | None:
    """Check the events of so many seals behind that number, and at the end those that are not sealed yet.

    Returns the number of the last seal, or None at the end.
    """
    numbers = models.Seal.objects.filter(number__gt=after).order_by("number").values_list("number", flat=True)[:most]
    until = max(numbers) if len(numbers) == most else chain.LAST
    before = next(iter(seals.read_seals(after=after - 1, limit=1)), None) if after else None
    if before is not None and before.number != after:
        report.add("seal", f"seal {after}", "was removed.")
        before = None
    _Walk(report=report, links=chain.Chain(report=report, before=before, until=until)).check_events(None)
    return None if until == chain.LAST else until


def find_headless(*, report: Report) -> None:
    """Report changes whose event is not there, for who removed it has left them; and requests without any event."""
    if not models.Event.objects.exists() and models.Request.objects.exists():
        report.add("removed", "the audit log", "is empty, although there are requests.")
    for words, misfits in _list_misfits():
        if misfits.exists():
            report.add("changed", "the audit log", f"holds {words}.")
    events = models.Event.objects.filter(pk=OuterRef("event_id"))
    headless = (
        models.Change.objects.filter(~Exists(events), event_id__lte=seals.HIGHEST_ID)
        .order_by("event_id")
        .values_list("event_id", flat=True)
    )
    known = {finding.what for finding in report.findings}
    for event_id in headless.distinct().iterator():
        if f"event {event_id}" not in known:
            report.add("removed", f"event {event_id}", "is not there, though what it says of rows is.")


def _list_misfits() -> list[tuple[str, QuerySet[Any, Any]]]:
    """Rows that no walk meets, or not all of those with one number.

    SQLite stores texts where numbers belong: to it they are above all numbers. Without its primary key a table takes
    rows without a number, and several with one.
    """
    above = seals.HIGHEST_ID
    changes = models.Change.objects.filter(Q(event_id__gt=above) | Q(row_id__gt=above) | Q(position__gt=above))
    numbered: dict[str, type[Model]] = {
        "event": models.Event,
        "seal": models.Seal,
        **{kind.name: kind.model for kind in rows.KINDS.values()},
    }
    return [
        ("a change with a number that is none", changes),
        ("a seal with a number that is none", models.Seal.objects.filter(number__gt=above)),
        *(
            # Behind the lowest number every walk begins.
            (f"a row ({name}) with a number that is none", model._default_manager.filter(pk=reading.LOWEST))
            for name, model in numbered.items()
        ),
        *(
            (f"a row ({name}) without a number", model._default_manager.filter(pk__isnull=True))
            for name, model in numbered.items()
        ),
        *((f"several rows ({name}) with one number", _list_repeated(model)) for name, model in numbered.items()),
    ]


def _list_repeated(model: type[Model]) -> QuerySet[Any, Any]:
    counted: QuerySet[Any, Any] = model._default_manager.order_by().values("pk").annotate(count=Count("*"))
    return counted.filter(count__gt=1)


def check_alone(*, report: Report, event: reading.StoredEvent) -> None:
    """Report an event that the portal has not written as it is, without regard to seals."""
    what = f"event {event.id}"
    if event.verdict is Verdict.UNKNOWN_KEY:
        report.add_key(str(event.row[-1]).partition(":")[0], what)
    elif event.verdict is Verdict.WRONG:
        report.add("inserted", what, f"was not written by the portal, or was changed; it says {event.at} UTC.")


def _has_gone(event: reading.StoredEvent) -> bool:
    """Whether it was pruned after it was read, and before its changes were."""
    return event.verdict is Verdict.WRONG and not models.Event.objects.filter(pk=event.id).exists()


@dataclass(kw_only=True)
class _Walk:
    """Events and marks side by side, both in the order of their numbers."""

    report: Report
    links: chain.Chain
    gone: pruned.Ranges = field(default_factory=pruned.Ranges)
    latest: str = ""  # time of any event so far

    def check_events(self, on_progress: Progress | None) -> None:
        """Every event by its signature and by its mark; every mark by its event."""
        total = int(models.Seal.objects.aggregate(total=Sum("count"))["total"] or 0) if on_progress else 0
        ends = models.Seal.objects.filter(number=self.links.until).values_list("last_id", flat=True)
        after, last = self.links.end, next(iter(ends), None)
        marked = self.links.walk_marks()
        mark = next(marked, None)
        for event in reading.walk_events(after=after, until=last):
            while mark is not None and mark.id < event.id:
                self._note_missing(mark)
                mark = next(marked, None)
            own = mark if mark is not None and mark.id == event.id else None
            if own is not None and _has_gone(event):
                self._note_missing(own)
            else:
                self._check_event(event, mark=own, is_sealed=self.links.covers(event.id))
            mark = next(marked, None) if own is not None else mark
            if on_progress is not None:
                on_progress(self.report.events, total)
        while mark is not None:
            self._note_missing(mark)
            mark = next(marked, None)

    def _check_event(self, event: reading.StoredEvent, *, mark: marks.Mark | None, is_sealed: bool) -> None:
        self.report.events += 1
        self.report.unsealed += int(event.id > self.links.end)
        # It may have gone since it was read.
        if self.gone.name(event.id) and models.Event.objects.filter(pk=event.id).exists():
            self.report.add("inserted", f"event {event.id}", "is there, although it was pruned.")
        if event.verdict is Verdict.AUTHENTIC:
            self._note_time(event)
            if mark is None and is_sealed:
                words = f"was inserted after its neighbours were sealed: {event.at} UTC."
                self.report.add("inserted", f"event {event.id}", words)
            elif mark is not None and mark.code != signatures.read_code(signature=event.row[-1]):
                words = f"is another one than was sealed, of {mark.at} UTC: its number was given again."
                self.report.add("changed", f"event {event.id}", words)
        elif event.verdict is Verdict.UNKNOWN_KEY and mark is not None:
            # Its seal, whose key is known, was made by who could check it.
            words = f"of {event.at} UTC was changed: it names an audit key that its seal was not made with."
            self.report.add("changed", f"event {event.id}", words)
        elif event.verdict is Verdict.WRONG and mark is not None and mark.at != event.at:
            self._name_new_date(event, mark=mark)
        elif event.verdict is Verdict.WRONG and mark is not None:
            self.report.add("changed", f"event {event.id}", f"of {event.at} UTC was changed.")
        else:
            check_alone(report=self.report, event=event)

    def _name_new_date(self, event: reading.StoredEvent, *, mark: marks.Mark) -> None:
        times = f"it was of {mark.at} UTC and says {event.at} UTC."
        dated_back = [event.row[0], mark.at, *event.row[2:]]
        if event.check(row=dated_back) is Verdict.AUTHENTIC:
            self.report.add("re-dated", f"event {event.id}", f"was re-dated: {times}")
        else:
            self.report.add("changed", f"event {event.id}", f"was changed, and not its time alone: {times}")

    def _note_missing(self, mark: marks.Mark) -> None:
        if self.gone.cover(mark.id):
            self.report.pruned += 1
            self.report.events += 1
        else:
            self.report.add("removed", f"event {mark.id}", f"was removed; it was of {mark.at} UTC.")

    def _note_time(self, event: reading.StoredEvent) -> None:
        """Count events that say they were long before earlier ones: a clock was set back."""
        try:
            edge = canonical.write_time(time=datetime.fromisoformat(f"{self.latest}+00:00") - _MOST_LATE)
        except (ValueError, OverflowError):  # no event came before, or its time is none
            edge = ""
        if event.at < edge:
            self.report.misdated += 1
            self.report.first_misdated = self.report.first_misdated or f"event {event.id} of {event.at} UTC"
        self.latest = max(self.latest, event.at)
