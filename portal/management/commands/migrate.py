"""`manage.py migrate`: Django's, which ends by putting all triggers back and completing the search index."""

from typing import Any

from django.core.management.commands import migrate
from django.db import connection

from portal.services import indexing, protection


class Command(migrate.Command):
    """Django rebuilds tables on SQLite, and drops their triggers without a word."""

    def handle(self, *args: Any, **options: Any) -> None:
        if connection.vendor == "sqlite":
            protection.remove_triggers()
            indexing.remove_triggers()
        super().handle(*args, **options)
        protection.install_triggers()
        indexing.install_triggers()
        indexing.index_missing()
        indexing.make_index()
