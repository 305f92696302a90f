"""`manage.py verify_audit`: is the record as it was sealed?"""

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.services import seals, verify

_WIDTH = 40  # characters of the bar
_EVERY = 0.1  # seconds between drawings


class Command(BaseCommand):
    """Names what was changed, and ends with 1 where anything was."""

    help = "Check that nothing in the record was changed, removed, inserted late or re-dated since it was sealed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="what export_checkpoint printed once")

    def handle(self, *args: Any, **options: Any) -> None:
        checkpoint = _read_checkpoint(options["checkpoint"]) if options["checkpoint"] else None
        self._drawn = 0.0
        report = verify.verify_record(checkpoint=checkpoint, on_progress=self._draw)
        if self.stderr.isatty():
            self.stderr.write("")
        for finding in report.findings:
            self.stdout.write(str(finding))
        self.stdout.write(_summarize(report, checkpoint=checkpoint))
        if report.findings:
            raise CommandError(f"The record was tampered with; first: {report.findings[0]}")

    def _draw(self, done: int, total: int) -> None:
        if not self.stderr.isatty() or (done < total and time.monotonic() - self._drawn < _EVERY):
            return
        self._drawn = time.monotonic()
        filled = _WIDTH * done // max(total, 1)
        self.stderr.write(f"\r[{'#' * filled}{' ' * (_WIDTH - filled)}] {done:,} of {total:,} events", ending="")
        self.stderr.flush()


def _read_checkpoint(path: Path) -> seals.Checkpoint:
    try:
        return seals.read_checkpoint(data=json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read as a checkpoint: {error}") from None
    except seals.NotACheckpoint as error:
        raise CommandError(str(error)) from None


def _summarize(report: verify.Report, *, checkpoint: seals.Checkpoint | None) -> str:
    state = "All is well" if not report.findings else f"{len(report.findings)} findings"
    lines = [f"{state}: {report.seals:,} seals over {report.events:,} events were checked."]
    if report.newest:
        lines.append(f"The newest seal is of {report.newest} UTC.")
    if report.unsealed:
        lines.append(f"{report.unsealed:,} events are not sealed yet; nothing can be said of them.")
    if checkpoint and not report.findings:
        lines.append(f"Nothing up to seal {checkpoint.number} was changed since the checkpoint was made.")
    return "\n".join(lines)
