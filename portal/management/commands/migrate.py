"""`manage.py migrate`: Django's, which ends by putting all triggers back and completing the search index.

What it changed about groups is in the record.
"""

from typing import Any

from django.core.management.commands import migrate
from django.db import connection

from portal.services import membership
from portal.services.audit import protection
from portal.services.search import indexing


class Command(migrate.Command):
    """Django rebuilds tables on SQLite, and drops their triggers without a word."""

    def handle(self, *args: Any, **options: Any) -> None:
        if connection.vendor == "sqlite":
            protection.remove_triggers()
            indexing.remove_triggers()
        before = _describe_groups()
        super().handle(*args, **options)
        protection.install_triggers()
        indexing.install_triggers()
        indexing.index_missing()
        if before and _describe_groups() != before:
            membership.record_migration(before=before)


def _describe_groups() -> dict[int, membership.State]:
    """Empty where there are no groups yet, or no record."""
    is_there = {"portal_event", "auth_group_permissions"} <= set(connection.introspection.table_names())
    return membership.describe_groups() if is_there else {}
