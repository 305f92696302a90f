"""What people have read, and what they choose to get by mail: on their page, or by a mail's link without signing in."""

from collections.abc import Mapping

from django.core import signing
from django.db import transaction
from django.urls import reverse

from portal import models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.people.links import LinkNotValid

_SIGNER = signing.Signer(salt="portal notifications by mail")


def mark_read(*, person: models.User, until: int, since: int = 0) -> None:
    """Mark the person's notifications in this range of ids as read."""
    models.Notification.objects.filter(person=person, read_at=None, pk__range=(since, until)).update(read_at=Now())


@transaction.atomic
def choose_mail(*, person: models.User, choices: Mapping[str, bool]) -> None:
    """Mail the person notifications of these kinds, or no longer. What stays as it was is no event."""
    stored = models.User.objects.select_for_update().get(pk=person.pk)
    before, stored.mail_choices = stored.mail_choices, {**stored.mail_choices, **choices}
    if before != stored.mail_choices:
        stored.save(update_fields=["mail_choices"])
        detail = {"before": before, "after": stored.mail_choices}
        audit.record(Verb.CHOOSE_MAIL, stored, by=stored, detail=detail, rows=())


def make_path(*, person: models.User, kind: str) -> str:
    """Of the page by which mails of this kind are stopped."""
    return reverse("unsubscribe", args=[_SIGNER.sign(f"{person.pk}.{kind}")])


def read_token(*, token: str) -> tuple[models.User, str]:
    """The person and the kind. Raises LinkNotValid."""
    try:
        number, _dot, kind = _SIGNER.unsign(token).partition(".")
        return models.User.objects.get(pk=number), kind
    except (signing.BadSignature, models.User.DoesNotExist):
        raise LinkNotValid from None
