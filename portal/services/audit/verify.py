"""Verifying: is the record as it was sealed? Walks the whole chain in pages; what differs is named."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from portal import models
from portal.services.audit import canon, keys, seals, tombstones, verifyrows

_MOST_NAMED = 20  # findings in one seal: where one event is wrong all may be
_MOST_LATE = timedelta(hours=1)  # by which an event may be dated before events with lower ids: transactions overlap
_TOLD = ("id", "at", "request_number", "verb", "row_digests")
_ID, _AT, _NUMBER, _VERB, _DIGESTS = (canon.EVENT.names.index(name) for name in _TOLD)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is not as it was.

    `kind`: of events changed, removed, inserted, re-dated; of the chain seal, checkpoint, key; of rows row changed,
    row removed, row inserted, row key.
    """

    kind: str
    what: str
    words: str

    def __str__(self) -> str:
        return f"{self.what[:1].upper()}{self.what[1:]} {self.words}"


@dataclass(kw_only=True)
class Report:
    """What was found, in the order of the record, and what was looked at."""

    findings: list[Finding] = field(default_factory=list)
    seals: int = 0
    events: int = 0
    pruned: int = 0
    unsealed: int = 0
    newest: str = ""
    misdated: int = 0
    first_misdated: str = ""
    _latest: str = ""  # time of any event so far

    def add(self, kind: str, what: str, words: str) -> None:
        """Note one finding."""
        self.findings.append(Finding(kind=kind, what=what, words=words))

    def note_times(self, rows: Sequence[canon.Row]) -> None:
        """Count events that say they were long before those of former seals: added by SQL, or a clock was set back."""
        times = [row[_AT] for row in rows if isinstance(row[_AT], str)]
        if times and min(times) < (limit := _take_off(self._latest)):
            early = [row for row in rows if isinstance(row[_AT], str) and row[_AT] < limit]
            self.misdated += len(early)
            self.first_misdated = self.first_misdated or f"event {early[0][_ID]} of {early[0][_AT]} UTC"
        self._latest = max([self._latest, *times])


def _take_off(time: str) -> str:
    """The moment by which that time comes too late, as text; empty where it is no time."""
    try:
        return canon.write_time(time=datetime.fromisoformat(f"{time}+00:00") - _MOST_LATE)
    except (ValueError, OverflowError):
        return ""


type Progress = Callable[[int, int], None]


def verify_record(
    *,
    checkpoint: seals.Checkpoint | None = None,
    on_progress: Progress | None = None,
    on_rows: Progress | None = None,
) -> Report:
    """Check every seal, every event under it, and every row that events tell of.

    `on_progress` hears how many events of how many are done, then `on_rows` up to which request of which.
    """
    report = Report()
    loose = verifyrows.Loose()
    _check_chain(report, checkpoint=checkpoint, loose=loose, on_progress=on_progress)
    if not models.Event.objects.exists() and models.Request.objects.exists():
        report.add("removed", "the record", "is empty, although there are requests.")
    sealed_until = loose.read_until
    loose.catch_up()
    report.unsealed = models.Event.objects.filter(id__gt=sealed_until, id__lte=loose.read_until).count()
    for kind, what, words in verifyrows.compare_rows(loose=loose, on_progress=on_rows):
        report.add(kind, what, words)
    for number in loose.names.find_untold():
        report.add("row inserted", f"tombstone {number}", "is in no event: it was inserted past the portal.")
    return report


def _check_chain(
    report: Report,
    *,
    checkpoint: seals.Checkpoint | None,
    loose: verifyrows.Loose,
    on_progress: Progress | None,
) -> None:
    total = _count_events()
    last: seals.StoredSeal | None = None
    is_joined = True
    seen = checkpoint is None
    for seal in seals.walk_seals():
        is_joined &= _check_link(report, seal=seal, last=last)
        if is_authentic := _is_authentic(report, seal=seal):
            # Where the seal before it cannot be believed, this one alone says where it begins.
            end = last.last_id if last else seals.LOWEST_ID
            _check_events(report, seal=seal, after=end if is_joined else seal.first_id - 1, loose=loose)
        is_joined = is_authentic
        if checkpoint is not None and seal.number == checkpoint.number:
            seen = True
            _check_checkpoint(report, seal=seal, checkpoint=checkpoint)
        last = seal
        report.seals, report.events = report.seals + 1, report.events + seal.count
        report.newest = seal.made_at
        if on_progress is not None:
            on_progress(report.events, total)
    if not seen and checkpoint is not None:
        report.add("checkpoint", f"seal {checkpoint.number}", "of the checkpoint is not in the record.")


def _count_events() -> int:
    """By the seals: to count the events themselves takes as long as to read them."""
    return sum(models.Seal.objects.values_list("count", flat=True).iterator())


