"""Memory and processor of all that `make run` starts, while nobody asks for anything."""

import os
import sys
import time

from tests import ports
from tests.bench import figures
from tests.bench.crowd.stores import KINDS
from tests.bench.crowd.subjects import Site
from tests.chaos import stage

_SETTLED_AFTER = 15.0  # seconds from the start
_FOR = 30.0  # seconds


def measure_idle(site: Site) -> dict[str, float]:
    """Of a portal of its own, beside which nothing else runs."""
    store, folder = KINDS[site.vendor](site.folder, "idle"), site.folder
    port, sandbox = ports.find_port(), ports.find_port()
    local = {"PORTAL_LOCAL": "1", "PORT": str(port), "PORTAL_SANDBOX_PORT": str(sandbox), "DATABASE_URL": store.url}
    environment = {**os.environ, "AGENTSTATION_API_KEY": "", "SECRET_KEY": ""} | local
    command = [sys.executable, "manage.py", "run_local"]
    run = stage.Actor(name="make run", command=command, environment=environment, log=folder / "run.log", port=port)
    try:
        run.bring_up()
        time.sleep(_SETTLED_AFTER)
        family = figures.list_family(run.pid)
        memory, used = sum(map(figures.read_memory, family)), sum(map(figures.read_seconds, family))
        time.sleep(_FOR)
        used = sum(map(figures.read_seconds, family)) - used
    finally:
        run.end()
        store.drop()
    return {"make run, MB": memory, "make run, % of a core": 100 * used / _FOR}
