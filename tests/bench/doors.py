"""`python -m tests.bench.doors --seconds N --database sqlite|postgres`: an ordinary user beside somebody who attacks.

Starts the web server as `make run` does and asks for a page of a signed-in member ten times a second, each counted from
when it was due, so that a server that stands still cannot hide it. Tells how much longer that takes during each attack,
and whether the member can sign in then.
"""

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import attackers, figures
from tests.chaos import inside, stage

EVERY = 0.1  # seconds between two pages of the member
MOST_RATIO = 3.0
ATTACKS = {
    "guess": "wrong passwords for one name from 20 addresses",
    "sign-in": "32 people at once who sign in under any name from anywhere",
    "multipart": "files of 200 MB",
}
PASSWORD = secrets.token_urlsafe(16)


class Bench:
    """One run."""

    def __init__(self, *, options: argparse.Namespace, folder: Path) -> None:
        self._seconds, self._port = options.seconds, stage.find_port()
        self._database = stage.Sqlite(folder) if options.database == "sqlite" else stage.Postgres(folder)
        self._environment = os.environ | {
            "PORTAL_LOCAL": "1",
            "SECRET_KEY": secrets.token_hex(32),
            "AGENTSTATION_API_KEY": "",
            "DATABASE_URL": self._database.url,
            "PORT": str(self._port),
        }
        self._portal, self._log = f"http://127.0.0.1:{self._port}", folder / "web.log"

    def run(self) -> bool:
        """Prepare, measure, and end all that was started; returns whether the goal is met."""
        self._database.start()
        command = [sys.executable, "-m", "gunicorn", "portal.wsgi"]
        web = stage.Actor(name="web", command=command, environment=self._environment, log=self._log, port=self._port)
        try:
            self._prepare()
            web.start()
            if not stage.wait_until(web.is_up, seconds=stage.START_WITHIN):
                raise stage.CannotStage(f"the web server does not start; see {self._log}")
            return self._measure()
        finally:
            web.end()
            self._database.stop()

    def _prepare(self) -> None:
        for words in (["migrate", "--verbosity=0"], ["collectstatic", "--no-input", "--verbosity=0"]):
            subprocess.run([sys.executable, "manage.py", *words], cwd=stage.ROOT, env=self._environment, check=True)
        inside.open_portal(self._environment)
        inside.make_person("member", password=PASSWORD, group="Members")

    def _measure(self) -> bool:
        member = attackers.Visitor(self._portal, address="203.0.113.9")
        if member.sign_in("member", PASSWORD) != 302:
            raise stage.CannotStage("the member cannot even sign in while nothing happens")
        idle, is_met = self._time_pages(member), True
        _print(f"idle: {1000 * idle.p50:.0f} ms, p95 {1000 * idle.p95:.0f} ms")
        for kind, words in ATTACKS.items():
            times, tries, seconds, answers = self._time_beside(member, kind)
            ratio = times.p95 / idle.p95
            is_met = is_met and ratio <= MOST_RATIO and tries > 0
            _print(
                f"{words}: {1000 * times.p50:.0f} ms, p95 {1000 * times.p95:.0f} ms ({ratio:.1f} x idle); signed in "
                f"after {tries} tries and {seconds:.1f} s; its answers: {answers}"
            )
        return is_met

    def _time_beside(self, member: attackers.Visitor, kind: str) -> tuple[figures.Times, int, float, str]:
        command = [sys.executable, "-m", "tests.bench.attackers", kind, "--port", str(self._port)]
        with subprocess.Popen(
            command, cwd=stage.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            times = self._time_pages(member)
            member.sign_out()
            tries, seconds = self._sign_in(member)
            answers, _ = process.communicate()
        return times, tries, seconds, answers

    def _time_pages(self, member: attackers.Visitor) -> figures.Times:
        times, begun = figures.Times(), time.monotonic()
        for number in range(int(self._seconds / EVERY)):
            due = begun + number * EVERY
            time.sleep(max(0.0, due - time.monotonic()))
            if member.ask("/requests/") != 200:
                raise stage.CannotStage("the member is not answered as a member")
            times.wall.append(time.monotonic() - due)
        return times

    @staticmethod
    def _sign_in(member: attackers.Visitor) -> tuple[int, float]:
        """How many tries and seconds it takes the member to come in again; 0 tries: it did not."""
        begun = time.monotonic()
        for tries in range(1, 21):
            if member.sign_in("member", PASSWORD) == 302:
                return tries, time.monotonic() - begun
            time.sleep(0.5)
        return 0, time.monotonic() - begun


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (a command's own words)


def main() -> int:
    """One run; 0 where the goal is met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.doors", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each is measured")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="portal-doors-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the postgres user has to get in
        try:
            is_met = Bench(options=options, folder=folder).run()
        except stage.CannotStage as error:
            _print(f"doors: {error}")
            return 2
    goal = f"pages at most {MOST_RATIO:.0f} x as slow, and a member who gets in"
    _print(f"The goal, {goal}, is {'met' if is_met else 'missed'}.")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
