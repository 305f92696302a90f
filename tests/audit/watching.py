"""Rounds of the job that checks the audit log, at other times, and what they have found."""

import time
from datetime import timedelta

from portal import models
from portal.db import clock
from portal.services.audit import watch
from tests import factories


def check() -> None:
    """One round, as a worker does it each minute."""
    watch.check_log(lease=factories.acquire_lease(name="check"))


def check_hour_later(monkeypatch, hours: float = 1.0) -> None:
    with monkeypatch.context() as patch:
        move_clock(patch, hours=hours)
        check()


def check_one_step(monkeypatch) -> None:
    """A round that finds its time used up after one step."""
    ticks = iter([0.0, -1.0, *[1.0] * 9])
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: next(ticks))
        check()


def move_clock(patch, *, hours: float) -> None:
    read_clock = clock.read_clock
    patch.setattr(clock, "read_clock", lambda: read_clock() + timedelta(hours=hours))


def list_found() -> list[tuple[str, str]]:
    return list(models.Finding.objects.order_by("id").values_list("kind", "what"))
