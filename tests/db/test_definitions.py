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


def test_what_differs_is_shown_where_it_begins():
    found = {"table": "CREATE TABLE x (id bigint, verb varchar(32) ON CONFLICT IGNORE)", "index evil": "on x (id)"}
    expected = {"table": "CREATE TABLE x (id bigint, verb varchar(32))", "index own": "on x (verb)"}
    assert list(definitions._compare(found, expected)) == [
        "its index evil is another's (“on x (id)”)",
        "its index own is missing",
        "its table has “…nt, verb varchar(32) ON CONFLICT IGNORE)” for “…nt, verb varchar(32))”",
    ]
