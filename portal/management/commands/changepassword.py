"""`manage.py changepassword`: Django's, recorded."""

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from portal import models
from portal.services.people import sessions

_TRIES = 3


class Command(changepassword.Command):
    """Asks for the password twice, checks it as the portal's page does, and sets it with its event."""

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["username"] or getpass.getuser()
        person = models.User.objects.filter(username=name).first()
        if person is None:
            raise CommandError(f"Nobody has the name '{name}'.")
        self.stdout.write(f"Changing the password of '{person}'.")
        for _ in range(_TRIES):
            if password := self._ask(person):
                sessions.set_password(person=person, password=password, system_user=getpass.getuser())
                self.stdout.write(f"The password of '{person}' is changed.")
                return
        raise CommandError(f"The password of '{person}' stays as it was.")

    def _ask(self, person: models.User) -> str:
        password = getpass.getpass()
        if password != getpass.getpass("Password (again): "):
            self.stderr.write("The two passwords differ.")
            return ""
        try:
            validate_password(password, person)
        except ValidationError as error:
            self.stderr.write("\n".join(error.messages))
            return ""
        return password
