"""`python -m tests.bench.doors --seconds N`: an ordinary user beside somebody who attacks.

Starts the portal as README.md does in production behind the nginx that docs/proxy.md configures, and asks for a page of
a signed-in member ten times a second, each counted from when it was due, so that a server that stands still cannot hide
it. Tells how much longer that takes during each attack, and whether the member can sign in then; past nginx, too, for
what the portal does by itself.
"""

import argparse
import dataclasses
import json
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import attackers, figures
from tests.chaos import stage
from tests.e2e.proxied import Proxied

EVERY = 0.1  # seconds between two pages of the member
MOST_RATIO = 3.0
ATTACKS = {
    "guess": "wrong passwords for one name from 20 addresses",
    "sign-in": "32 at once who sign in under ever new names from ever new addresses",
    "multipart": "files of 200 MB, 8 at once",
}
PASSWORD = secrets.token_urlsafe(16)
_PERSON = """
from django.contrib.auth.models import Group
from portal import models
models.User.objects.create_user("member", password={!r}).groups.add(Group.objects.get(name="Members"))
"""


class Bench:
    """One run."""

    def __init__(self, *, seconds: float, folder: Path) -> None:
        self._seconds, self._portal = seconds, Proxied(folder)
        self._ways = {
            "behind nginx": attackers.Way(port=self._portal.tls_port, certificate=f"{folder}/fullchain.pem"),
            "past nginx": attackers.Way(port=self._portal.port),
        }

    def run(self) -> bool:
        """Prepare, measure, and end all that was started; returns whether the goal is met behind nginx."""
        try:
            self._portal.start()
            self._portal.manage("shell", "-v0", "-c", _PERSON.format(PASSWORD))
            met = [self._measure(words, way) for words, way in self._ways.items()]
            return met[0]
        finally:
            self._portal.end_all()

    def _measure(self, words: str, way: attackers.Way) -> bool:
        member = attackers.Visitor(way, address="127.0.0.9")
        if (status := member.sign_in("member", PASSWORD)) != 302:
            raise stage.CannotStage(f"the member cannot even sign in while nothing happens: {status}")
        idle, is_met = self._time_pages(member), True
        _print(f"{words}, idle: {1000 * idle.p50:.0f} ms, p95 {1000 * idle.p95:.0f} ms")
        for kind, attack in ATTACKS.items():
            times, attempt_count, seconds, responses = self._time_beside(member, way, kind)
            ratio = times.p95 / idle.p95
            is_met = is_met and ratio <= MOST_RATIO and attempt_count > 0
            _print(
                f"{words}, {attack}: {1000 * times.p50:.0f} ms, p95 {1000 * times.p95:.0f} ms ({ratio:.1f} x idle); "
                f"signed in after {attempt_count} tries and {seconds:.1f} s; its responses: {responses}"
            )
        return is_met

    def _time_beside(
        self, member: attackers.Visitor, way: attackers.Way, kind: str
    ) -> tuple[figures.Times, int, float, str]:
        command = [sys.executable, "-m", "tests.bench.attackers", kind, "--way", json.dumps(dataclasses.asdict(way))]
        with subprocess.Popen(
            command, cwd=stage.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            times = self._time_pages(member)
            member.sign_out()
            attempt_count, seconds = self._sign_in(member)
            responses, _ = process.communicate()
        return times, attempt_count, seconds, responses

    def _time_pages(self, member: attackers.Visitor) -> figures.Times:
        times, begun = figures.Times(), time.monotonic()
        for number in range(int(self._seconds / EVERY)):
            due = begun + number * EVERY
            time.sleep(max(0.0, due - time.monotonic()))
            if (status := member.ask("/requests/")) != 200:
                raise stage.CannotStage(f"the member is not answered as a member: {status}")
            times.wall.append(time.monotonic() - due)
        return times

    @staticmethod
    def _sign_in(member: attackers.Visitor) -> tuple[int, float]:
        """How many tries and seconds it takes the member to come in again. Raises CannotStage where it does not."""
        begun = time.monotonic()
        for attempt_count in range(1, 41):
            if member.sign_in("member", PASSWORD) == 302:
                return attempt_count, time.monotonic() - begun
            time.sleep(0.5)
        raise stage.CannotStage("the member could not sign in")


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (a command's own words)


def main() -> int:
    """One run; 0 where the goal is met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.doors", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="portal-doors-") as name:
        Path(name).chmod(0o755)  # nginx's own user has to get in
        try:
            is_met = Bench(seconds=options.seconds, folder=Path(name)).run()
        except stage.CannotStage as error:
            _print(f"doors: {error}")
            return 2
    goal = f"pages at most {MOST_RATIO:.0f} x as slow behind nginx, and a member who gets in"
    _print(f"The goal, {goal}, is {'met' if is_met else 'missed'}.")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
