"""The portal under a role of its own, as `manage.py grants` leaves it, on a database that another role owns."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from portal.db import places
from tests import pool


@contextmanager
def a_role() -> Iterator[str]:
    """A role that may sign in and nothing else. Its name is nobody's: roles are the whole cluster's."""
    name = f"portal_test_{secrets.token_hex(8)}"
    run(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'test'").format(sql.Identifier(name)))
    try:
        yield name
    finally:
        run(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        run(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def grant(role: str, capture) -> str:
    """What the command prints, given to the database as psql would."""
    capture.readouterr()
    call_command("grants", role)
    printed = capture.readouterr().out
    run(sql.SQL(printed))
    return printed


def run(statements: sql.SQL | sql.Composed) -> None:
    """As the owner, on a connection of its own."""
    with connect() as opened:
        opened.execute(statements)


def connect(**values: str) -> psycopg.Connection:
    """To the tests' database, past Django."""
    own = connection.settings_dict
    address = {"host": own["HOST"], "port": own["PORT"], "dbname": own["NAME"]}
    who = {"user": own["USER"], "password": own["PASSWORD"]}
    return psycopg.connect(**address | who | values, autocommit=True)


@contextmanager
def working_as(role: str) -> Iterator[None]:
    """All connections of this process are the role's, those of other threads too."""
    own = connection.settings_dict
    before = {name: own[name] for name in ("USER", "PASSWORD")}
    _sign_in(USER=role, PASSWORD="test")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT session_user, current_user")
            assert cursor.fetchone() == (role, role)
        yield
    finally:
        _sign_in(**before)


def _sign_in(**values: str) -> None:
    connection.close()
    pool.close()
    connection.settings_dict |= values
    places.choose_sql.cache_clear()  # what may be read is the role's, too