def _check_link(report: Report, *, seal: seals.StoredSeal, last: seals.StoredSeal | None) -> bool:
    """Whether the seal follows the one before it."""
    expected = last.number + 1 if last else 1
    if seal.number != expected:
        missing = f"seal {expected}" if seal.number == expected + 1 else f"seals {expected} to {seal.number - 1}"
        report.add("seal", missing, "was removed." if seal.number == expected + 1 else "were removed.")
        return False
    if seal.previous != (last.digest if last else ""):
        report.add("seal", f"seal {seal.number}", "does not follow the seal before it: one of the two was replaced.")
        return False
    return True


def _is_authentic(report: Report, *, seal: seals.StoredSeal) -> bool:
    key = keys.find_key(key_id=seal.key_id)
    if key is None:
        words = f"cannot be checked: its audit key {seal.key_id} is not in PORTAL_AUDIT_KEY_OLD."
        report.add("key", f"seal {seal.number}", words)
        return False
    if seal.sign(secret=key.secret) == seal.digest:
        return True
    report.add("seal", f"seal {seal.number}", "was altered.")
    return False


def _check_checkpoint(report: Report, *, seal: seals.StoredSeal, checkpoint: seals.Checkpoint) -> None:
    if seal.digest != checkpoint.digest:
        words = "is another one than the checkpoint's: the record up to it was made anew."
        report.add("checkpoint", f"seal {seal.number}", words)


def _check_events(report: Report, *, seal: seals.StoredSeal, after: int, loose: verifyrows.Loose) -> None:
    """Compare the events of an authentic seal with its marks, and hear what they tell of rows."""
    key = keys.find_key(key_id=seal.key_id)
    assert key is not None  # noqa: S101 (it was found before)
    if _is_pruned(seal, after=after, names=loose.names):
        report.pruned += seal.count
        return
    rows = canon.read_events(after=after, until=seal.last_id, limit=seal.count + 1)
    marks = canon.mark_events(rows=rows, secret=key.secret)
    report.note_times(rows)
    for row in rows:
        loose.hear_event(event_id=row[_ID], number=row[_NUMBER], verb=row[_VERB], text=row[_DIGESTS])
    if marks != seal.marks:
        once = _date_back(rows, sealed=seal.marks, secret=key.secret)
        _name_differences(report, sealed=seal.marks, present=marks, once=once, names=loose.names)


def _date_back(rows: Sequence[canon.Row], *, sealed: bytes, secret: bytes) -> bytes:
    """The marks that the events would have at the times that were sealed."""
    times = {mark.id: mark.at for mark in canon.split_marks(marks=sealed)}
    dated = [[row[_ID], times.get(row[_ID], row[_AT]), *row[2:]] for row in rows]
    return canon.mark_events(rows=dated, secret=secret)


def _is_pruned(seal: seals.StoredSeal, *, after: int, names: tombstones.Names) -> bool:
    """Whether all its events are gone, as a tombstone says; one that came just now is met event by event."""
    if not names.covers(first=seal.first_id, last=seal.last_id, anew=False):
        return False
    return not models.Event.objects.filter(id__gt=after, id__lte=seal.last_id).exists()


def _name_differences(report: Report, *, sealed: bytes, present: bytes, once: bytes, names: tombstones.Names) -> None:
    before = {mark.id: mark for mark in canon.split_marks(marks=sealed)}
    now = {mark.id: mark for mark in canon.split_marks(marks=present)}
    dated_back = {mark.id: mark for mark in canon.split_marks(marks=once)}
    if len(now) > len(before):  # no more were read
        before = {number: mark for number, mark in before.items() if number <= max(now)}
    named = 0
    for number in sorted(before.keys() | now.keys()):
        if before.get(number) == now.get(number) or (number not in now and names.covers(first=number, last=number)):
            continue
        is_as_before = number in before and dated_back.get(number) == before[number]
        kind, words = _compare(before.get(number), now.get(number), is_only_re_dated=is_as_before)
        report.add(kind, f"event {number}", words)
        named += 1
        if named == _MOST_NAMED:
            return


def _compare(before: canon.Mark | None, now: canon.Mark | None, *, is_only_re_dated: bool) -> tuple[str, str]:
    if now is None:
        return "removed", f"was removed; it was of {before.at if before else '?'} UTC."
    if before is None:
        return "inserted", f"was inserted after its neighbours were sealed; it says {now.at} UTC."
    if before.at == now.at:
        return "changed", f"of {now.at} UTC was changed."
    if is_only_re_dated:
        return "re-dated", f"was re-dated: it was of {before.at} UTC and says {now.at} UTC."
    return "changed", f"was changed, and not its time alone: it was of {before.at} UTC and says {now.at} UTC."
