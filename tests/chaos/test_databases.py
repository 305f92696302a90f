"""The databases that chaos copies and puts back."""

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from .stage import Postgres, Sqlite


def _run(database: Sqlite | Postgres, statement: str) -> list[tuple[object, ...]]:
    """What a statement returns, on a connection of its own."""
    if isinstance(database, Sqlite):
        with contextlib.closing(sqlite3.connect(database.path, autocommit=True)) as connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(database.url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the system user of PostgreSQL can reach, which pytest's are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("kind", [Sqlite, Postgres])
def test_a_second_copy_takes_the_place_of_the_first(kind: type[Sqlite | Postgres], open_folder: Path) -> None:
    database = kind(open_folder)
    database.start()
    try:
        _run(database, "CREATE TABLE word (value text)")
        database.copy("backup")
        _run(database, "INSERT INTO word VALUES ('kept')")
        database.copy("backup")
        _run(database, "INSERT INTO word VALUES ('forgotten')")
        database.put_back("backup")
        assert _run(database, "SELECT value FROM word") == [("kept",)]
    finally:
        database.stop()
