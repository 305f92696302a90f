"""Who came, who was turned away, who left: signing in and out, and passwords, for the record."""

from django.db import transaction

from portal import models
from portal.services import audit


@transaction.atomic
def record_sign_in(*, person: models.User) -> None:
    """Note that the person signs in."""
    audit.record_event(actor=person, verb="sign-in", target=person, rows=())


@transaction.atomic
def record_failed_sign_in(*, name: str) -> None:
    """Note that somebody tried under this name and was turned away.

    A name that nobody has is not kept: people type their password there.
    """
    person = models.User.objects.filter(username=name).first()
    audit.record_event(actor=None, verb="sign-in-failed", target=person or "a name that nobody has", rows=())


@transaction.atomic
def record_sign_out(*, person: models.User) -> None:
    """Note that the person signs out."""
    audit.record_event(actor=person, verb="sign-out", target=person, rows=())


@transaction.atomic
def record_password_change(*, person: models.User) -> None:
    """Note that the person has changed the password."""
    audit.record_event(actor=person, verb="change-password", target=person, rows=())


@transaction.atomic
def set_password(*, person: models.User, password: str, told: str) -> None:
    """Give the person this password, which was checked, by a command; `told`: who called that, as the system knows."""
    person.set_password(password)
    person.save(update_fields=["password"])
    detail = {"command": "changepassword", "system_user": told}
    audit.record_event(actor=None, verb="change-password", target=person, detail=detail, rows=())
