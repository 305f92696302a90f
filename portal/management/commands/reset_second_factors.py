"""`manage.py reset_second_factors`: for an administrator who has lost theirs, and nobody else is there to help."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal import models
from portal.accounts import factors


class Command(BaseCommand):
    help = "Remove a person's second factors: they sign in with the password alone until they add one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        person = models.User.objects.filter(username=options["username"]).first()
        if person is None:
            raise CommandError(f"Nobody has the name '{options['username']}'.")
        factors.remove_factors(person=person, by=None, command="reset_second_factors", system_user=getpass.getuser())
        self.stdout.write(f"'{person}' has no second factor any more.")
