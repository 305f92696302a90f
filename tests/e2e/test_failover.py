"""A replica without the last commits takes over, in a PostgreSQL cluster of our own, while a response is awaited."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.sandbox import names
from tests import ports
from tests.chaos import stage
from tests.e2e.conftest import ROOT, check_traces, manage
from tests.provider import server

PEOPLE = """
from django.contrib.auth.models import Group
from portal import models
for name, group in (("alice", "Members"), ("bob", "Members"), ("olga", "Operators")):
    models.User.objects.create_user(username=name).groups.add(Group.objects.get(name=group))
"""
SUBMIT = """
from uuid import uuid4
from portal import models
from portal.services.requests import submissions
person = models.User.objects.get(username={person!r})
print(submissions.submit_request(requester=person, submission=uuid4(), type="python", workspace_uid="", note="").pk)
"""
READ = """
SELECT json_build_object(
    'requests', (
        SELECT json_agg(json_build_array(username, status) ORDER BY request.id)
        FROM portal_request request JOIN portal_user person ON person.id = requester_id
    ),
    'lost_responses', (SELECT count(*) FROM portal_lostresponse),
    'unclaimed', (SELECT count(*) FROM portal_workstation WHERE request_id IS NULL AND ended_at IS NULL),
    'key', (SELECT json_build_array(state, cause) FROM portal_key),
    'doubt', (SELECT doubt FROM portal_database),
    'timeline', (SELECT timeline FROM portal_database),
    'changes', (
        SELECT json_agg(detail::json ->> 'what' ORDER BY id) FROM portal_event WHERE verb = 'database-changed'
    )
)
"""
PUT_BACK = """
from portal import models
from portal.services.key import accounts
from portal.services.reconciliation import restore
olga = models.User.objects.get(username="olga")
print(restore.confirm_database(actor=olga, account=accounts.get_current_account(), was_put_back=True))
"""


class Replicated(stage.Postgres):
    """A cluster with a replica, which takes its place and its port when it fails."""

    def add_replica(self) -> None:
        """Copy the cluster, and take over what it commits since."""
        port = str(self._port)
        self._run(
            "pg_basebackup", "-h", "127.0.0.1", "-p", port, "-U", "portal", "-R", "-c", "fast", "-D", self._replica
        )
        self._start(self._replica, port=ports.find_port())

    def stop_following(self) -> None:
        """End the replica; what it has, it keeps."""
        if self._is_following():
            self._run("pg_ctl", "stop", "-w", "-m", "fast", "-D", self._replica)

    def wait_until_followed(self, *, by: int) -> None:
        """Wait until so many replicas have all that was committed."""
        query = f"SELECT count(*) = {by} FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()"
        assert stage.wait_until(lambda: self.ask(query) == "t", seconds=30)

    def fail_over(self) -> None:
        """The primary dies, and the replica is promoted in its place."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self._data)
        self.stop_following()
        self._start(self._replica, port=self._port)
        self._run("pg_ctl", "promote", "-w", "-D", self._replica)

    def stop(self) -> None:
        super().stop()
        self.stop_following()

    def _is_following(self) -> bool:
        return Path(self._replica, "postmaster.pid").exists()

    @property
    def _replica(self) -> str:
        return f"{self._folder}/replica"

    def _start(self, data: str, *, port: int) -> None:
        options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._folder}"
        options += " -c max_connections=300"
        self._run("pg_ctl", "start", "-w", "-D", data, "-l", f"{self._folder}/log", "-o", options)

    def ask(self, query: str) -> str:
        command = [str(self._programs / "psql"), self.url, "-Atc", query]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


@pytest.fixture
def database() -> Iterator[Replicated]:
    # Not among pytest's own, which the postgres user may not enter.
    with tempfile.TemporaryDirectory(prefix="portal-failover-") as name:
        Path(name).chmod(0o755)
        running = Replicated(Path(name))
        try:
            running.start()
            yield running
        finally:
            running.stop()


@pytest.fixture
def sandbox() -> Iterator[server.Sandbox]:
    with server.Sandbox() as running:
        yield running


class Portal:
    """Workers with what is to them a real key, and what one says to the portal in a shell."""

    def __init__(self, *, database: Replicated, sandbox: server.Sandbox, folder: Path) -> None:
        self._folder, self._database, self._workers = folder, database, list[stage.Actor]()
        self.environment = os.environ | {
            "PORTAL_LOCAL": "1",
            "SECRET_KEY": secrets.token_hex(32),
            "AGENTSTATION_API_KEY": names.DEFAULT_API_KEY,
            "AGENTSTATION_BASE_URL": sandbox.base_url,
            "DATABASE_URL": database.url,
            "PORTAL_JOB_INTERVAL": "0.2",
        }

    def prepare(self) -> None:
        manage("migrate", "--verbosity=0", environment=self.environment)
        self.say(PEOPLE)

    def say(self, code: str) -> str:
        return manage("shell", "--verbosity=0", "-c", code, environment=self.environment)

    def submit(self, person: str) -> int:
        return int(self.say(SUBMIT.format(person=person)))

    def read(self) -> dict[str, object]:
        read: dict[str, object] = json.loads(self._database.ask(READ))
        return read

    def wait_for(self, **expected: object) -> dict[str, object]:
        """Read until it is so."""
        assert stage.wait_until(lambda: expected.items() <= self.read().items(), seconds=60), self.read()
        return self.read()

    def start_worker(self) -> None:
        name = f"worker-{len(self._workers) + 1}"
        command = [sys.executable, str(ROOT / "manage.py"), "work", "--threads", "4"]
        worker = stage.Actor(name=name, command=command, environment=self.environment, log=self._folder / f"{name}.log")
        worker.start()
        self._workers.append(worker)

    def stop(self) -> None:
        for worker in self._workers:
            worker.end()


@pytest.fixture
def portal(database, sandbox, tmp_path) -> Iterator[Portal]:
    running = Portal(database=database, sandbox=sandbox, folder=tmp_path)
    try:
        running.prepare()
        running.start_worker()
        running.submit("alice")
        running.wait_for(requests=[["alice", "SUCCEEDED"]])
        database.add_replica()
        database.wait_until_followed(by=1)
        yield running
        check_traces(running.environment)
    finally:
        sandbox.release()
        running.stop()


def test_nobody_gets_what_was_made_for_a_request_that_was_lost(database, sandbox, portal):
    database.stop_following()
    sandbox.hold()
    portal.submit("alice")
    sandbox.wait_for_posts(2, 30)

    database.fail_over()
    portal.submit("bob")
    portal.start_worker()
    sandbox.release()

    state = portal.wait_for(lost_responses=1)
    assert state["requests"] == [["alice", "SUCCEEDED"], ["bob", "QUEUED"]]
    assert (state["unclaimed"], state["key"]) == (1, ["PAUSED", "database-moved"])
    assert len(sandbox.record()["posts"]) == 2

    assert portal.say(PUT_BACK) == "1"
    assert portal.read()["requests"] == [["alice", "SUCCEEDED"], ["bob", "UNKNOWN"]]


def test_a_promotion_that_lost_nothing_stops_nobody(database, sandbox, portal):
    database.fail_over()
    portal.submit("bob")
    state = portal.wait_for(requests=[["alice", "SUCCEEDED"], ["bob", "SUCCEEDED"]])
    assert (state["doubt"], state["changes"], state["timeline"]) == ("", ["promotion"], 2)
    assert len(sandbox.record()["posts"]) == 2
