"""How many web processes there are, and how many connections to PostgreSQL each of them may open."""

import os
import subprocess
import sys

import pytest

from portal import environment
from tests.chaos import stage

ASK = """
from portal import wsgi
from django.conf import settings
from django.db import connections
pool = connections.settings["default"]["OPTIONS"].get("pool", {})
print(settings.WEB_PROCESSES, settings.WEB_CONNECTIONS, pool.get("max_size", 0))
"""


def ask(**variables: str) -> list[int]:
    """Processes and connections as set, and what the pool of a web process then has."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PORTAL_", "WEB_", "DJANGO_"))
    }
    given = {"AGENTSTATION_API_KEY": "key", "SECRET_KEY": "kR8-vZq1Xw5-bN3m" * 4} | variables
    said = subprocess.check_output([sys.executable, "-c", ASK], cwd=stage.ROOT, env=inherited | given, text=True)
    return [int(word) for word in said.split()]


POSTGRES = {"DATABASE_URL": "postgres://portal@127.0.0.1:1/portal"}


def test_web_processes_and_four_workers_leave_some_of_postgresql_s_connections():
    assert ask(**POSTGRES)[0] == min(environment.count_cores(), 8), "one for each core"
    for variables, numbers in (
        ({"WEB_CONCURRENCY": "8"}, [8, 5, 5]),
        ({"WEB_CONCURRENCY": "64"}, [64, 2, 2]),
        ({"PORTAL_LOCAL": "1"}, [1, 10, 10]),
    ):
        assert ask(**POSTGRES, **variables) == numbers


@pytest.mark.parametrize(
    ("share", "cores"), [("50000 100000", 1), ("100000 100000\n", 1), ("max 100000", None), ("", None), (None, None)]
)
def test_a_container_s_share_of_time_counts_as_cores(tmp_path, share, cores):
    if share is not None:
        (tmp_path / "cpu.max").write_text(share)
    assert environment.count_cores(share=tmp_path / "cpu.max") == (cores or len(os.sched_getaffinity(0)))
