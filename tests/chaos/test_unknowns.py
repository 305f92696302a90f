"""How long outcomes were unknown, and whether it took a person, as the audit log tells it."""

from datetime import UTC, datetime

from tests.chaos import clocks, unknowns
from tests.chaos.unknowns import Unknown


def line(request: int, second: float, before: object, after: object, actor: int | None = None) -> unknowns.Line:
    return request, datetime.fromtimestamp(second, UTC), actor, {"before": before, "after": after}


def test_each_time_is_followed_to_its_end(tmp_path):
    lines = [
        line(1, 10, "SENDING", "UNKNOWN"),
        line(2, 11, "SENDING", "UNKNOWN"),
        line(1, 12, {"listed_at": None}, {"listed_at": "now"}),
        line(1, 14, "UNKNOWN", "QUEUED"),
        line(1, 15, "SENDING", "UNKNOWN"),
        line(2, 16, "UNKNOWN", "QUEUED", actor=7),
        line(3, 17, "SENDING", "SUCCEEDED"),
    ]

    found = unknowns.follow(lines, clock=clocks.Clock(folder=tmp_path))

    assert found == [
        Unknown(request=1, seconds=4, by_person=False),
        Unknown(request=2, seconds=5, by_person=True),
        Unknown(request=1, seconds=None, by_person=False),
    ]
    assert unknowns.describe(found, asked=frozenset({1})) == {
        "unknown ones that needed a person": "2 of 3 (66.7%)",
        "the others": "0 found, 1 not created",
        "the others were known after": "4.0 s (median), 4.0 s (9 of 10), 4.0 s (all)",
    }
    assert unknowns.describe(found, asked=frozenset())["unknown ones that needed a person"] == "1 of 3 (33.3%)"


def test_where_nothing_was_unknown():
    assert unknowns.describe([], asked=frozenset()) == {"unknown ones that needed a person": "0 of 0"}
