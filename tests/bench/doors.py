"""`python -m tests.bench.doors --seconds N`: an ordinary user beside somebody who attacks.

Starts the portal as docs/production.md does behind the nginx that docs/proxy.md configures, and asks for a page of
a signed-in member ten times a second, each counted from when it was due, so that a server that stands still cannot hide
it. Tells how much longer that takes during each attack, and whether the member can sign in then. Ends with what
tests.bench.guesses measures.
"""

import argparse
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.bench import attackers, figures
from tests.chaos import stage
from tests.e2e.proxied import Proxied

EVERY = 0.1  # seconds between two pages of the member
MOST_RATIO = 3.0
ATTACKS = {
    "guess": "1,000 wrong passwords and more for one name from 20 addresses",
    "sign-in": "32 at once who sign in under ever new names from ever new addresses",
    "multipart": "files of 200 MB, 8 at once",
}
PASSWORD = secrets.token_urlsafe(16)
_PERSON = """
from django.contrib.auth.models import Group
from portal import models
models.User.objects.create_user("member", password={!r}).groups.add(Group.objects.get(name="Members"))
"""


def measure(portal: Proxied, *, seconds: float) -> bool:
    """Whether the goal is met. Raises CannotStage where the member does not get in."""
    way = (str(portal.tls_port), f"{portal.folder}/fullchain.pem")
    member = attackers.Visitor(port=portal.tls_port, certificate=way[1], address="127.0.0.9")
    sign_in(member)
    idle, is_met, alone = time_pages(member, seconds), True, time_sign_in(member)[0]
    show("nobody", idle, 1.0)
    for kind, words in ATTACKS.items():
        command = [sys.executable, "-m", "tests.bench.attackers", kind, *way]
        with subprocess.Popen(
            command, cwd=stage.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            times = time_pages(member, seconds)
            taken, count = time_sign_in(member)
            answers, _ = process.communicate()
        ratio = figures.find_p95(times) / figures.find_p95(idle)
        is_met = is_met and ratio <= MOST_RATIO
        found = f"signed in at try {count}, in {taken / alone:.1f} of the time alone; they got {answers}"
        show(f"{words} ({found})", times, ratio)
    return is_met


def time_pages(member: attackers.Visitor, seconds: float) -> list[float]:
    times, begun = [], time.monotonic()
    for number in range(int(seconds / EVERY)):
        due = begun + number * EVERY
        time.sleep(max(0.0, due - time.monotonic()))
        if (status := member.ask("/requests/")) != "200":
            raise stage.CannotStage(f"the member is not answered as a member: {status}")
        times.append(time.monotonic() - due)
    return times


def sign_in(member: attackers.Visitor) -> int:
    for count in range(1, 41):
        if member.sign_in("member", PASSWORD) == "302":
            return count
        time.sleep(0.5)
    raise stage.CannotStage("the member could not sign in")


def time_sign_in(member: attackers.Visitor) -> tuple[float, int]:
    """How long it takes by a browser that is known, at the median of five, and at which try it last succeeded."""
    times, count = [], 0
    for _ in range(5):
        member.sign_out()
        begun = time.monotonic()
        count = sign_in(member)
        times.append(time.monotonic() - begun)
    return median(times), count


def show(words: str, times: list[float], ratio: float) -> None:
    cells = [words, *(f"{1000 * value:.0f}" for value in (median(times), figures.find_p95(times))), f"{ratio:.1f}"]
    figures.show(figures.write_row(cells))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.doors", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="portal-doors-") as name:
        Path(name).chmod(0o755)  # nginx's own user has to get in
        portal = Proxied(Path(name))
        try:
            portal.start()
            portal.manage("shell", "-v0", "-c", _PERSON.format(PASSWORD))
            figures.show(*figures.write_head(["who attacks", "p50, ms", "p95, ms", "of it alone"]))
            is_met = measure(portal, seconds=options.seconds)
        except stage.CannotStage as error:
            figures.show(f"doors: {error}")
            return 2
        finally:
            portal.end_all()
    guesses = subprocess.run([sys.executable, "-m", "tests.bench.guesses"], cwd=stage.ROOT, check=False)
    return int(not is_met or guesses.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
