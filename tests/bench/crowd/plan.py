"""Which loads are put on whom, in what order, and what the portal is to reach."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.bench.crowd import alone, loads
from tests.bench.crowd.loads import Figures

CAPS, LATENCIES = (16, 160), (0, 5)
_ONE_BY_ONE = 100  # requests
_LIGHT = {0: 40, 1: 10, 5: 3}  # requests one at a time, by the provider's latency
_IN_LOOP, _IN_QUEUE = 320, 320  # requests
_WORKERS_LATENCY, _WORKERS_CAP, _SENDERS = 1, 64, 15
_DATABASE, _AFTER_ANOTHER = "the database by itself", "one after the other, 0 s"
_FORMS, _PAGES = "16 without a pause", "16 without a pause, pages around"
_FAULTY, _KILLED = "all at once, 10% 429, 5% 503, 3% 500", "all at once, 1 s, a process killed"
_WORKERS = f"a full queue, {_WORKERS_LATENCY} s, cap {_WORKERS_CAP}"
_SMALL_WORKERS = f"{_WORKERS}, {_SENDERS} threads each"
IDLE, PAGE = "idle", "history, 50 rows"
_EACH, _SITES = ("A", "B", "B+", "portal"), ("B", "B+", "portal")
_QUICKEST = "B+ on SQLite"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One measurement of one subject. `loads`: by which names its figures are told."""

    subject: str
    loads: tuple[str, ...]
    act: Callable[[Any], Figures]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Of a figure of the portal's: at most, or at least, so much; or so many times what a peer has, maybe elsewhere."""

    load: str
    figure: str
    most: float = 0.0
    least: float = 0.0
    beside: str = ""
    of: str = ""
    only_on: str = ""


def list_steps(*, vendor: str, share: float) -> list[list[Step]]:
    """By loads; the steps of one are to be done in turns. `share`: of the requests that are sent."""
    steps = [[_give("A", _DATABASE, alone.measure_database)]]
    steps.append([_give(name, _AFTER_ANOTHER, loads.load_one_by_one, count=int(share * _ONE_BY_ONE)) for name in _EACH])
    for latency, count in _LIGHT.items():
        values = {"latency": latency, "count": max(2, int(share * count))}
        steps.append([_give(name, _light(latency), loads.load_lightly, **values) for name in _SITES])
    for words, with_pages in ((_FORMS, False), (_PAGES, True)):
        names = _SITES if with_pages else _EACH
        values = {"count": int(share * _IN_LOOP), "with_pages": with_pages}
        steps.append([_give(name, words, loads.load_without_pause, **values) for name in names])
    steps += [_list_bursts(vendor, latency) for latency in LATENCIES]
    for words, act in ((_FAULTY, loads.load_with_faults), (_KILLED, loads.load_and_kill)):
        steps.append([_give(name, words, act) for name in _EACH])
    if vendor == "postgresql":
        values = {"latency": _WORKERS_LATENCY, "cap": _WORKERS_CAP, "count": int(share * _IN_QUEUE)}
        # As README.md starts it, one alone may have all the calls in flight that the cap allows: two have no more.
        steps.append([_give("portal", _WORKERS, loads.load_workers, **values)])
        steps.append([_give("portal", _SMALL_WORKERS, loads.load_workers, **values, threads=_SENDERS)])
    return steps


def _give(subject: str, load: str, act: Callable[..., Figures], **values: Any) -> Step:
    return Step(subject=subject, loads=(load,), act=lambda one: act(one, **values))


def _list_bursts(vendor: str, latency: int) -> list[Step]:
    """A site of an afternoon knows no cap: it is measured once for all of them."""
    names = ("B", "B+") if vendor == "sqlite" else ("B", "B+", _QUICKEST)
    every = tuple(_burst(latency, cap) for cap in CAPS)
    act = partial(loads.load_at_once, latency=latency, cap=CAPS[0])
    uncapped = [Step(subject=name, loads=every, act=act) for name in names]
    capped = [
        _give(name, _burst(latency, cap), loads.load_at_once, latency=latency, cap=cap)
        for cap in CAPS
        for name in ("A", "portal")
    ]
    return uncapped + capped


def _light(latency: int) -> str:
    return f"one at a time, {latency} s"


def _burst(latency: int, cap: int) -> str:
    return f"all at once, {latency} s, cap {cap}"


_FREE, _TIGHT = _burst(5, 160), _burst(5, 16)
GOALS = [
    *(Goal(load=one, figure="to the row, ms", most=2, beside="B") for one in (_AFTER_ANOTHER, *map(_light, _LIGHT))),
    *(Goal(load=_light(latency), figure="shown p95, ms", most=500) for latency in _LIGHT),
    *(
        Goal(load=one, figure="pick-up p95, ms", most=most, only_on=vendor)
        for one in (_AFTER_ANOTHER, _light(0))
        for vendor, most in (("sqlite", 50), ("postgresql", 10))
    ),
    Goal(load=_FORMS, figure="a second", least=0.7, beside="B"),
    Goal(load=_PAGES, figure="a second", least=0.7, beside="B"),
    Goal(load=_FREE, figure="submit p95, ms", most=2, beside="B", of=_burst(0, 160)),
    Goal(load=_FREE, figure="pages within a second, %", least=100),
    *(
        Goal(load=_FREE, figure=figure, most=most, beside=beside, only_on=vendor)
        for figure, most in (("pages p95, ms", 1.5), ("final, beyond, p95, ms", 3))
        for vendor, beside in (("sqlite", "B+"), ("postgresql", _QUICKEST))
    ),
    Goal(load=_TIGHT, figure="all done, of the least", most=1.1),
    Goal(load=_FAULTY, figure="final, %", least=100),
    Goal(load=_KILLED, figure="without an outcome", most=0),
    Goal(load=_KILLED, figure="made, and known to nobody", most=0),
    Goal(load=_KILLED, figure="made beyond what was wanted", most=0),
    Goal(load=_SMALL_WORKERS, figure="two of one", least=1.8),
    Goal(load=IDLE, figure="make run, MB", most=250),
    Goal(load=IDLE, figure="make run, % of a core", most=1.5),
    Goal(load=PAGE, figure="by the clock, ms", most=1.5, beside="B"),
]
