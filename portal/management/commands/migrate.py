"""`manage.py migrate`: Django's, which ends by putting all triggers back.

What it changed about groups is in the audit log. One from before the first release is refused.
"""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from portal.db import triggers
from portal.db.connection import execute
from portal.services.audit import protection
from portal.services.people import membership


class Command(migrate.Command):
    """Django rebuilds tables on SQLite, and drops their triggers without a word."""

    def handle(self, *args: Any, **options: Any) -> None:
        loader = MigrationLoader(connection)
        applied = {name for app, name in loader.applied_migrations if app == "portal"}
        if unknown := applied - {name for app, name in loader.disk_migrations if app == "portal"}:
            raise CommandError(
                f"This database is from before the first release, or of a newer version (it has {min(unknown)}): it"
                " cannot be migrated. Set it aside with its audit key and begin with a new one, or install the"
                " version that made it."
            )
        if connection.vendor == "sqlite":
            triggers.remove_triggers()
        else:  # between two statements a migration may think for longer than a page may
            execute("SET idle_in_transaction_session_timeout = 0")
        before = _describe_groups()
        super().handle(*args, **options)
        protection.install_triggers()
        if before and _describe_groups() != before:
            membership.record_migration(before=before)


def _describe_groups() -> dict[int, membership.State]:
    """Empty where there are no groups yet, or no audit log."""
    is_there = {"portal_event", "auth_group_permissions"} <= set(connection.introspection.table_names())
    return membership.describe_groups() if is_there else {}
