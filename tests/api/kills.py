"""Kills of processes while programs request workstations.

Web, `/v1` and worker are processes, which are killed by SIGKILL, one of them or all at once; a client's connection is
cut, as it is when its process dies. Then what programs were told is compared with what portal and provider have.
"""

import contextlib
import http.client
import itertools
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests import ports
from tests.chaos import stage
from tests.provider import control

VICTIMS = ("web", "api", "worker", "client", "all")
TYPES = ("python", "golang", "nodejs", "max")  # of programs with a key; what each makes is known by it
PATIENCE, ANSWERED_AFTER = 240.0, 0.4  # seconds
_PEOPLE = """
from django.contrib.auth.models import Group
from portal import models
person = models.User.objects.create_user("alice", password=None)
person.groups.add(Group.objects.get(name="Members"))
"""
_BOOKS = """
import json
from portal import models
rows = models.Request.objects.values_list("other_fields", "status", "workstation__uid", "operator_note")
print(json.dumps([*rows]))
"""
_UNSETTLED = ("QUEUED", "SENDING", "UNKNOWN")


@dataclass
class Told:
    """What programs were told of each of their wishes, by its name."""

    keyed: dict[str, str] = field(default_factory=dict)
    plain: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)  # 503, without a key
    begun: set[str] = field(default_factory=set)  # without a key
    odd: list[str] = field(default_factory=list)
    statuses: Counter[object] = field(default_factory=Counter)


class Program(threading.Thread):
    """Requests one workstation after the other, of the type that it is called after, until it is stopped: with a key
    each, or without one."""

    def __init__(self, *, name: str, port: int, secret: str, has_key: bool, told: Told) -> None:
        super().__init__(name=name, daemon=True)
        self.stopping, self.asking = threading.Event(), threading.Event()
        self._port, self._secret, self._has_key, self._told = port, secret, has_key, told
        self._connection: http.client.HTTPConnection | None = None
        self._unanswered: list[str] = []  # for as long as a program has patience

    def run(self) -> None:
        for number in itertools.count():
            if self.stopping.is_set():
                return
            wish = f"{self.name} {number}"
            self._request_keyed(wish) if self._has_key else self._request_plain(wish)

    def cut(self) -> None:
        """As if the process died in the middle of its call."""
        with contextlib.suppress(OSError, AttributeError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]

    def ask_again(self) -> None:
        """With the same keys, for what was not known yet."""
        unanswered, self._unanswered = self._unanswered, []
        for wish in unanswered:
            self._request_keyed(wish)
        self._told.odd.extend(f"{wish}: nobody knows of it" for wish in self._unanswered)

    def _request_keyed(self, wish: str) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            status, document = self._post(wish)
            if status == 200:
                self._told.keyed[wish] = document["id"]
                return
            if status not in (None, 503, 504):
                self._told.odd.append(f"{wish}: {status} {document}")
                return
            self.stopping.wait(0.1)
        self._unanswered.append(wish)

    def _request_plain(self, wish: str) -> None:
        """Whatever dies, it asks for the same again, until something is known of it."""
        end, status = time.monotonic() + PATIENCE, None
        self._told.begun.add(wish)
        while status in (None, 504) and time.monotonic() < end:
            status, document = self._post(wish)
            if status == 200:
                self._told.plain[wish] = document["id"]
            elif status == 503:
                self._told.refused.add(wish)
            self.stopping.wait(0.1)
        if status not in (None, 200, 503, 504):
            self._told.odd.append(f"{wish}: {status} {document}")

    def _post(self, wish: str) -> tuple[int | None, Any]:
        body = json.dumps({"type": self.name, "lifetime": "2h", "name": wish})
        headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json", "Connection": "close"}
        headers |= {"Idempotency-Key": wish} if self._has_key else {}
        connection = self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        status = document = None
        stage.wait_until(lambda: stage.is_answering(self._port), seconds=PATIENCE)
        try:
            connection.request("POST", "/v1/workstations", body=body, headers=headers)
            self.asking.set()
            answer = connection.getresponse()
            document = json.loads(answer.read())
            if answer.status != 503 or "X-Portal-Status" in answer.headers:  # else another was to be told it, and died
                status = answer.status
        except (OSError, http.client.HTTPException, ValueError):
            pass  # whoever was to answer, or to hear it, has died
        finally:
            self.asking.clear()
            connection.close()
        self._told.statuses[status] += 1
        return status, document


