"""The audit log: how fast it is sealed and verified. Goals: 20,000 events a second on one core, in constant memory."""

import os
import re
import subprocess
import sys
import time
from typing import Any

from tests.bench.databases import ROOT, Database

LEAST_RATE = 20_000  # events a second of processor time
_SAMPLE = 200_000  # events that are sealed in a database of their own


def measure_record(database: Database, *, events: int) -> list[dict[str, Any]]:
    """Verify all of a large record; seal and verify a smaller one."""
    used, seconds, memory = _run_command(database)
    whole = {"name": "verify", "events": events, "rate": events / used, "seconds": seconds, "memory": memory}
    return [*_measure_sample(database), whole]


def _run_command(database: Database) -> tuple[float, float, float]:
    """`manage.py verify_audit`: seconds of processor time and by the clock, and MB at most."""
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "verify_audit"], cwd=ROOT, env=database.environment, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, "the made-up record does not prove to be unaltered"
    return usage.ru_utime + usage.ru_stime, time.monotonic() - begun, usage.ru_maxrss / 1024


def _measure_sample(database: Database) -> list[dict[str, Any]]:
    vendor = "sqlite" if database.vendor == "sqlite" else "postgres"
    command = [sys.executable, "-m", "tests.bench.sealing", "--events", str(_SAMPLE), "--database", vendor]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    memory = re.search(r"at most (\d+) MB", text)
    found = re.findall(r"^  ([a-z, ]+?) +([\d,]+) events", text, re.MULTILINE)
    rates = {name: float(rate.replace(",", "")) for name, rate in found}
    return [
        {
            "name": name,
            "events": _SAMPLE,
            "rate": rates[f"{name}, processor"],
            "seconds": _SAMPLE / rates[f"{name}, clock"],
            "memory": float(memory[1]) if memory else 0.0,
        }
        for name in ("seal", "verify")
    ]
