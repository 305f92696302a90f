"""`manage.py grants`: what the portal's role may do on PostgreSQL, as SQL."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.services.audit import protection


class Command(BaseCommand):
    """Prints and changes nothing: the owner of the tables gives it to psql, after each migration."""

    help = "Print the SQL that leaves to the portal's role what it needs, where another role owns the tables."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("role", help="with which web and workers connect")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            statements = protection.write_grants(role=options["role"])
        except protection.NotPossible as refusal:
            raise CommandError(str(refusal)) from refusal
        # All or nothing: half of it would leave a portal that cannot work.
        for statement in ["BEGIN", *statements, "COMMIT"]:
            self.stdout.write(f"{statement};")
