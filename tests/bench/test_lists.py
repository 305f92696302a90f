"""The bench of lists: what misses a goal is marked."""

from typing import Any

from tests.bench import lists


def make_calls(*, cpu: float, wall: float = 0.05, queries: int = 8) -> list[dict[str, Any]]:
    return [{"cpu": cpu, "wall": wall, "queries": queries, "rows": 51}] * 20


def test_a_list_is_judged_by_work_time_and_queries():
    few = make_calls(cpu=0.01)
    good = lists.Result(goal=1.5, few=few, many=make_calls(cpu=0.014))
    bad = lists.Result(goal=1.5, few=few, many=make_calls(cpu=0.016, wall=0.11, queries=9))

    assert good.judge() == ["1.40", "50.0", "8", "51"]
    assert bad.judge() == ["1.60 (missed)", "110.0 (missed)", "8 → 9 (missed)", "51"]
