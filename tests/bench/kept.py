"""What a run has measured, kept beside the databases: tables can be written of runs that were made apart."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.databases import FOLDER
from tests.bench.figures import Result, Times

type Run = dict[str, Any]


def keep_run(run: Run, many: int) -> None:
    """In place of the last one of this engine with as many requests."""
    text = json.dumps(run | {"results": [asdict(one) for one in run["results"]]}, indent=1)
    _find(run["vendor"], many).write_text(text)


def read_run(vendor: str, many: int) -> Run:
    """The last one; empty where there is none."""
    path = _find(vendor, many)
    if not path.exists():
        return {}
    run: Run = json.loads(path.read_text())
    return run | {"results": [_read_result(values) for values in run["results"]]}


def _find(vendor: str, many: int) -> Path:
    return FOLDER / f"figures-{vendor}-{many}.json"


def _read_result(values: dict[str, Any]) -> Result:
    times = {name: Times(**values[name]) for name in ("few", "many", "plain_few", "plain_many") if values[name]}
    return Result(**(values | times))
