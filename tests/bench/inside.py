"""A process of the portal that answers one call at a time and says what it cost: `python -m tests.bench.inside`.

Reads a call as a line of JSON, writes its figures as another. The calls go through the WSGI application, as gunicorn's
do, with the connection to the database that a thread of gunicorn keeps.
"""

import io
import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import django
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.db.models import Count, Max

_ROW = re.compile(rb"<tr\b")
_TOKEN = "a" * 32  # by which a form is known to be the portal's own
_SLOW = 0.02  # seconds; of slower queries the plan is told


class Portal:
    """The application, and a session for each person who calls."""

    def __init__(self) -> None:
        self._application = get_wsgi_application()
        self._sessions: dict[str, str] = {}
        self._queries: list[tuple[float, str, Any]] = []
        self._backends: dict[int, Path] = {}  # processes of PostgreSQL on this machine that worked for us
        self._beside = ThreadPoolExecutor(max_workers=1)
        self._begun: Future[dict[str, Any]] | None = None

    def answer(self, call: dict[str, Any]) -> dict[str, Any]:
        """What the call cost, or what was asked."""
        if call["do"] == "facts":
            return read_facts()
        if call["do"] == "submit":
            return self._measure(lambda: submit(call["person"]))
        if call["do"] == "end":
            return self._end()
        session = self._find_session(call["person"])
        if call["do"] == "begin":
            self._begun = self._beside.submit(self._read, call["path"], session)
            return {}
        figures = self._measure(lambda: self._read(call["path"], session))
        if call.get("explain"):
            figures["plans"] = [explain(*query) for query in sorted(self._queries, key=lambda query: -query[0])[:2]]
        return figures

    def _measure(self, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What it says of itself, with the time it took and how many queries it made."""
        self._queries = []
        with connection.execute_wrapper(self._note_query):
            database, wall, cpu = self._read_database_time(), time.perf_counter(), time.process_time()
            figures = act()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            cpu += sum(after - database.get(pid, after) for pid, after in self._read_database_time().items())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return figures | {"wall": wall, "cpu": cpu, "queries": len(self._queries), "peak": peak}

    def _end(self) -> dict[str, Any]:
        """The figures of what was begun on another thread, as gunicorn has several, and what the process needed."""
        if self._begun is None or not self._begun.done():
            return {"is_done": False}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return self._begun.result() | {"is_done": True, "peak": peak}

    def _read(self, path: str, session: str) -> dict[str, Any]:
        """Read a page to its last byte, and keep nothing of it."""
        status = ""

        def start(code: str, headers: Any, error: Any = None, /) -> Callable[[bytes], object]:
            nonlocal status
            status = code
            return len  # nobody writes by it

        begun = time.perf_counter()
        response = self._application(make_environ(path, session), start)
        size, rows, first = 0, 0, 0.0
        for chunk in response:
            first = first or time.perf_counter() - begun
            size += len(chunk)
            rows += len(_ROW.findall(chunk)) or ("export" in path and chunk.count(b"\n"))
        response.close()
        took = time.perf_counter() - begun
        return {"status": int(status.split()[0]), "size": size, "rows": rows, "first": first, "seconds": took}

    def _note_query(self, execute: Any, sql: str, values: Any, many: bool, context: Any) -> Any:
        begun = time.perf_counter()
        try:
            return execute(sql, values, many, context)
        finally:
            self._queries.append((time.perf_counter() - begun, sql, values))
            if connection.vendor == "postgresql":
                pid = connection.connection.info.backend_pid
                self._backends[pid] = Path(f"/proc/{pid}/schedstat")

    def _read_database_time(self) -> dict[int, float]:
        """Processor time that each of them has had, in seconds; of a server elsewhere nothing is known."""
        return {pid: int(path.read_text().split()[0]) / 1e9 for pid, path in self._backends.items() if path.exists()}

    def _find_session(self, name: str) -> str:
        if name not in self._sessions:
            self._sessions[name] = make_session(name)
        return self._sessions[name]


def submit(name: str) -> dict[str, Any]:
    """As the form does it, in a transaction that is undone: the database stays as it was filled."""
    from portal import models
    from portal.services.requests import submissions

    person = models.User.objects.get(username=name)
    with transaction.atomic():
        submissions.submit_request(requester=person, submission=uuid4(), type="python", workspace_uid="", note="A note")
        transaction.set_rollback(True)
    return {"status": 200, "size": 0, "rows": 0, "first": 0.0}


def make_session(name: str) -> str:
    """The key of a session in which the person is signed in."""
    from portal import models

    person = models.User.objects.get(username=name)
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.create()
    return str(session.session_key)


def make_environ(path: str, session: str) -> dict[str, Any]:
    """A GET as gunicorn hands it over. No compression, so that rows can be counted."""
    path, _, query = path.partition("?")
    return {
        "REQUEST_METHOD": "POST" if "/export." in path else "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_COOKIE": f"sessionid={session}; csrftoken={_TOKEN}",
        "HTTP_X_CSRFTOKEN": _TOKEN,
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
    }


def explain(seconds: float, sql: str, values: Any) -> dict[str, Any]:
    """A query with its plan, where it was slow."""
    plan: list[str] = []
    if seconds > _SLOW and sql.lstrip().upper().startswith(("SELECT", "WITH")):
        words = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
        with connection.cursor() as cursor:
            cursor.execute(words + sql, values)
            plan = [str(row[-1]) for row in cursor.fetchall()]
    return {"ms": round(seconds * 1000, 1), "sql": sql, "values": repr(values), "plan": plan}


def read_facts() -> dict[str, Any]:
    """What addresses are made of."""
    from portal import models

    count = models.Request.objects.aggregate(Max("pk"))["pk__max"]
    people = models.Request.objects.values_list("requester__username").annotate(number=Count("pk")).order_by("-number")
    names = [name for name, _ in people]
    start = models.Request.objects.get(pk=count // 2)
    end = models.Request.objects.get(pk=count // 2 + count // 10)
    workstation = models.Workstation.objects.filter(request__gte=count // 3).order_by("pk").first()
    assert workstation
    assert workstation.workspace
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
        version = cursor.fetchone()[0]
    return {
        "vendor": connection.vendor, "version": version, "requests": count, "heavy": names[0], "light": names[-1],
        "since": start.created_at.date().isoformat(), "until": end.created_at.date().isoformat(),
        "workstation": workstation.uid, "of_workstation": workstation.request_id,
        "workspace": workstation.workspace.uid,
        "attempts": models.Attempt.objects.aggregate(Max("pk"))["pk__max"],
        "events": models.Event.objects.aggregate(Max("pk"))["pk__max"],
        "workstations": models.Workstation.objects.count(),
        "django": django.get_version(),
    }  # fmt: skip


def main() -> None:
    """Answer until the input ends."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.settings"
    django.setup()
    portal = Portal()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(portal.answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
