"""A process of the portal that reads lists and says what each cost: `python -m tests.bench.inside ROUNDS WORDS`.

They go through the WSGI application, as gunicorn's do, on the connection to the database that a thread of gunicorn
keeps. Of each list whose name has the words, one line of JSON.
"""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.test import Client, RequestFactory

if not apps.ready:  # models can be read only now
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()

from portal import models
from tests.bench import cases

_ROW = re.compile(rb"<tr\b")
_WARM = 2  # calls before any counts


class Reader:
    def __init__(self) -> None:
        self._application: Any = get_wsgi_application()
        self._sessions: dict[str, str] = {}
        self._queries = 0
        self._backends: dict[int, Path] = {}  # processes of PostgreSQL on this machine that worked for us

    def measure(self, case: cases.Case) -> dict[str, Any]:
        environ, self._queries, rows = self._make_environ(case), 0, 0
        with connection.execute_wrapper(self._note_query):
            before, begun, used = self._read_backends(), time.perf_counter(), time.process_time()
            response = self._application(environ, lambda *_: len)  # nobody writes by what it returns
            assert response.status_code == 200, f"{case.path} answered {response.status_code}"
            for chunk in response:
                rows += len(_ROW.findall(chunk))
            response.close()
            wall, cpu = time.perf_counter() - begun, time.process_time() - used
        cpu += sum(after - before.get(pid, after) for pid, after in self._read_backends().items())
        return {"wall": wall, "cpu": cpu, "queries": self._queries, "rows": rows}

    def _note_query(self, execute: Any, *query: Any) -> Any:
        self._queries += 1
        result = execute(*query)
        if connection.vendor == "postgresql":
            pid = connection.connection.info.backend_pid
            self._backends[pid] = Path(f"/proc/{pid}/schedstat")
        return result

    def _read_backends(self) -> dict[int, float]:
        """Processor time that each of them has had, in seconds; of a server elsewhere nothing is known."""
        return {pid: int(path.read_text().split()[0]) / 1e9 for pid, path in self._backends.items() if path.exists()}

    def _make_environ(self, case: cases.Case) -> dict[str, Any]:
        """A GET as gunicorn hands it over. No compression, so that rows can be counted."""
        if case.person not in self._sessions:
            client = Client()
            client.force_login(models.User.objects.get(username=case.person))
            self._sessions[case.person] = client.cookies[settings.SESSION_COOKIE_NAME].value
        headers = {"host": "127.0.0.1:8000", "cookie": f"{settings.SESSION_COOKIE_NAME}={self._sessions[case.person]}"}
        environ: dict[str, Any] = RequestFactory(headers=headers).get(case.path).environ
        return environ


def read_facts() -> dict[str, Any]:
    rows = models.Request.objects.order_by("pk")
    count = rows.count()
    workstation = models.Workstation.objects.order_by("pk")[count // 3]
    return {
        "requests": count, "attempts": models.Attempt.objects.count(), "events": models.Event.objects.count(),
        "workstations": models.Workstation.objects.count(), "deep": rows[count // 10].pk, "person": "member-07",
        "since": rows[count // 2].created_at.date().isoformat(), "workstation": workstation.uid,
        "until": rows[count // 2 + count // 10].created_at.date().isoformat(),
    }  # fmt: skip


def main() -> None:
    """Measure them in turns, so that nothing meets one of them alone."""
    rounds, words, reader = int(sys.argv[1]), sys.argv[2], Reader()
    listed = [case for case in cases.list_cases(read_facts()) if words in case.name]
    calls: dict[str, list[dict[str, Any]]] = {case.name: [] for case in listed}
    for number in range(-_WARM, rounds):
        for case in listed:
            call = reader.measure(case)
            if number >= 0:
                calls[case.name].append(call)
    json.dump({case.name: {"goal": case.goal, "calls": calls[case.name]} for case in listed}, sys.stdout)


if __name__ == "__main__":
    main()
