"""`python -m tests.bench.filling --requests 1000000`: stopped and called again, it goes on."""

import argparse
import logging
import os
import sys
import time

import django


def main() -> None:
    """Fill the database of the settings, and say how far it is."""
    parser = argparse.ArgumentParser(description="Fill an empty database with made-up history.")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--until", default="", help="the last day; default: the one before the filling began")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1000, help="requests written in one transaction")
    options = parser.parse_args()

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    from tests.bench.filling import fill  # only now: the models need Django

    # Each seal is a line of the log; here there are thousands.
    logging.getLogger("portal.services.audit.seals").setLevel(logging.WARNING)
    begun = time.monotonic()

    def report(words: str) -> None:
        sys.stdout.write(f"{time.monotonic() - begun:6.0f} s  {words}\n")
        sys.stdout.flush()

    try:
        fill.fill_history(plan=fill.Plan(**vars(options)), report=report)
    except fill.Refused as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
