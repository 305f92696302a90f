"""Which loads are put on whom, in what order, and what the portal is to reach."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.bench.crowd import loads
from tests.bench.crowd.loads import Figures

_SITES, _PORTAL = ("B", "B+", "portal"), ("portal",)
_LIGHT = {0: 40, 1: 10, 5: 3}  # requests one at a time, by the provider's latency
_IN_LOOP = 320  # requests
_FORMS, _WATCHED = "16 without a pause", "16 without a pause, who watch"
_RUSH = "all at once, {} s"
_WORKERS = f"a full queue, 1 s, {loads.SENDERS} threads each"
_CALLS, _DESKTOPS, _IDLE = f"{loads.CALLS} calls in flight", f"{loads.DESKTOPS} open desktops", "idle"


class Load(NamedTuple):
    """One measurement, of each of these in turns."""

    name: str
    subjects: tuple[str, ...]
    act: Callable[..., Figures]
    values: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Of a figure of the portal's: at most, or at least, so much; or so many times what B has, maybe elsewhere."""

    load: str
    figure: str
    most: float = 0.0
    least: float = 0.0
    beside: str = ""
    of: str = ""
    only_on: str = ""


def list_loads(*, vendor: str, share: float) -> list[Load]:
    """`share`: of the requests that are sent."""
    many = {"count": max(loads.IN_LOOP, int(share * _IN_LOOP))}
    few = {latency: {"latency": latency, "count": max(2, int(share * count))} for latency, count in _LIGHT.items()}
    listed = [
        *(Load(_light(latency), _SITES, loads.load_lightly, values) for latency, values in few.items()),
        Load(_FORMS, _SITES, loads.load_without_pause, many),
        Load(_WATCHED, _PORTAL, loads.load_and_watch, many),
        *(Load(_RUSH.format(latency), _SITES, loads.load_at_once, {"latency": latency}) for latency in (0, 5)),
        Load(_CALLS, _PORTAL, loads.load_calls, {}),
        Load(_DESKTOPS, _PORTAL, loads.load_desktops, {"seconds": max(2.0, share * loads.ALIVE_EVERY)}),
        Load(_IDLE, _PORTAL, loads.load_nothing, {}),
    ]
    return listed + [Load(_WORKERS, _PORTAL, loads.load_workers, many)] * (vendor == "postgresql")


def _light(latency: int) -> str:
    return f"one at a time, {latency} s"


GOALS = [
    *(Goal(load=_light(latency), figure="shown p95, ms", most=500) for latency in _LIGHT),
    Goal(load=_light(1), figure="to the row, ms", most=50),
    Goal(load=_FORMS, figure="a second", least=0.2, beside="B"),
    Goal(load=_FORMS, figure="processor each, ms", most=5, beside="B"),
    Goal(load=_WATCHED, figure="shown p95, ms", most=500),
    Goal(load=_RUSH.format(5), figure="submit p95, ms", most=2, beside="B", of=_RUSH.format(0)),
    Goal(load=_RUSH.format(5), figure="pages within a second, %", least=95, only_on="sqlite"),
    Goal(load=_RUSH.format(5), figure="pages within a second, %", least=85, only_on="postgresql"),
    Goal(load=_RUSH.format(5), figure="all done, of the least", most=1.1),
    Goal(load=_WORKERS, figure="two of one", least=1.8),
    Goal(load=_CALLS, figure="a call in flight, MB", most=5),
    Goal(load=_IDLE, figure="make run, MB", most=250),
    Goal(load=_IDLE, figure="make run, % of a core", most=1.5),
]