class Rehearsal:
    def __init__(self, *, folder: Path, database: str, seed: int) -> None:
        self.stage = stage.Stage(folder=folder, database=database, workers=1, enabled=frozenset())
        self._port, self._chance = ports.find_port(), random.Random(seed)
        own = {"PORTAL_API_PORT": str(self._port), "PORTAL_API_WAIT": "1", "WEB_CONCURRENCY": "1"}
        own |= {"PORTAL_RECONCILE_GRACE": "1", "PORTAL_SCAN_INTERVAL": "1"}
        self.environment = self.stage.environment | own
        self.api = stage.Actor(
            name="api",
            command=[sys.executable, str(stage.ROOT / "manage.py"), "api"],
            environment=self.environment,
            log=folder / "api.log",
            port=self._port,
        )
        # Longer than one that a killed process was to tell is kept for its program: it does not end meanwhile.
        self.stage.sandbox.command += ["--lifetime", "120"]
        for actor in (self.stage.web, *self.stage.workers):
            actor.environment = self.environment
        self.told, self.kills, self.programs = Told(), Counter[str](), list[Program]()

    def start(self) -> None:
        self.stage.prepare()
        self.stage.start()
        self.api.bring_up()
        faults = {"mix": [{"on": "POST /workstations", "delay": ANSWERED_AFTER, "share": 1.0}]}
        self._control("POST", "faults", json=faults)
        self._manage("shell", "-v0", "-c", _PEOPLE)
        secret = self._manage("create_token", "alice", "--scopes", "read,request").strip()
        for kind in (*TYPES, "chromium"):
            has_key = kind in TYPES
            program = Program(name=kind, port=self._port, secret=secret, has_key=has_key, told=self.told)
            self.programs.append(program)
            program.start()

    def kill(self, victim: str) -> None:
        """In the middle of a POST."""
        keyed = self.programs[: len(TYPES)]
        asking = self._chance.choice(keyed)
        asking.asking.wait(PATIENCE)
        time.sleep(self._chance.uniform(0, 1.2 * ANSWERED_AFTER))  # at any place of its way
        actors = {"web": self.stage.web, "api": self.api, "worker": self.stage.workers[0]}
        killed = [actors[victim]] if victim in actors else [*actors.values()] if victim == "all" else []
        for actor in killed:
            actor.signal_group(signal.SIGKILL)
        if victim in ("client", "all"):
            asking.cut()
        for actor in killed:
            assert actor.process is not None
            actor.process.wait()
            actor.start()
        self.kills[victim] += 1
        before = len(self.told.keyed)
        if not stage.wait_until(lambda: len(self.told.keyed) > before, seconds=PATIENCE):
            raise stage.CannotStage(f"nobody is answered any more after {dict(self.kills)}; see {self.stage.folder}")

    def finish(self) -> list[str]:
        """What is wrong, once all is settled."""
        for program in self.programs:
            program.stopping.set()
        for program in self.programs:
            program.join(PATIENCE + 60)
        stage.wait_until(lambda: not any(row[1] in _UNSETTLED for row in self._read_books()), seconds=PATIENCE)
        for program in self.programs:
            program.ask_again()
        made = [one["uid"] for one in self._control("GET", "record").json()["workstations"]]
        traces = self._manage(*stage.REPLAY).splitlines()
        return [*self.told.odd, *compare(self.told, self._read_books(), made), *traces[1:]]

    def stop(self) -> None:
        self.api.end()
        self.stage.stop()

    def _read_books(self) -> list[Any]:
        rows: list[Any] = json.loads(self._manage("shell", "-v0", "-c", _BOOKS))
        return rows

    def _control(self, method: str, what: str, **options: Any) -> requests.Response:
        url = f"{self.stage.provider}/control/{what}"
        answer = requests.request(method, url, headers=control.HEADERS, timeout=60, **options)
        answer.raise_for_status()
        return answer

    def _manage(self, *words: str) -> str:
        command = [sys.executable, str(stage.ROOT / "manage.py"), *words]
        done = subprocess.run(command, cwd=stage.ROOT, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout


def compare(told: Told, books: list[Any], made: list[str]) -> list[str]:
    """Where exactly one workstation for each key is not there, or more than one without, or one that nobody has."""
    wrong, by_wish = [], defaultdict[str, list[tuple[str, str]]](list)
    for fields, status, uid, note in books:
        by_wish[json.loads(fields)["name"]].append((status, uid))
        if status in _UNSETTLED:
            wrong.append(f"{fields} is {status} still: {note}")
    for wish, uid in told.keyed.items():
        if by_wish[wish] != [("SUCCEEDED", uid)]:
            wrong.append(f"{wish}: told {uid}, and there is {by_wish[wish]}")
    for wish in told.begun:
        uids = [uid for status, uid in by_wish[wish] if status != "CANCELLED"]
        told_uids = [told.plain[wish]] if wish in told.plain else []
        if len(uids) > 1 or (told_uids and uids != told_uids) or (wish in told.refused and uids):
            wrong.append(f"{wish}: told {told_uids or wish in told.refused}, and there is {by_wish[wish]}")
    owned = Counter(uid for rows in by_wish.values() for _, uid in rows if uid)
    if Counter(made) != owned:
        wrong.append(f"made for nobody: {Counter(made) - owned}; never made: {owned - Counter(made)}")
    return wrong


def rehearse(*, folder: Path, database: str, times: int, seconds: float, seed: int) -> tuple[Rehearsal, list[str]]:
    """Raises stage.CannotStage."""
    rehearsal, end = Rehearsal(folder=folder, database=database, seed=seed), time.monotonic() + seconds
    try:
        rehearsal.start()
        for victim in itertools.islice(itertools.cycle(VICTIMS), times):
            if time.monotonic() > end:
                break
            rehearsal.kill(victim)
        return rehearsal, rehearsal.finish()
    finally:
        rehearsal.stop()
