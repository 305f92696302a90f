"""The definitions beside the migrations are those that a new database has."""

import pytest
from django.apps import apps
from django.db import connection

from portal.db import definitions

pytestmark = pytest.mark.django_db


def test_the_definitions_kept_are_those_of_the_migrations():
    """After a migration, on each of both: migrate a new database, and `manage.py shell -c
    "from portal.db import definitions; definitions.write_definitions()"`."""
    assert definitions.find_differences() == []
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    kept = set(definitions._load_definitions(connection.vendor))
    assert kept == tables | {"django_migrations", "portal_searchentry"}


@pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="PostgreSQL writes definitions anew from what it has read"
)
def test_definitions_that_were_dumped_and_restored_are_the_same():
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c'"
            " AND conrelid::regclass::text LIKE 'portal_%'"
        )
        checks = cursor.fetchall()
        assert any("ARRAY" in check for _, _, check in checks)
        for table, name, check in checks:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}", ADD CONSTRAINT "{name}" {check}')
        cursor.execute(
            "SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON oid = indexrelid"
            " WHERE indrelid::regclass::text LIKE 'portal_%'"
            " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"
        )
        for index, written in cursor.fetchall():
            cursor.execute(f"DROP INDEX {index}")
            cursor.execute(written)
    assert definitions.find_differences() == []


def test_of_another_version_of_the_portal_one_sentence_is_said():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE portal_lease ADD COLUMN quiet integer")
        cursor.execute("UPDATE django_migrations SET name = '0002_later' WHERE app = 'portal' AND name LIKE '0002%'")
    (words,) = definitions.find_differences()
    assert "0002_beyond_tables, 0002_later" in words


def test_what_differs_is_shown_where_it_begins():
    found = {"table": "CREATE TABLE x (id bigint, verb varchar(32) ON CONFLICT IGNORE)", "index evil": "on x (id)"}
    expected = {"table": "CREATE TABLE x (id bigint, verb varchar(32))", "index own": "on x (verb)"}
    assert list(definitions._compare(found, expected)) == [
        "its index evil is another's (“on x (id)”)",
        "its index own is missing",
        "its table has “…nt, verb varchar(32) ON CONFLICT IGNORE)” for “…nt, verb varchar(32))”",
    ]
