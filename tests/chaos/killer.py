"""The killer: again and again something dies, is told to end, freezes, or loses its database."""

import contextlib
import math
import os
import random
import resource
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos import habits, inside, slowness, stage

# Longer than an attempt's deadline and the grace for settling: what wakes up finds that the others went on.
LONG_STOP = stage.DEADLINE + stage.SETTLE_GRACE + 2.0
_THREADS_AT_WORK = 16  # a worker has them once it has begun to send
_SETTLED_AFTER = 3.0  # seconds
DAY = 86_400
EVERY = 0.75  # seconds between two deeds, on average; what dies needs time to start
DAYS_AHEAD_FOR = 10.0
SLOW_FOR = (3.0, 8.0)
LOCK_TIMEOUT = 8.0  # seconds: as in settings.DATABASE
WORKS_FOR = 6.0  # two graces


@dataclass(kw_only=True)
class Deeds:
    counts: Counter[str] = field(default_factory=Counter)
    # Processes that were killed or frozen: answers to their calls may be missing.
    disturbed: set[int] = field(default_factory=set)
    # (from, until) in seconds since 1970: when the database, or a whole web server, was away.
    troubles: list[tuple[float, float]] = field(default_factory=list)
    # (from, until): when a process of a web server was frozen.
    web_stops: list[tuple[float, float]] = field(default_factory=list)
    # When the clock of the machines stepped.
    steps: list[float] = field(default_factory=list)
    # Processes that did not end within stage.END_WITHIN of a SIGTERM.
    lingering: list[str] = field(default_factory=list)


