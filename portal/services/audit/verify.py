"""Verifying: is the audit log as the portal wrote it, and is each row as the log says? What differs is named.

In constant memory, and while the portal runs: seals are read before their events, which were there before them, and
where something seems wrong and some of the log was pruned meanwhile, all is read again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from portal import models
from portal.services.audit import canonical, reading, rowcheck, seals, signatures, tombstones
from portal.services.audit.report import KEY, Report
from portal.services.audit.signatures import Verdict, describe_row

_SEALS = 20  # at once


@dataclass(frozen=True)
class _Link:
    """How far the chain of seals has been walked. `begin`: the number above which all events are in the next seal; None
    where a seal between cannot be believed."""

    number: int
    digest: str
    last_id: int
    begin: int | None


def verify_log(
    *, checkpoint: seals.Checkpoint | None = None, rows: bool = False, on_step: Callable[[], None] = lambda: None
) -> Report:
    """Check every seal and event, and with `rows` every row that events name. `on_step` is called all the time."""
    while True:
        start = tombstones.find_start()
        report = _check_log(start, checkpoint=checkpoint, on_step=on_step)
        if not report.count or tombstones.find_start() == start:
            break
    if rows:
        rowcheck.compare_rows(report=report, on_step=on_step)
    return report


def _check_log(start: tombstones.Start, *, checkpoint: seals.Checkpoint | None, on_step: Callable[[], None]) -> Report:
    report = Report(pruned=start.pruned)
    for tombstone in tombstones.walk_tombstones():
        _judge(report, "tombstone", tombstone.pk, describe_row(row=tombstone))
    if start.number:
        # The events that stayed when others of their seals were pruned.
        events = reading.walk_events(after=reading.LOWEST, until=start.last_id)
        _check_events(report, events, expected=start.kept, begin=reading.LOWEST, is_whole=True)
    if checkpoint is not None:
        _check_checkpoint(report, checkpoint, start)
    link = _Link(start.number, start.digest, start.last_id, start.last_id)
    while group := seals.read_seals(after=link.number, limit=_SEALS):
        link = _check_group(report, group, link)
        on_step()
    for event in reading.walk_events(after=link.last_id):
        report.events += 1
        report.unsealed += _judge(report, "event", event["id"], event)
    _find_headless(report)
    return report


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


def _judge(
    report: Report, what: str, number: int, described: canonical.Described, *, by_seal: bool | None = None
) -> bool:
    """Report what was changed, or names an audit key that is missing. Returns whether it is authentic.

    `by_seal`: whether the seal that should have an event has it as it is: that says enough where its key is missing.
    """
    verdict, name = signatures.check(what=what, described=described), f"{what} {number}"
    if verdict is Verdict.WRONG or (verdict is Verdict.UNKNOWN_KEY and by_seal is False):
        report.add("changed" if what == "event" else what, name, "was changed, or not written by the portal.")
    elif verdict is Verdict.UNKNOWN_KEY and by_seal is None:
        report.add_key(described[signatures.NAMES[what]], name)
    return verdict is Verdict.AUTHENTIC


def _find_headless(report: Report) -> None:
    """Report changes whose event is not there: who removed or invented it has left them."""
    if not models.Event.objects.exists() and models.Request.objects.exists():
        report.add("removed", "the audit log", "is empty, although there are requests.")
    events = models.Event.objects.filter(pk=OuterRef("event_id"))
    headless = models.Change.objects.filter(~Exists(events)).order_by("event_id").values_list("event_id", flat=True)
    for event_id in headless.distinct().iterator():
        if (what := f"event {event_id}") not in report.unfit:
            report.add("removed", what, "is not there, though what it says of rows is.")


def _check_group(report: Report, group: Sequence[models.Seal], link: _Link) -> _Link:
    report.seals, report.newest = report.seals + len(group), group[-1].made_at
    believed = [seal for seal in group if _judge(report, "seal", seal.number, describe_row(row=seal))]
    until = max((seal.last_id for seal in believed), default=link.last_id)
    events = _Events(reading.walk_events(after=link.last_id, until=until))
    for seal in group:
        begin, last_id = link.begin if _check_link(report, seal, link) else None, link.last_id
        if seal in believed:
            # Where the seal before it cannot be believed, this one alone says where it begins.
            _check_seal(report, seal, events, begin=seal.first_id - 1 if begin is None else begin)
            begin = last_id = seal.last_id
        else:
            begin = None
        link = _Link(seal.number, seal.digest, last_id, begin)
    return link


def _check_link(report: Report, seal: models.Seal, link: _Link) -> bool:
    expected = link.number + 1
    if seal.number == expected + 1:
        report.add("seal", f"seal {expected}", "was removed.")
    elif seal.number != expected:
        report.add("seal", f"seals {expected} to {seal.number - 1}", "were removed.")
    elif seal.previous != link.digest:
        words = "does not follow the seal before it: one of the two was replaced."
        report.add("seal", f"seal {seal.number}", words)
    else:
        return True
    return False


class _Events:
    """Events in their order, as far as somebody wants them."""

    def __init__(self, events: Iterator[canonical.Described]) -> None:
        self._events = events
        self._next = next(events, None)

    def take_until(self, last_id: int) -> Iterator[canonical.Described]:
        """The events up to this id, the last included."""
        while (event := self._next) is not None and event["id"] <= last_id:
            self._next = next(self._events, None)
            yield event


def _check_seal(report: Report, seal: models.Seal, events: _Events, *, begin: int) -> None:
    """Compare the events with the seal, which was made by who could check them all."""
    broken, expected = report.count_broken(), canonical.unpack_ranges(ranges=seal.ids)
    found = list(events.take_until(seal.last_id))
    own = [event["signature"] for event in found if event["id"] in expected]
    is_whole = seals.hash_signatures(lines=own) == seal.signatures
    _check_events(report, found, expected=expected, begin=begin, is_whole=is_whole)
    if not is_whole and report.count_broken() == broken:
        words = f"has another event than it was made of: a number of {seal.first_id} to {seal.last_id} was given again."
        report.add("seal", f"seal {seal.number}", words)


def _check_events(
    report: Report, events: Iterable[canonical.Described], *, expected: set[int], begin: int, is_whole: bool
) -> None:
    """Report which events are missing, which are too many, and which were changed."""
    missing = set(expected)
    for event in events:
        report.events += 1
        number = event["id"]
        missing.discard(number)
        if number in expected:
            _judge(report, "event", number, event, by_seal=is_whole)
        elif number > begin:
            report.add("inserted", f"event {number}", "was inserted: no seal has it.")
        else:
            _judge(report, "event", number, event)  # of a seal that cannot be believed
    for number in sorted(missing):
        report.add("removed", f"event {number}", "was removed.")
