"""What an act asks of the database: the one place where statements are counted."""

from collections.abc import Callable

from django.db import connection
from django.test.utils import CaptureQueriesContext

_FRAME = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT")


def record(act: Callable[[], object]) -> list[str]:
    """The statements, without what begins and ends transactions."""
    with CaptureQueriesContext(connection) as queries:
        act()
    return [query["sql"] for query in queries.captured_queries if not query["sql"].startswith(_FRAME)]