class Killer(stage.Part):
    def __init__(self, *, scene: stage.Stage, seed: int) -> None:
        super().__init__()
        self.deeds = Deeds()
        self._stage, self._chance = scene, random.Random(seed)
        self._thaw: list[tuple[float, int]] = []
        self._repertoire: list[tuple[float, Callable[[], None]]] = [
            (20, self._kill_worker),
            (12, self._end_worker),
            (15, lambda: self._freeze_worker(self._chance.uniform(0.1, 1.5))),
            (8, lambda: self._freeze_worker(LONG_STOP)),
            (4, self._kill_web_child),
            (4, self._freeze_web_child),
            (1, self._kill_web),
            (1, lambda: self._end(scene.web)),
            (5, self._trouble_database),
            (2, lambda: self._end(scene.sandbox)),
        ]
        for habit, weight, deed in (
            (habits.CLOCK_STEPS, 2, self._step_clock),
            (habits.COPY, 4, self._start_copy),
            (habits.KILLED_CALLS, 10, self._kill_callers),
            (habits.SLOW_COMMITS, 4, self._slow_commits),
        ):
            if habit in scene.habits:
                self._repertoire.append((weight, deed))
        self._seen: dict[int, float] = {}  # since when there are the processes of the web server
        # When a clock that is days ahead is put right again, and commits that are slow are quick again.
        self._right_at = self._quick_at = math.inf

    def calm(self) -> None:
        self.stop()
        for _, pid in self._thaw:
            _signal(pid, signal.SIGCONT)
        if self._right_at < math.inf:
            self._right_clock()
        if isinstance(self._stage.database, stage.Postgres):
            slowness.clear(self._stage.database.url)
        if self._stage.copy is not None:
            self._stage.copy.end()
        self._bring_all_back()

    def restart_in_turn(self, *, seconds: float, is_over: Callable[[], bool]) -> None:
        """In the calm: end each worker when it has worked for a while, so that none does for as long as four graces."""
        end, since = time.monotonic() + seconds, dict[int, float]()
        while not is_over() and time.monotonic() < end:
            for actor in self._stage.workers:
                self._bring_back(actor)
                if actor.count_threads() <= _THREADS_AT_WORK:
                    continue
                if time.monotonic() - since.setdefault(actor.pid, time.monotonic()) > WORKS_FOR:
                    self._end(actor)
            time.sleep(0.5)
        self._bring_all_back()

    def run(self) -> None:
        due = time.monotonic()
        while not self.stopping.wait(0.1):
            self._thaw_due()
            if time.monotonic() >= self._right_at:
                self._right_clock()
            if time.monotonic() >= self._quick_at:
                self._be_quick()
            for actor in self._stage.actors:
                self._bring_back(actor)
            for pid in self._stage.web.list_children():
                self._is_settled(pid)
            if time.monotonic() >= due:
                weights = [weight for weight, _ in self._repertoire]
                self._chance.choices([deed for _, deed in self._repertoire], weights)[0]()
                due = time.monotonic() + EVERY * self._chance.uniform(0.4, 1.6)

    # --- Bringing back ---

    def _bring_all_back(self) -> None:
        for actor in self._stage.actors:
            if actor.ending_since and not stage.wait_until(actor.has_ended, seconds=stage.END_WITHIN):
                self._note_lingering(actor)
            self._bring_back(actor)

    def _bring_back(self, actor: stage.Actor) -> None:
        if not actor.is_alive():
            actor.signal_group(signal.SIGKILL)  # gunicorn's children, whom a killed parent leaves behind
            actor.start()
        elif actor.ending_since and time.monotonic() - actor.ending_since > stage.END_WITHIN:
            self._note_lingering(actor)

    def _note_lingering(self, actor: stage.Actor) -> None:
        self.deeds.lingering.append(f"{actor.name} ({actor.pid})")
        self.deeds.disturbed.add(actor.pid)
        actor.abort()

    def _thaw_due(self) -> None:
        now = time.monotonic()
        for _, pid in [entry for entry in self._thaw if entry[0] <= now]:
            _signal(pid, signal.SIGCONT)
        self._thaw = [entry for entry in self._thaw if entry[0] > now]

    # --- Deeds ---

    def _choose_worker(self) -> stage.Actor | None:
        """One that runs, and is neither frozen nor ending; and only while another one is left that works already."""
        now = time.monotonic()
        free = [
            actor
            for actor in self._stage.workers
            if actor.is_alive() and not actor.ending_since and actor.stopped_until < now
        ]
        working = [actor for actor in free if actor.count_threads() > _THREADS_AT_WORK]
        chosen = [actor for actor in free if working not in ([], [actor])]
        return self._chance.choice(chosen) if chosen else None

    def _kill_worker(self) -> None:
        if actor := self._choose_worker():
            self._kill(actor, "worker SIGKILL")

    def _kill(self, worker: stage.Actor, deed: str) -> None:
        self.deeds.counts[deed] += 1
        self.deeds.disturbed.add(worker.pid)
        worker.signal_group(signal.SIGKILL)

    def _end_worker(self) -> None:
        if actor := self._choose_worker():
            self._end(actor)

    def _end(self, actor: stage.Actor) -> None:
        if not actor.ending_since:
            self.deeds.counts[f"{actor.name.partition('-')[0]} SIGTERM"] += 1
            actor.ending_since = time.monotonic()
            actor.signal(signal.SIGTERM)

    def _kill_callers(self) -> None:
        """All workers that have calls in flight, as where a machine dies; each is started again at once."""
        calling = inside.list_calling()
        for actor in self._stage.workers:
            if actor.is_alive() and actor.pid in calling:
                self._kill(actor, "worker SIGKILL in a call")

    def _freeze_worker(self, seconds: float) -> None:
        if actor := self._choose_worker():
            self.deeds.counts[f"worker SIGSTOP {'long' if seconds >= LONG_STOP else 'short'}"] += 1
            self.deeds.disturbed.add(actor.pid)
            actor.stopped_until = time.monotonic() + seconds
            self._freeze(actor.pid, seconds)

    def _freeze(self, pid: int, seconds: float) -> None:
        _signal(pid, signal.SIGSTOP)
        self._thaw.append((time.monotonic() + seconds, pid))

    def _choose_web_child(self) -> int | None:
        """One of the web server's, and only while another one is left that serves already."""
        frozen = {pid for _, pid in self._thaw}
        children = self._stage.web.list_children()
        serving = [pid for pid in children if pid not in frozen and self._is_settled(pid)]
        chosen = [pid for pid in children if serving not in ([], [pid])]
        return self._chance.choice(chosen) if chosen else None

    def _is_settled(self, pid: int) -> bool:
        return time.monotonic() - self._seen.setdefault(pid, time.monotonic()) > _SETTLED_AFTER

    def _kill_web_child(self) -> None:
        if pid := self._choose_web_child():
            self.deeds.counts["web worker SIGKILL"] += 1
            _signal(pid, signal.SIGKILL)

    def _freeze_web_child(self) -> None:
        if pid := self._choose_web_child():
            self.deeds.counts["web worker SIGSTOP"] += 1
            seconds = self._chance.choice((1.0, 3.0, LONG_STOP))
            self.deeds.web_stops.append((time.time(), time.time() + seconds))
            self._freeze(pid, seconds)

    def _kill_web(self) -> None:
        self.deeds.counts["web SIGKILL"] += 1
        self._stage.web.signal_group(signal.SIGKILL)

    def _step_clock(self) -> None:
        offset = self._chance.choice((0, 5, -5, 60, -60, 600, -600, 3600, -3600, 400 * DAY))
        self.deeds.counts["clock stepped"] += 1
        self._set_clock(offset)
        self._right_at = time.monotonic() + DAYS_AHEAD_FOR if offset >= DAY else math.inf

    def _right_clock(self) -> None:
        self._set_clock(0)
        self._right_at = math.inf

    def _set_clock(self, offset: int) -> None:
        """PostgreSQL's limits are moments: a step forward ends who was idle in a transaction just then."""
        self._stage.clock.step(offset)
        self.deeds.troubles.append((time.time(), time.time()))
        self.deeds.steps.append(time.time())

    def _start_copy(self) -> None:
        is_known = habits.STRANGERS not in self._stage.habits or inside.is_shared()
        if self._stage.copy is not None or not is_known:
            return  # what it makes has to be known as others'
        self.deeds.counts["worker on a copy"] += 1
        begun = time.time()
        self._stage.start_copy()
        self.deeds.troubles.append((begun, time.time()))

    def _slow_commits(self) -> None:
        if not isinstance(self._stage.database, stage.Postgres):
            return
        if self._quick_at == math.inf and slowness.begin(self._stage.database.url):
            self.deeds.counts["slow commits"] += 1
            seconds = self._chance.uniform(*SLOW_FOR)
            self._quick_at = time.monotonic() + seconds
            self.deeds.troubles.append((time.time(), time.time() + seconds + LOCK_TIMEOUT))

    def _be_quick(self) -> None:
        slowness.end(self._stage.database.url)
        self._quick_at = math.inf

    def _trouble_database(self) -> None:
        begun = time.time()
        if isinstance(self._stage.database, stage.Postgres):
            self.deeds.counts["PostgreSQL crash"] += 1
            self._stage.database.crash()
        elif self._chance.random() < 0.5:
            self.deeds.counts["SQLite locked"] += 1
            _lock_sqlite(self._stage.database, seconds=self._chance.uniform(1.0, 4.0))
        else:
            self.deeds.counts["disk full"] += 1
            self._fill_disk(seconds=self._chance.uniform(1.0, 4.0))
        self.deeds.troubles.append((begun, time.time()))

    def _fill_disk(self, *, seconds: float) -> None:
        """No process of the portal can write to any file for a while, as where the disk is full."""
        self._limit_files(0)
        time.sleep(seconds)
        self._limit_files(resource.RLIM_INFINITY)

    def _limit_files(self, size: int) -> None:
        for actor in (*self._stage.workers, self._stage.web):
            if actor.is_alive():
                _limit_files(actor.pid, size)
        # Asked only now: gunicorn gives its own limit to each child that it forks.
        for pid in self._stage.web.list_children():
            _limit_files(pid, size)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _limit_files(pid: int, size: int) -> None:
    """How large a file the process may write, in bytes."""
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _lock_sqlite(database: stage.Sqlite, *, seconds: float) -> None:
    """Hold the only write lock for a while, as a backup or a careless shell does."""
    connection = sqlite3.connect(database.path, timeout=20, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        pass  # a frozen process holds it already: trouble enough
    finally:
        connection.close()
