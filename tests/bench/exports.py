"""Exports of everything: how long, how soon the first byte, how much memory, and how other pages fare meanwhile."""

from typing import Any

from tests.bench.calls import Caller
from tests.bench.databases import Database
from tests.bench.figures import Times

PATHS = ("/requests/export.csv", "/requests/export.jsonl")
MOST_MEMORY = 150.0  # MB
_ALONE = 40  # calls of a page before


def measure_exports(database: Database) -> list[dict[str, Any]]:
    """Each format, in a process that answers other pages on another thread, as one of gunicorn does."""
    return [_measure(database, path) for path in PATHS]


def _measure(database: Database, path: str) -> dict[str, Any]:
    caller = Caller(database)
    try:
        alone, beside = Times(), Times()
        for _ in range(_ALONE):
            alone.add(before := caller.get("/requests/", "auditor"))
        caller.ask(do="begin", path=path, person="auditor")
        while not (figures := caller.ask(do="end"))["is_done"]:
            beside.add(caller.get("/requests/", "auditor"))
    finally:
        caller.close()
    return {
        "path": path, "seconds": figures["seconds"], "first": figures["first"], "bytes": figures["size"],
        "rows": figures["rows"] - path.endswith("csv"),  # one line names the columns
        "memory": figures["peak"], "memory_before": before["peak"],
        "page_alone": alone.p95, "page_beside": beside.p95,
    }  # fmt: skip
