"""`manage.py fill_history`: makes up years of history, to measure on."""

import logging
import time
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import filling

_WIDTH = 40


class Command(BaseCommand):
    """Fills an empty database with requests and all that belongs to them. Stopped and called again, it goes on."""

    help = "Fill an empty database with made-up history, to measure pages on. Only with PORTAL_LOCAL and the sandbox."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--requests", type=int, default=1_000_000)
        parser.add_argument("--people", type=int, default=300)
        parser.add_argument("--days", type=int, default=730)
        parser.add_argument(
            "--until",
            type=date.fromisoformat,
            default=None,
            help="the last day; default: the one before the filling began",
        )
        parser.add_argument("--seed", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        plan = filling.Plan(
            requests=options["requests"],
            people=options["people"],
            days=options["days"],
            until=options["until"],
            seed=options["seed"],
        )
        # Each seal is a line of the log; here there are thousands.
        logging.getLogger("portal.services.audit.seals").setLevel(logging.WARNING)
        begun, self._what, self._done = time.monotonic(), "", 0
        try:
            filling.fill_history(plan=plan, report=self._report)
        except filling.Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self._finish()
        self.stdout.write(f"Done in {time.monotonic() - begun:.0f} s.")

    def _report(self, what: str, done: int, total: int) -> None:
        if what != self._what:
            self._finish()
            self._what, self._begun, self._first = what, time.monotonic(), done
        self._done = done
        if self.stderr.isatty():
            self._draw(total)

    def _draw(self, total: int) -> None:
        """A bar that is drawn over itself, with the seconds that have passed and that are left."""
        passed, new = time.monotonic() - self._begun, self._done - self._first
        left = passed / new * (total - self._done) if new else 0.0
        bar = "#" * (_WIDTH * self._done // max(total, 1))
        times = f"{passed:.0f} s, {left:.0f} s left"
        self.stderr.write(f"\r[{bar:.<{_WIDTH}}] {self._done:,} of {total:,} {self._what}; {times}   ", ending="")
        self.stderr.flush()

    def _finish(self) -> None:
        """Say how long the last of the things done took."""
        if self._what:
            new = self._done - self._first
            start = "\n" if self.stderr.isatty() else ""
            self.stdout.write(f"{start}{new:,} {self._what} in {time.monotonic() - self._begun:.0f} s.")
