"""`python -m tests.bench.pages`: what the history costs beside a plain Django's page of the same rows and columns.

Both are called in turns over one filled database, as `tests.bench.scale` has them. Says by the exit whether the ratio
of processor time is within the goal.
"""

import argparse
import statistics
import sys

from tests.bench import databases
from tests.bench.calls import Caller

GOAL = 1.5
_VENDORS = ("sqlite", "postgresql")
_WARM = 5  # calls before any counts


def measure(caller: Caller, *, person: str, rounds: int) -> tuple[float, float]:
    """Medians of processor time in seconds: ours, and the plain page's."""
    ours, plain = [], []
    for number in range(-_WARM, rounds):
        costs = [caller.get(path, person) for path in ("/requests/", "/plain/requests/")]
        assert costs[0]["rows"] == costs[1]["rows"], "the pages show different rows"
        if number >= 0:
            ours.append(costs[0]["cpu"])
            plain.append(costs[1]["cpu"])
    return statistics.median(ours), statistics.median(plain)


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--vendors", nargs="*", choices=_VENDORS, default=_VENDORS)
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    worst = 0.0
    for vendor in options.vendors:
        database = databases.find_database(vendor=vendor, requests=options.requests)
        databases.prepare(database)
        caller = Caller(database)
        for person in ("auditor", str(caller.facts["heavy"])):
            ours, plain = measure(caller, person=person, rounds=options.rounds)
            worst = max(worst, ours / plain)
            sys.stdout.write(
                f"{vendor}, history of {person}: {1000 * ours:.1f} ms of processor, plain {1000 * plain:.1f} ms,"
                f" {ours / plain:.2f} x\n"
            )
            sys.stdout.flush()
        caller.close()
    return int(worst > GOAL)


if __name__ == "__main__":
    sys.exit(main())
