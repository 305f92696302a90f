from collections.abc import Iterator

import pytest

from tests import dbclock, factories
from tests.properties.world import NOW


@pytest.fixture
def standing(db) -> Iterator[None]:
    """The clock stands, and there are people, some of whom may not request workstations."""
    with dbclock.standing(at=NOW):
        _add_people()
        yield


def _add_people() -> None:
    factories.mark_baseline_scan()
    for number, group in enumerate(["Members"] * 3 + ["Operators", "Auditors"]):
        factories.create_user(f"person-{number}", group)
    factories.create_user("gone", "Members", is_active=False)
    factories.create_user("root", is_superuser=True)
