"""`python -m tests.bench.crowd`: everybody comes at once, to the portal and to what somebody writes in an afternoon.

A is a loop that asks the provider and keeps a line of it; B a Django site that asks while the form is being sent, on
two processes of four threads; B+ the same with a hundred threads each, and where all is measured on PostgreSQL, once
more on SQLite, which is what it is quickest on; the portal runs as README.md starts it. The provider is the sandbox.
They are measured in turns, round after round, each time from a new start.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.bench import databases, report
from tests.bench.crowd import alone, loads, plan, subjects
from tests.bench.crowd.provider import Provider
from tests.bench.crowd.results import Results
from tests.chaos import stage

_MARKS = ("<!-- figures of the crowd -->", "<!-- end of the crowd -->")
_VENDORS = ("sqlite", "postgresql")
_PEOPLE = 150
_LOOK = 1.0  # seconds for which the others' work is looked at


class Bench:
    """One run on one database engine."""

    def __init__(self, *, options: argparse.Namespace, vendor: str, folder: Path) -> None:
        self._options, self._folder, self.results = options, folder, Results(vendor=vendor)
        self._subjects: dict[str, subjects.Subject] = {}

    def run(self) -> None:
        """Measure all that is wanted, and leave nothing running."""
        self._provider = Provider(self._folder)
        try:
            self._add("the provider by itself", "A", alone.measure_provider(self._provider, self._options.people))
            steps = plan.list_steps(vendor=self.results.vendor, share=self._options.people / _PEOPLE)
            for together in steps:
                wanted = [step for step in together if any(map(self._is_wanted, step.loads))]
                for step in wanted * self._options.rounds:
                    self._take(step)
            self._measure_alone()
        finally:
            self._provider.stop()
            for subject in self._subjects.values():
                subject.store.drop()

    def _is_wanted(self, load: str) -> bool:
        return any(words in load for words in self._options.only)

    def _take(self, step: plan.Step) -> None:
        subject = self._subjects.get(step.subject) or self._prepare(step.subject)
        self.results.busy.append(read_busy())
        figures = step.act(subject)
        for load in filter(self._is_wanted, step.loads):
            self._add(load, step.subject, figures)

    def _prepare(self, name: str) -> subjects.Subject:
        kind = next(kind for kind in subjects.KINDS if kind.name == name)
        subject = self._subjects[name] = kind(
            folder=self._folder, vendor=self.results.vendor, provider=self._provider, count=self._options.people
        )
        subject.prepare()
        return subject

    def _measure_alone(self) -> None:
        for _ in range(self._options.rounds):
            if self._is_wanted(plan.IDLE):
                self._add(plan.IDLE, "portal", alone.measure_idle(folder=self._folder, vendor=self.results.vendor))
            if self._is_wanted(plan.PAGE):
                for name, figures in alone.measure_page(self.results.vendor).items():
                    self._add(plan.PAGE, name, figures)

    def _add(self, load: str, subject: str, figures: loads.Figures) -> None:
        self.results.add(load, subject, figures)
        words = ", ".join(f"{name}: {value:.4g}" for name, value in figures.items())
        _print(f"{load:45} {subject:7} {words}")


def read_busy() -> float:
    """The share of the processors that is in use while nothing of ours works, in per cent."""
    before = _read_ticks()
    time.sleep(_LOOK)
    after = _read_ticks()
    return 100 * (1 - (after[1] - before[1]) / (after[0] - before[0]))


def _read_ticks() -> tuple[int, int]:
    """All of them, and the idle ones."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


def keep_run(run: Results, options: argparse.Namespace) -> None:
    """In place of the last one of this engine: both come into the document though they were measured apart."""
    kept = {"told": run.told, "busy": run.busy, "people": options.people, "rounds": options.rounds}
    databases.FOLDER.mkdir(parents=True, exist_ok=True)
    _find_kept(run.vendor).write_text(json.dumps(kept))


def write_runs(vendors: Iterable[str]) -> list[str]:
    """The tables of what these engines' last runs have measured."""
    kept = {vendor: json.loads(_find_kept(vendor).read_text()) for vendor in vendors}
    lines = [
        f"{os.cpu_count()} cores. Of each figure the median of the rounds (least–most). *Beyond*: less the provider's "
        "own time."
    ]
    for vendor, values in kept.items():
        run = Results(vendor=vendor, told=values["told"], busy=values["busy"])
        least, most = (min(run.busy), max(run.busy)) if run.busy else (0, 0)
        lines += [
            "",
            f"### The crowd on {report.NAMES[run.vendor]}",
            "",
            f"{values['people']} people, {values['rounds']} rounds. "
            f"Others had {least:.0f} to {most:.0f} % of the processors.",
            "",
            *run.write(),
        ]
    return [*lines, ""]


def _find_kept(vendor: str) -> Path:
    return databases.FOLDER / f"crowd-{vendor}.json"


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (a command's own words)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.crowd", description=__doc__)
    parser.add_argument("--people", type=int, default=_PEOPLE, help="fewer send fewer requests in all loads")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--vendors", nargs="*", choices=_VENDORS, default=_VENDORS)
    parser.add_argument("--only", nargs="*", default=[""], help="loads whose names have one of these, as 's, cap 160'")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    return parser.parse_args()


def main() -> int:
    """Measure, show, and say by the exit whether every goal is met."""
    options, runs = read_options(), []
    try:
        for vendor in options.vendors:
            with tempfile.TemporaryDirectory(prefix="portal-crowd-") as name:
                bench = Bench(options=options, vendor=vendor, folder=Path(name))
                runs.append(bench.results)
                try:
                    bench.run()
                finally:  # what took an hour is kept though what follows it failed
                    keep_run(bench.results, options)
    except stage.CannotStage as error:
        _print(f"crowd: {error}")
        return 2
    finally:
        _print("\n".join(["", *write_runs(run.vendor for run in runs)]))
    if options.write:
        report.put_between(_MARKS, write_runs(vendor for vendor in _VENDORS if _find_kept(vendor).exists()))
    return int(any(not is_met for run in runs for _, _, is_met in run.list_judged()))


if __name__ == "__main__":
    sys.exit(main())
