"""`python -m tests.bench.crowd`: everybody comes at once, to the portal and to what somebody writes in an afternoon.

B is a Django site that asks the provider while the form is being sent, on two processes of four threads; B+ the same
with a hundred threads each; the portal runs as docs/production.md starts it. The provider is the sandbox. They are
measured in turns, round after round, each time from a new start.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import figures
from tests.bench.crowd import plan, subjects
from tests.bench.crowd.provider import Provider
from tests.bench.crowd.results import MISSED, Results
from tests.chaos import stage

_VENDORS = ("sqlite", "postgresql")
_PEOPLE = 150


def measure(options: argparse.Namespace, results: Results, folder: Path) -> None:
    sites: dict[str, subjects.Site] = {}
    provider = Provider(folder)
    try:
        for load in plan.list_loads(vendor=results.vendor, share=options.people / _PEOPLE):
            if not any(words in load.name for words in options.only):
                continue
            for name in load.subjects * options.rounds:
                if name not in sites:
                    kind = subjects.KINDS[name]
                    sites[name] = kind(folder=folder, vendor=results.vendor, provider=provider, count=options.people)
                    sites[name].prepare()
                results.add(load.name, name, measured := load.act(sites[name], **load.values))
                words = ", ".join(f"{figure}: {value:.4g}" for figure, value in measured.items())
                figures.show(f"{load.name:35} {name:7} {words}")
    finally:
        provider.stop()
        for site in sites.values():
            site.store.drop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.crowd", description=__doc__)
    parser.add_argument("--people", type=int, default=_PEOPLE, help="fewer send fewer requests in all loads")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--vendors", nargs="*", choices=_VENDORS, default=_VENDORS)
    parser.add_argument("--only", nargs="*", default=[""], help="loads whose names have one of these, as 'idle'")
    options, is_met = parser.parse_args(), True
    for vendor in options.vendors:
        results = Results(vendor=vendor)
        with tempfile.TemporaryDirectory(prefix="portal-crowd-") as name:
            try:
                measure(options, results, Path(name))
            except stage.CannotStage as error:
                figures.show(f"crowd: {error}")
                return 2
            finally:  # what took an hour is shown though what follows it failed
                table = results.write()
                figures.show("", f"{vendor}, {options.people} people, {options.rounds} rounds", *table, "")
        is_met = is_met and not any(MISSED in row for row in table)
    return int(not is_met)


if __name__ == "__main__":
    sys.exit(main())
