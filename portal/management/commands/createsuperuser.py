"""`manage.py createsuperuser`: Django's, recorded."""

import getpass
from typing import Any

from django.contrib.auth.management.commands import createsuperuser

from portal.services.people import membership


class _Recording:
    """The model of people, or its manager, as Django's command uses it: superusers are made with their event.

    The command asks before it makes one; a transaction around all of it would keep everybody waiting meanwhile.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __call__(self, **values: Any) -> Any:
        return self._inner(**values)

    @property
    def _default_manager(self) -> "_Recording":
        return _Recording(self._inner._default_manager)

    def db_manager(self, using: str) -> "_Recording":
        return _Recording(self._inner.db_manager(using))

    def create_superuser(self, **values: Any) -> None:
        membership.create_superuser(values=values, system_user=getpass.getuser())


class Command(createsuperuser.Command):
    """Makes an administrator where the one-time link of `setup_link` is of no use, such as beside another one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.UserModel: Any = _Recording(self.UserModel)
