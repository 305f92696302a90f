"""The scans that `scan` measures, in the process of a portal."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from unittest.mock import patch

from django.db import transaction

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker
from portal.services.reconciliation import scans
from portal.services.runtime import clients, leases
from tests import factories


def run() -> None:
    """Two scans, a line of JSON for each."""
    make_unknown(days=int(os.environ["DAYS"]))
    for _ in range(2):
        sys.stdout.write(f"{json.dumps(measure())}\n")


def make_unknown(*, days: int) -> None:
    """A request whose attempt is so old and unknown."""
    person = factories.create_user("bench", "Members")
    portal_request = factories.submit(person)
    models.Attempt.objects.create(
        request=portal_request,
        number=1,
        worker="bench",
        claimed_at=Now() - timedelta(days=days),
        deadline_at=Now(),
        ended_at=Now(),
        outcome="UNKNOWN",
        failure="no-answer",
    )
    models.Request.objects.filter(pk=portal_request.pk).update(status="UNKNOWN", failure="no-answer", was_unknown=True)


def measure() -> dict[str, float]:
    """One scan, and how long each of its transactions held what it locked."""
    account, client = accounts.get_current_account(), clients.make_client()
    lease = leases.acquire_lease(name="settle", holder="bench", seconds=3600)
    assert lease is not None
    locks: list[float] = []
    transactions: list[float] = []
    rounds, begun = 1, time.monotonic()
    with (
        patch.object(circuit_breaker, "lock_key", timed(circuit_breaker.lock_key, locks)),
        patch.object(leases, "renew_lease", timed(leases.renew_lease, transactions)),
    ):
        while not (scan := scans.advance_scan(account=account, lease=lease, client=client)).is_over:
            rounds += 1
    seconds = time.monotonic() - begun
    assert scan.is_whole, scan.problem
    return {
        "entries": scan.history_count,
        "seconds": seconds,
        "rounds": rounds,
        "key": max(locks),
        "transaction": max(transactions),
        "p99": sorted(transactions)[len(transactions) * 99 // 100],
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def timed[**P, T](lock: Callable[P, T], held: list[float]) -> Callable[P, T]:
    """The same, noting how long its transaction goes on after it has locked."""

    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        result = lock(*args, **kwargs)
        begun = time.monotonic()
        transaction.on_commit(lambda: held.append(time.monotonic() - begun))
        return result

    return wrapper
