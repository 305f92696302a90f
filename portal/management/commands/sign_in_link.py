"""`manage.py sign_in_link`: a one-time link for somebody whom nothing else lets in, as while the issuer is away."""

import getpass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from portal import models
from portal.services.people import invitations


class Command(BaseCommand):
    """Prints the link; it is valid for an hour and replaces any earlier one."""

    help = "Print a one-time link with which a person chooses a password and is signed in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        person = models.User.objects.filter(username=options["username"], is_active=True, is_service=False).first()
        if person is None:
            raise CommandError(f"Nobody who may sign in has the name '{options['username']}'.")
        link = invitations.make_emergency_link(person=person, system_user=getpass.getuser())
        self.stdout.write(settings.PORTAL_URL + reverse("join", args=[link.token]))
