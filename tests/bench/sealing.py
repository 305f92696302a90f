"""`python -m tests.bench.sealing --events N --database sqlite|postgres`: how fast the log is sealed and verified."""

import argparse
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import transaction
from django.utils import timezone

from tests.chaos import inside, stage

GOAL = 20_000  # events a second on one core
_BATCH = 2000


def measure(*, events: int) -> dict[str, float]:
    """Events a second for sealing and for verifying, by processor time and by the clock, over what is in the database.

    Adds as many events first. Django is set up; nobody else uses the database.
    """
    from portal.services.audit import seals, verify
    from portal.services.runtime import leases

    _fill(events)
    lease = leases.acquire_lease(name="seal", holder="bench", seconds=3600)
    assert lease is not None

    def seal() -> int:
        total = 0
        while count := seals.seal_events(lease=lease):
            total += count
        return total

    def check() -> int:
        report = verify.verify_log()
        assert not report.findings, report.findings[0]
        return report.events

    rates = {}
    for name, act in (("seal", seal), ("verify", check)):
        used, begun = time.process_time(), time.perf_counter()
        count = act()
        rates[f"{name}, processor"] = count / (time.process_time() - used)
        rates[f"{name}, clock"] = count / (time.perf_counter() - begun)
    return rates


def _fill(events: int) -> None:
    """As the portal would write them for requests that succeed: submit, claim, answer."""
    from tests.signing import store_events

    model = apps.get_model("portal", "Event")
    for start in range(0, events, _BATCH):
        with transaction.atomic():
            store_events((_make_event(model, number), []) for number in range(start, min(start + _BATCH, events)))


def _make_event(model: Any, number: int) -> Any:
    verb = ("submit", "claim", "response")[number % 3]
    request = number // 3 + 1
    detail = {
        "submit": {"type": "python", "workspace": ""},
        "claim": {"worker": "machine:4711:1764061997"},
        "response": {"outcome": "SUCCEEDED", "failure": "", "before": "SENDING", "after": "SUCCEEDED"},
    }
    return model(
        at=timezone.now(),
        actor_id=request % 50 if verb == "submit" else None,
        actor_name=f"member-{request % 50}" if verb == "submit" else "",
        address="192.0.2.17" if verb == "submit" else "",
        verb=verb,
        target=f"request R-{request}" if verb == "submit" else f"attempt R-{request}, attempt 1",
        request_number=request,
        detail=detail[verb],
    )


def run(*, database: str, events: int) -> None:
    """On a database of its own, made anew and thrown away."""
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the postgres user has to get in
        place = stage.Sqlite(folder) if database == "sqlite" else stage.Postgres(folder)
        place.start()
        try:
            environment = os.environ | {
                "PORTAL_LOCAL": "1",
                "SECRET_KEY": secrets.token_hex(32),
                "DATABASE_URL": place.url,
            }
            command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
            subprocess.run(command, cwd=stage.ROOT, env=environment, check=True)
            inside.open_portal(environment)
            _report(database, events, measure(events=events))
        finally:
            from django.db import connections

            connections.close_all()
            place.stop()


def _report(database: str, events: int, rates: dict[str, float]) -> None:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _print(f"{database}, {events:,} events; goal {GOAL:,} a second on one core; at most {memory:.0f} MB of memory")
    for name, rate in rates.items():
        _print(f"  {name:20} {rate:10,.0f} events a second")


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (a command's own words)


def main() -> None:
    """One run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sealing", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    options = parser.parse_args()
    run(database=options.database, events=options.events)


if __name__ == "__main__":
    main()
