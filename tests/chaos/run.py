"""`python -m tests.chaos.run --seed N --requests N --seconds N --database sqlite|postgres`; `make chaos` runs both."""

import argparse
import contextlib
import dataclasses
import json
import math
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import requests

from tests.chaos import books, clients, ends, faults, habits, inside, keeper, killer, lives, logs, scenes, stage, told
from tests.provider import control
from tests.provider.store import FORMER

OPERATOR = scenes.OPERATOR
OPEN = ("QUEUED", "SENDING", "UNKNOWN")
WORKERS, MEMBERS = 3, 12
PATIENCE = 3.0  # seconds: as in settings.DATABASE
# So long nothing changes any more: what is left then will be left for good. No hold that ends by itself is longer.
STANDSTILL = 330.0
LONGEST_ID = 200  # characters, of a mirror
# So long after everything has settled, the portal may not have seen yet what runs at the provider.
SEEN_WITHIN = 60.0
# Fifteen graces and the lists' longest lag, which may be as much, and as long again for rounds that restarts break off.
ASKED_WITHIN = 60 * stage.SETTLE_GRACE
OTHERS_EVERY = 15.0


class Run:
    def __init__(self, *, options: argparse.Namespace, folder: Path) -> None:
        self._options, self._folder = options, folder
        enabled = habits.read_habits(less=options.without, only=options.only)
        self.stage = stage.Stage(folder=folder, database=options.database, workers=WORKERS, enabled=enabled)
        self._scenes = scenes.Scenes(scene=self.stage, direct=self._direct)
        self._killer = killer.Killer(scene=self.stage, seed=options.seed)
        self._faults = faults.Faults(provider=self.stage.provider, seed=options.seed, enabled=enabled)
        self._begun = time.monotonic()
        self.settled_in: float | None = None
        self.lingering, self.unseen, self.unasked = list[str](), set[str](), set[int]()
        self.events = Counter[str]()
        self._others_at = 0.0
        self._limited, self._lifted_at, self._traces = "", math.inf, ""

    def prepare(self) -> None:
        self.stage.prepare()
        inside.open_portal(self.stage.environment)
        inside.make_account()
        names = [f"member-{number}" for number in range(1, MEMBERS + 1)]
        sessions = inside.make_sessions(names, group="Members")
        (operator,) = inside.make_sessions([OPERATOR], group="Operators").values()
        if habits.LIMITS in self.stage.habits:
            self._limited = names[-1]
            inside.set_limits(self._limited)
        self.stage.start()
        self._crowd = clients.Crowd(
            address=self.stage.address,
            sessions=sessions,
            tickets=self._options.requests,
            seed=self._options.seed,
            has_ends=habits.ENDS in self.stage.habits,
            busy=self._limited,
        )
        self._keeper = keeper.Keeper(
            address=self.stage.address, session_key=operator, accepts_former=lambda: self._faults.accepts_former
        )
        if habits.STRANGERS in self.stage.habits:
            self._direct("history", count=500, every=10)
            self._direct("strangers", count=3, started_ago=5)
        # A first look that fails leaves the first unknown requests to an operator: not what is tried here.
        if not stage.wait_until(inside.has_looked, seconds=stage.START_WITHIN):
            raise stage.CannotStage("no worker has made its first look")
        self._scenes.play_unknown(close=self._keeper.close)

    def rage(self) -> None:
        """The chaos, until its time is over or nearly everything was submitted and has ended."""
        self._begun = time.monotonic()
        for part in (self._keeper, self._faults, self._crowd, self._killer):
            part.start()
        end, spoken = self._begun + self._options.seconds, 0.0
        while time.monotonic() < end:
            time.sleep(1.0)
            state = inside.read_state()
            if len(self._crowd.book.submissions) >= min(self._options.requests // 10, 100):
                self._lift_limit()
            if self._faults.is_alone and time.monotonic() > self._begun + self._options.seconds / 2:
                self._let_others_in()
            if state is not None and time.monotonic() - spoken > 10:
                spoken = time.monotonic()
                self._say(state)
            if self._crowd.is_done() and state is not None and _count_open(state) * 50 <= self._options.requests:
                break

    def _lift_limit(self) -> bool:
        """Whether the team has no limit any more: it has one for a tenth of a short run."""
        if self._limited and math.isinf(self._lifted_at):
            now = time.time()
            self._lifted_at = now if inside.lift_limit(operator=OPERATOR) else math.inf
        return not self._limited or math.isfinite(self._lifted_at)

    def _let_others_in(self) -> None:
        """Somebody else uses the key too, once the portal has seen the first workstation that nobody asked for.

        The first of all nobody could tell from what the portal itself made, but for its type.
        """
        if inside.is_shared():
            self._faults.is_alone = False
        elif habits.STRANGERS in self.stage.habits and time.monotonic() > self._others_at:
            self._others_at = time.monotonic() + OTHERS_EVERY
            with contextlib.suppress(requests.RequestException):  # it is being restarted
                self._direct("strangers", count=1, types=[clients.OTHERS_TYPE])

    def _restart_workers(self) -> None:
        """Workers restart all the time. Proofs may wait until one lives on; whoever has to be asked is asked."""
        self.unasked = inside.list_unasked() or set()

        def is_nobody_left() -> bool:
            unasked = inside.list_unasked()
            self.unasked &= self.unasked if unasked is None else unasked
            return not self.unasked

        self._keeper.decides = False  # what is asked here may be known by itself later
        self._killer.restart_in_turn(seconds=ASKED_WITHIN, is_over=is_nobody_left)
        self._keeper.decides = True

    def settle(self) -> None:
        """Calm: nothing is killed, the provider is well; wait until nothing is open, then until it stays so.

        Once nothing is, people decide no more: what waits for them is left, and what they decided last settles, too.
        """
        calm_since = time.monotonic()
        self._crowd.close()
        self._killer.calm()
        self._faults.calm()
        changed = time.monotonic()
        self._crowd.join(seconds=60)
        if not stage.wait_until(self._lift_limit, seconds=60):
            raise stage.CannotStage("the team's limit was not lifted")
        if habits.RESTARTS in self.stage.habits:
            self._restart_workers()
            calm_since = changed = time.monotonic()
        before: dict[str, Any] | None = None
        settles_within = 300.0 + self._options.requests / 25
        while time.monotonic() - calm_since < settles_within and time.monotonic() - changed < STANDSTILL:
            self._crowd.give_up()
            state = inside.read_state()
            if state is not None and not _count_open(state):
                if not self._keeper.decides:
                    self.settled_in = time.monotonic() - calm_since
                    break
                self._keeper.decides = False  # each decision may have another request sent, which is open again
            elif self._keeper.decides:
                self._crowd.decide(inside.list_asked())
            if state != before:
                before, changed = state, time.monotonic()
                self._say(state or {})
            time.sleep(2.0)

    def look_for_unseen(self) -> None:
        """Wait until the portal shows whatever runs at the provider: what was made last, and a few strangers."""
        if habits.STRANGERS in self.stage.habits:
            self._direct("strangers", count=3, types=[clients.OTHERS_TYPE])
        running = self._list_running()
        shown: set[str] = set()

        def is_all_seen() -> bool:
            live = inside.list_live()
            shown.update(live)
            # What was there at first must have been shown once; what runs now must be shown now.
            self.unseen = (running - shown) | (self._list_running() - live)
            return not self.unseen

        stage.wait_until(is_all_seen, seconds=SEEN_WITHIN)
        # A question may have lapsed meanwhile: what waited for its answer was sent, and its outcome may be open again.
        stage.wait_until(_is_settled, seconds=SEEN_WITHIN)
        stage.wait_until(lambda: not inside.list_overdue(), seconds=SEEN_WITHIN)

    def put_database_back(self) -> None:
        begun = time.time()
        self._scenes.play_database(
            has_answered=lambda: self._keeper.deeds[keeper.DATABASE_ANSWERED] > 0,
            is_released=lambda uid: uid in self._list_released(),
        )
        self._killer.deeds.troubles.append((begun, time.time()))
        # Complete scans after it may withdraw questions that the backup still had: they are asked anew in time.
        scans = inside.count_scans()
        stage.wait_until(lambda: inside.count_scans() > scans + 1, seconds=SEEN_WITHIN)
        stage.wait_until(_is_settled, seconds=4 * SEEN_WITHIN)

    def _list_released(self) -> frozenset[str]:
        return frozenset(row["uid"] for row in self._read_record()["workstations"] if row["released"])

    def _list_running(self) -> set[str]:
        rows = self._read_record()["workstations"]
        running = {row["uid"] for row in rows if row["status"] == "active"}
        # One whose id cannot be kept is shown under a digest, as one that has the id of another.
        reused = {row["uid"].partition(FORMER)[0] for row in rows if FORMER in row["uid"]}
        return {uid for uid in running - reused if "\0" not in uid and len(uid) <= LONGEST_ID}

    def _read_record(self) -> dict[str, Any]:
        url = f"{self.stage.provider}/control/record"
        record: dict[str, Any] = requests.get(url, headers=control.HEADERS, timeout=60).json()
        return record

    def _direct(self, what: str, **wish: object) -> None:
        url = f"{self.stage.provider}/control/{what}"
        requests.post(url, json=wish, headers=control.HEADERS, timeout=60).raise_for_status()

    def read_books(self) -> books.Books:
        state = inside.read_state() or {}
        self._keeper.stop()
        self.lingering = self._killer.deeds.lingering + self.stage.stop_portal()
        record = self._read_record()
        book = inside.read_book(clock=self.stage.clock)
        contents = books.Books(
            strangers=frozenset(row["uid"] for row in record["workstations"] if row["post"] is None),
            unseen=sorted(self.unseen),
            submissions=self._crowd.book.submissions,
            posts=inside.read_record(record),
            send_within=stage.SEND_MARGIN + stage.TOTAL_TIMEOUT,
            call_within=stage.TOTAL_TIMEOUT,
            disturbed=frozenset(self._killer.deeds.disturbed),
            key_is_paused=state.get("key") == "PAUSED",
            forgotten=self._scenes.forgotten,
            record=inside.verify_record(self.stage.sent),
            **book,
        )
        contents = lives.name_lives(contents)
        self._traces, stories = inside.replay_traces(books.list_made(contents))
        seen = self._look_back(contents, record=record) + [(books.NO_PATH, story) for story in stories]
        return dataclasses.replace(contents, seen=seen)

    def _look_back(self, contents: books.Books, *, record: dict[str, Any]) -> list[tuple[str, str]]:
        lines = inside.read_lines(clock=self.stage.clock)
        of_requests = [line for line in lines if line.request]
        self.events = told.count(lines) + ends.count(of_requests)
        self.events["notifications"], told_twice = inside.list_told_twice()
        released = frozenset(row["uid"] for row in record["workstations"] if row["released"])
        found = {
            books.WRONG_OWNER: lives.find_mixups(contents, released=released, reopened=told.list_reopened(lines)),
            books.ASKED_NOBODY: [f"R-{number} is unknown, and nobody is asked" for number in sorted(self.unasked)],
            books.BURNT: told.find_burnt(contents, pauses=self.events["paused: other"], bursts=self._faults.bursts),
            books.STOPPED: told.find_stops(lines, first=inside.read_first_key(), steps=self._killer.deeds.steps),
            books.ENDS: [
                *ends.find_faults(of_requests, steps=self._killer.deeds.steps),
                *(f"{uid} runs on after its end" for uid in inside.list_overdue()),
                *ends.find_kept(self._scenes.kept, released=released),
            ],
            books.TOLD_TWICE: told_twice,
            books.LIMITS: [
                *ends.find_passed(of_requests, most=ends.MOST, member=self._limited or "nobody"),
                *ends.find_passed(of_requests, most=ends.MOST_OF_TEAM, until=self._lifted_at if self._limited else 0),
            ],
            books.BROKE: logs.find_not_storable(self._folder),
        }
        return [(kind, words) for kind, sentences in found.items() for words in sentences]

    def report(self, report: books.Report) -> bool:
        errors = self._crowd.book.server_errors + self._keeper.book.server_errors
        unexplained = Counter(path for begun, ended, path in errors if not self._was_troubled(begun, ended))
        rows: dict[str, object] = dict(report.counts)
        rows |= {kind: len(words) for kind, words in report.findings.items()}
        rows["time to settle"] = "not settled" if self.settled_in is None else f"{self.settled_in:.0f} s"
        rows |= {"answers 5xx": len(errors), "answers 5xx while the database was well": unexplained.total()}
        deeds = self.events + self._scenes.deeds + self._keeper.deeds + self._killer.deeds.counts
        rows |= {"processes that did not end": len(self.lingering)} | dict(sorted(deeds.items()))
        _print(f"\n{self._options.database}, seed {self._options.seed}, {time.monotonic() - self._begun:.0f} s")
        for name, value in rows.items():
            _print(f"  {name:42} {value}")
        _print(f"  {self._traces}")
        for kind, words in report.findings.items():
            for sentence in words[:15]:
                _print(f"  {kind}: {sentence}")
        for name in self.lingering:
            _print(f"  did not end: {name}; its log shows where it stood")
        for path, count in unexplained.most_common(10):
            _print(f"  answered 5xx: {count} x {path}")
        return report.is_clean and not self.lingering and not unexplained and self.settled_in is not None

    def end(self) -> None:
        if hasattr(self, "_crowd"):
            self._crowd.abandon()
            self._keeper.stop()
        self._killer.stop()
        self._faults.stop()
        self.stage.stop()

    def _was_troubled(self, begun: float, ended: float) -> bool:
        deeds = self._killer.deeds
        # PostgreSQL ends the transaction of whoever is frozen in it for so long.
        stops = deeds.web_stops if ended - begun > PATIENCE else []
        # A connection of a pool that has not been used since the crash is noticed at its next use.
        return any(since <= ended and begun <= until + PATIENCE for since, until in deeds.troubles + stops)

    def _say(self, state: dict[str, Any]) -> None:
        _print(f"{time.monotonic() - self._begun:5.0f} s: told {len(self._crowd.book.submissions)}, {state}")


def _count_open(state: dict[str, Any]) -> int:
    return sum(state.get(status, 0) for status in OPEN) - state["left"]


def _is_settled() -> bool:
    return (state := inside.read_state()) is not None and not _count_open(state)


def _print(line: str) -> None:
    print(line.replace("\0", "\\0"), flush=True)  # noqa: T201 (a command's own words)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--seconds", type=float, help="how long the chaos lasts at most; 45, or 0.1 a request")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    habits.add_options(parser)
    options = parser.parse_args()
    options.seconds = options.seconds or max(45.0, options.requests / 10)
    return options


def main() -> int:
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="portal-chaos-"))
    folder.chmod(0o755)  # the postgres user has to get in
    try:
        run = Run(options=options, folder=folder)
    except stage.CannotStage as error:
        _print(f"chaos: {error}")
        return 2
    _print(f"chaos on {options.database}: seed {options.seed}, {options.requests} requests, in {folder}")
    try:
        run.prepare()
        run.rage()
        run.settle()
        run.look_for_unseen()
        run.put_database_back()
        contents = run.read_books()
    except stage.CannotStage as error:
        _print(f"chaos: {error}")
        return 2
    finally:
        run.end()
    (folder / "books.json").write_text(json.dumps(dataclasses.asdict(contents), default=sorted, indent=1))
    is_clean = run.report(books.compare(contents))
    if is_clean:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        _print(f"  The logs and the books are in {folder}")
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
