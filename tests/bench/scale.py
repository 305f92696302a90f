"""`python -m tests.bench.scale`: what pages cost with few and with many requests.

Every page, filter and search is called in turns over both databases, and over the same tables as a plain Django has
them. Databases are filled once and kept (data/bench/, and bench_<number> on PostgreSQL). `--write` puts the tables into
docs/performance.md: those of this run, and of the other database engine those that were kept.
"""

import argparse
import sys
import time
from typing import Any

from tests.bench import cases, databases, exports, figures, kept, record, report
from tests.bench.calls import Caller

_MANY = {"sqlite": 100_000, "postgresql": 1_000_000}  # requests: who has more of them runs PostgreSQL
_WARM = 2  # calls before any counts
_LEAST = 2  # calls of what is very slow
_PATIENCE = 8.0  # seconds for one address, after that many calls


def measure_vendor(options: argparse.Namespace, vendor: str) -> dict[str, Any]:
    """All figures of one database engine."""
    pair = [
        databases.find_database(vendor=vendor, requests=count) for count in (options.few, _count_many(options, vendor))
    ]
    prepared = [databases.prepare(database) for database in pair]
    callers = [Caller(database) for database in pair]
    try:
        results = measure_cases(callers, options)
    finally:
        for caller in callers:
            caller.close()
    figures.price_rows(results)
    facts, whole = callers[1].facts, not options.only
    return {
        "vendor": vendor,
        "facts": facts,
        "prepared": prepared,
        "results": results,
        "exports": exports.measure_exports(pair[1]) if whole else [],
        "record": record.measure_record(pair[1], events=facts["events"]) if whole else [],
    }


def _count_many(options: argparse.Namespace, vendor: str) -> int:
    return int(options.many or _MANY[vendor])


def measure_cases(callers: list[Caller], options: argparse.Namespace) -> list[figures.Result]:
    """Each case, ours and the plain one's."""
    both = zip(*(cases.list_cases(caller.facts) for caller in callers), strict=True)
    results = []
    for few, many in both:
        if options.only not in f"{few.group}: {few.name}":
            continue
        calls = [one.describe() for one in (few, many)]
        ours = measure_pair(callers, calls, options.rounds)
        result = figures.Result(group=few.group, name=few.name, goal=few.goal, few=ours[0], many=ours[1])
        if few.plain and not options.without_plain:
            calls = [call | {"path": one.plain} for call, one in zip(calls, (few, many), strict=True)]
            result.plain_few, result.plain_many = measure_pair(callers, calls, options.plain_rounds)
        results.append(result)
        report.show_progress(result)
        if options.explain and result.list_missed():
            report.show_plans(callers[1].ask(**many.describe() | {"explain": True})["plans"])
    return results


def measure_pair(callers: list[Caller], calls: list[dict[str, str]], rounds: int) -> list[figures.Times]:
    """Call both in turns, so that what else the machine does falls on both."""
    times = [figures.Times(), figures.Times()]
    begun = time.monotonic()
    for number in range(-_WARM, rounds):
        costs = [caller.ask(**call) for caller, call in zip(callers, calls, strict=True)]
        # What is so slow is not worth a call that does not count.
        if number >= 0 or max(cost["wall"] for cost in costs) > 1:
            for one, cost in zip(times, costs, strict=True):
                one.add(cost)
        if time.monotonic() - begun > _PATIENCE and len(times[0].wall) >= _LEAST:
            break
    return times


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, help="default: 100000 on SQLite, 1000000 on PostgreSQL")
    parser.add_argument("--vendors", nargs="*", choices=list(_MANY), default=list(_MANY))
    parser.add_argument("--rounds", type=int, default=20, help="calls of each of our addresses")
    parser.add_argument("--plain-rounds", type=int, default=5, help="calls of each of the plain Django's")
    parser.add_argument("--only", default="", help="cases whose group and name contain this")
    parser.add_argument("--without-plain", action="store_true")
    parser.add_argument("--explain", action="store_true", help="the plans of slow queries, where a goal is missed")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    return parser.parse_args()


def main() -> int:
    """Measure, show, and say by the exit whether every goal is met."""
    options = read_options()
    runs = {vendor: kept.read_run(vendor, _count_many(options, vendor)) for vendor in _MANY}
    for vendor in options.vendors:
        run = runs[vendor] = measure_vendor(options, vendor)
        kept.keep_run(run, _count_many(options, vendor))
        sys.stdout.write(report.write_run(run))
    if options.write:
        report.write_document([run for run in runs.values() if run])
    return int(any(result.list_missed() for vendor in options.vendors for result in runs[vendor]["results"]))


if __name__ == "__main__":
    sys.exit(main())
