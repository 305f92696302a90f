"""`manage.py create_token`: a token for a program, without anybody's browser."""

import getpass
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal import models
from portal.services.tokens import tokens


class Command(BaseCommand):
    """Prints the token, which nobody can read later."""

    help = "Print a token with which a program acts for a person at /v1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--scopes", required=True, help=f"of {', '.join(models.Token.Scope.values)}")
        parser.add_argument("--days", type=int, help="after which it ends; left out or 0: never by itself")
        parser.add_argument("--addresses", default="", help="from which alone it works, such as 10.0.0.2,10.1.0.0/16")
        parser.add_argument("--name", default="create_token", help="what the person's list of tokens calls it")

    def handle(self, *args: Any, **options: Any) -> None:
        person = models.User.objects.filter(username=options["username"], is_active=True).first()
        if person is None:
            raise CommandError(f"Nobody who may sign in has the name '{options['username']}'.")
        scopes = [part.strip() for part in options["scopes"].split(",")]
        if unknown := [scope for scope in scopes if scope not in models.Token.Scope]:
            raise CommandError(f"'{unknown[0]}' is no scope: there are {', '.join(models.Token.Scope.values)}.")
        try:
            addresses = tokens.read_networks(text=options["addresses"])
        except tokens.NoNetworks as error:
            raise CommandError(str(error)) from None
        text = tokens.create_token(
            person=person,
            name=options["name"][:60],
            scopes=scopes,
            addresses=addresses,
            lifetime=options["days"] and timedelta(days=options["days"]),
            command="create_token",
            system_user=getpass.getuser(),
        )
        self.stdout.write(text)
