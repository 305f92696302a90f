"""Compares the audit log with what was sent of it, which shows what no look at the log alone can."""

import hashlib
import heapq
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from portal import models
from portal.models.canonical_json import write_json
from portal.services.audit import canonical, reading, stream, tombstones
from portal.services.audit.report import Report

type _Row = tuple[int, str, str, bool]  # an event's number, digest and time, and whether it is stored or was sent

_NOT_SENT = "was not sent, though others before and after it were."
_TABLE = "CREATE TABLE sent (id INTEGER, digest TEXT, at TEXT, PRIMARY KEY (id, digest)) WITHOUT ROWID"


class NothingSent(Exception):
    """No line of the file is an event of this portal; the message is fit for the person."""


def compare_sent(*, path: Path, report: Report) -> None:
    """Add a finding for each event that is not in the log as it was sent, or is among those though it was not sent.

    The file has CloudEvents, one a line, or syslog's lines with them, in any order and any number of times. What is
    not sealed or not sent yet is not looked at. Raises OSError, and NothingSent.
    """
    spans = models.Restore.objects.values_list("lost_since", "restored_at")
    restores = [[stream.write_time(at=canonical.write_time(time=time)) for time in span] for span in spans]
    with closing(sqlite3.connect("")) as table, path.open("rb") as file:  # "": on disk, until it is closed
        table.execute(_TABLE)
        table.executemany("INSERT OR IGNORE INTO sent VALUES (?, ?, ?)", _read_lines(file, source=stream.name_source()))
        first, last = table.execute("SELECT min(id), max(id) FROM sent").fetchone()
        if first is None:
            raise NothingSent(f"{path} has no event of this portal.")
        table.executemany("DELETE FROM sent WHERE id BETWEEN ? AND ?", tombstones.list_pruned())
        sent = table.execute("SELECT id, digest, at, 0 FROM sent ORDER BY id")
        rows = heapq.merge(sent, _read_log(after=first - 1, until=last), key=itemgetter(0))
        # After a restore the file may have later numbers than this log has sent by now.
        position = models.StreamPosition.objects.values_list("last_id", flat=True).first() or 0
        for number, found in groupby(rows, key=itemgetter(0)):
            words = _judge(list(found), restores=restores, report=report)
            if words and (number <= position or words != _NOT_SENT):
                report.add("stream", f"event {number}", words)


def _judge(rows: Sequence[_Row], *, restores: Sequence[Sequence[str]], report: Report) -> str:
    """What is wrong with an event. What a restore lost is of its interval, and not what has the number now."""
    report.sent += 1
    stored = {digest: at for _, digest, at, is_stored in rows if is_stored}
    others = [at for _, digest, at, _ in rows if digest not in stored]
    if not others:
        return "" if len(rows) > len(stored) else _NOT_SENT
    in_restores = [at for at in others if any(since <= at <= until for since, until in restores)]
    if in_restores == others and not set(others) & set(stored.values()):
        report.lost += 1
        return ""
    return "is not as it was sent." if stored else "was sent, and is not in the log."


def _read_lines(lines: Iterable[bytes], *, source: str) -> Iterator[tuple[int, str, str]]:
    for line in lines:
        try:
            event = json.loads(line[line.index(b"{") :])
            if event["source"] == source:
                yield int(event["id"]), _digest(event["data"]), str(event["time"])
        except (ValueError, KeyError, TypeError):
            continue  # another program's line, or half of one


def _read_log(*, after: int, until: int) -> Iterator[_Row]:
    for event in reading.walk_events(after=after, until=until):
        yield event["id"], _digest(stream.fit_data(event=event)), stream.write_time(at=event["at"]), True


def _digest(data: object) -> str:
    return hashlib.sha256(write_json(data).encode()).hexdigest()
