"""`manage.py setup_link`: a new one-time link for the first administrator."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from portal.services.people import links


class Command(BaseCommand):
    """Prints the link; it is valid for an hour and replaces any earlier one."""

    help = "Print a one-time link with which the first administrator is made."

    def handle(self, *args: Any, **options: Any) -> None:
        token = links.create_setup_link()
        if token is None:
            raise CommandError("There is an administrator already; sign in as one and add people in /people/.")
        self.stdout.write(settings.PORTAL_URL + reverse("setup", args=[token]))
