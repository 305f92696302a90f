"""PostgreSQL's connections of this process, which Django's type for any database's does not know of."""

from typing import Any

from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper


def get() -> Any:
    return _get_connection().pool


def close() -> None:
    """Close every connection; the next that is needed opens a new pool."""
    _get_connection().close_pool()


def _get_connection() -> DatabaseWrapper:
    own = connections["default"]
    assert isinstance(own, DatabaseWrapper)
    return own
