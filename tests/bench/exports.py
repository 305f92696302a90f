"""Exports of everything: how long, how soon the first byte, how much memory, and how other pages fare meanwhile."""

from typing import Any

from tests.bench.calls import Caller
from tests.bench.databases import Database
from tests.bench.figures import Times

PATHS = ("/requests/export.csv", "/requests/export.jsonl")
MOST_MEMORY = 150.0  # MB


def measure_exports(database: Database) -> list[dict[str, Any]]:
    """Each format, in a process of its own, while another reads the history."""
    return [_measure(database, path) for path in PATHS]


def _measure(database: Database, path: str) -> dict[str, Any]:
    exporter, reader = Caller(database), Caller(database)
    try:
        before = exporter.get("/requests/", "auditor")
        beside, alone = Times(), Times()
        for _ in range(20):
            alone.add(reader.get("/requests/", "auditor"))
        exporter.begin(do="get", path=path, person="auditor")
        while not exporter.is_done():
            beside.add(reader.get("/requests/", "auditor"))
        figures = exporter.end()
        assert figures["status"] == 200, f"{path} answered {figures['status']}"
    finally:
        exporter.close()
        reader.close()
    return {
        "path": path, "seconds": figures["wall"], "first": figures["first"], "bytes": figures["size"],
        "rows": figures["rows"], "memory": figures["peak"], "memory_before": before["peak"],
        "page_alone": alone.p95, "page_beside": beside.p95,
    }  # fmt: skip
