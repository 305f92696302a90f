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
        logging.getLogger("portal.services.seals").setLevel(logging.WARNING)
        begun, self._what = time.monotonic(), ""
        try:
            filling.fill_history(plan=plan, report=self._report)
        except filling.Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"\nDone in {time.monotonic() - begun:.0f} s.")

    def _report(self, what: str, done: int, total: int) -> None:
        """A bar that is drawn over itself, with the time that has passed and that is left; one for each thing done."""
        if what != self._what:
            self.stdout.write("\n" if self._what else "", ending="")
            self._what, self._begun, self._first = what, time.monotonic(), done
        passed = time.monotonic() - self._begun
        left = passed / (done - self._first) * (total - done) if done > self._first else 0.0
        bar = "#" * (_WIDTH * done // max(total, 1))
        times = f"{passed:.0f} s, {left:.0f} s left"
        self.stdout.write(f"\r[{bar:.<{_WIDTH}}] {done:,} of {total:,} {what}; {times}   ", ending="")
        self.stdout.flush()
