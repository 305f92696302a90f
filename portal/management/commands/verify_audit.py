"""`manage.py verify_audit`: is the audit log as it was written, and each row as it says?"""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.services.audit import comparison, protection, seals, verify
from portal.services.audit.report import KEY, Report

_CHANGED, _UNCHECKED = 1, 2  # what the command ends with


class Command(BaseCommand):
    help = (
        "Check that nothing in the audit log was changed, removed, inserted or re-dated since it was written. Ends with"
        " 0 where all is well; with 1 where something is not as it was, or where the database would not refuse to"
        " change it; with 2 where not all can be checked, because a former audit key is missing, or the checkpoint or"
        " what was sent cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="what export_checkpoint printed once")
        parser.add_argument("--against", type=Path, metavar="FILE", help="what PORTAL_AUDIT_STREAM has sent")
        parser.add_argument("--rows", action="store_true", help="also compare each row with what events tell of it")

    def handle(self, *args: Any, **options: Any) -> None:
        checkpoint = _read_checkpoint(options["checkpoint"]) if options["checkpoint"] else None
        report = verify.verify_log(checkpoint=checkpoint, rows=options["rows"])
        if options["against"]:
            _compare(options["against"], report)
        faults = protection.find_faults()
        for words in [*report.findings, *faults, *_summarize(report)]:
            self.stdout.write(str(words))
        _judge(report, faults=faults)
        upto = f"up to seal {checkpoint.number} by anybody" if checkpoint else "by anybody without the audit key"
        self.stdout.write(f"All is well: nothing was changed {upto}.")


def _read_checkpoint(path: Path) -> seals.Checkpoint:
    try:
        return seals.read_checkpoint(data=json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read as a checkpoint: {error}", returncode=_UNCHECKED) from None
    except seals.NotACheckpoint as error:
        raise CommandError(str(error), returncode=_UNCHECKED) from None


def _compare(path: Path, report: Report) -> None:
    try:
        comparison.compare_sent(path=path, report=report)
    except (OSError, comparison.NothingSent) as error:
        raise CommandError(f"What was sent cannot be compared: {error}", returncode=_UNCHECKED) from None


def _summarize(report: Report) -> list[str]:
    lines = [f"Checked: {_count(report.seals, 'seal')} over {_count(report.events, 'event')}."]
    if report.rows:
        rows = _count(report.rows, "row")
        lines.append(f"Compared: {rows}; not judged, for no event has it: {report.not_judged:,}.")
    if report.pruned:
        lines.append(f"Pruned: {_count(report.pruned, 'event')}, as tombstones say.")
    if report.sent:
        lost = f", of which a restore explains {report.lost:,} that it lost" if report.lost else ""
        lines.append(f"Compared with what was sent: {_count(report.sent, 'event')}{lost}.")
    if report.newest:
        lines.append(f"The newest seal is of {report.newest:%Y-%m-%d %H:%M:%S} UTC.")
    if report.unsealed:
        lines.append(
            f"Not sealed yet: {_count(report.unsealed, 'event')}; were one of these removed, it would not be found."
        )
    if report.findings:
        lines.append(f"Findings: {report.count:,}.")
    return lines


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _judge(report: Report, *, faults: list[str]) -> None:
    """Raise CommandError with what the command ends with, unless all is well."""
    changed = [finding for finding in report.findings if finding.kind != KEY]
    if changed:
        raise CommandError(f"The audit log is not as it was. First finding: {changed[0]}", returncode=_CHANGED)
    if faults:
        words = "Nothing was changed, but the database would not refuse it: run `manage.py migrate`."
        raise CommandError(f"{words} {faults[0]}", returncode=_CHANGED)
    if report.findings:
        words = "Not all of the audit log can be checked. First finding:"
        raise CommandError(f"{words} {report.findings[0]}", returncode=_UNCHECKED)
