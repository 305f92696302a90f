"""`manage.py verify_audit`: is the audit log as it was written, and is each row as it says?"""

import json
import time
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.db import places
from portal.services.audit import protection, seals, verify
from portal.services.audit.report import Report

_WIDTH = 40  # characters of the bar
_EVERY = 0.1  # seconds between drawings
_CHANGED, _UNCHECKED = 1, 2  # what the command ends with
_KEYS = ("key",)  # findings that tell of a key that is missing, and of nothing that was changed


class Command(BaseCommand):
    """Names what was changed. Ends with 0 where nothing was, with 1 where anything was or may be, and with 2 where not
    all could be checked."""

    help = (
        "Check that nothing in the audit log was changed, removed, inserted or re-dated since it was written, and that"
        " every row is as the events that tell of it have left it. Ends with 0 where all is well; with 1 where"
        " something is not as it was, or where the database would not refuse to change it; with 2 where not"
        " all can be checked, because a former audit key is missing or the checkpoint cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="what export_checkpoint printed once")

    def handle(self, *args: Any, **options: Any) -> None:
        checkpoint = _read_checkpoint(options["checkpoint"]) if options["checkpoint"] else None
        report = verify.verify_log(
            checkpoint=checkpoint, on_progress=partial(self._draw, "events"), on_rows=partial(self._draw, "requests")
        )
        faults = [*protection.find_faults(), *places.find_damage()]
        for words in [*report.findings, *faults, *_summarize(report)]:
            self.stdout.write(str(words))
        if not report.findings and not faults:
            self.stdout.write(_say_well(checkpoint))
        _judge(report, faults=faults)

    _drawn = 0.0

    def _draw(self, kind: str, done: int, total: int) -> None:
        is_over = done >= total
        if not self.stderr.isatty() or (not is_over and time.monotonic() - self._drawn < _EVERY):
            return
        self._drawn = time.monotonic()
        filled = _WIDTH * done // max(total, 1)
        bar = f"\r[{'#' * filled}{' ' * (_WIDTH - filled)}] {done:,} of {total:,} {kind}"
        self.stderr.write(bar, ending="\n" if is_over else "")
        self.stderr.flush()


def _read_checkpoint(path: Path) -> seals.Checkpoint:
    try:
        return seals.read_checkpoint(data=json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read as a checkpoint: {error}", returncode=_UNCHECKED) from None
    except seals.NotACheckpoint as error:
        raise CommandError(str(error), returncode=_UNCHECKED) from None


def _summarize(report: Report) -> list[str]:
    what = f"{_count(report.seals, 'seal')} over {_count(report.events, 'event')}"
    lines = [f"Checked: {what}, and the rows that the events tell of."]
    if report.pruned:
        lines.append(f"Pruned: {_count(report.pruned, 'event')} of these, as authentic tombstones say.")
    if report.newest:
        lines.append(f"The newest seal is of {report.newest} UTC.")
    if report.unsealed:
        lines.append(
            f"Not sealed yet: {_count(report.unsealed, 'event')}; were one of these removed, it would not be found."
        )
    if report.misdated:
        lines.append(
            f"Note: {_count(report.misdated, 'event')} dated more than an hour before earlier events, the first"
            f" {report.first_misdated}: written outside the portal, or a clock was set back."
        )
    if report.findings:
        lines.append(f"Findings: {report.count:,}.")
    return lines


def _say_well(checkpoint: seals.Checkpoint | None) -> str:
    if checkpoint is None:
        words = "nothing was changed by anybody who does not hold the audit key."
        return f"All is well: {words} A checkpoint would prove it of everybody."
    return (
        f"All is well: nobody, with the audit key or without it, has changed anything up to seal {checkpoint.number}"
        " since the checkpoint was made."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _judge(report: Report, *, faults: list[str]) -> None:
    """Raise CommandError with what the command ends with, unless all is well."""
    changed = [finding for finding in report.findings if finding.kind not in _KEYS]
    if changed:
        raise CommandError(f"The audit log is not as it was. First finding: {changed[0]}", returncode=_CHANGED)
    if faults:
        words = "Nothing was changed, but the database would not refuse it, or hides it: run `manage.py migrate`,"
        raise CommandError(f"{words} and find out who has changed that. {faults[0]}", returncode=_CHANGED)
    if report.findings:
        words = "Not all of the audit log can be checked. First finding:"
        raise CommandError(f"{words} {report.findings[0]}", returncode=_UNCHECKED)
