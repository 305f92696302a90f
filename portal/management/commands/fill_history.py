"""`manage.py fill_history`: makes up years of history, to measure on."""

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
        self._begun, self._first = time.monotonic(), -1
        try:
            filling.fill_history(plan=plan, report=lambda done: self._report(done, plan.requests))
        except filling.Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"\n{plan.requests:,} requests; took {time.monotonic() - self._begun:.0f} s.")

    def _report(self, done: int, wanted: int) -> None:
        """A bar that is drawn over itself, with the time that is left."""
        if self._first < 0:
            self._first = done
        passed = time.monotonic() - self._begun
        left = passed / (done - self._first) * (wanted - done) if done > self._first else 0.0
        bar = "#" * (_WIDTH * done // max(wanted, 1))
        self.stdout.write(f"\r[{bar:.<{_WIDTH}}] {done:,} of {wanted:,} requests, {left:.0f} s left  ", ending="")
        self.stdout.flush()
