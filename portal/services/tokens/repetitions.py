"""What a program finds again that sends the same POST once more: by an Idempotency-Key, or without one by its body."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from portal import models
from portal.models.clock import Now

KEPT = timedelta(days=1)
TELLING = timedelta(seconds=70)  # longer than an answer may take to be sent, in two pieces


class KeyReused(Exception):
    """The key came with another body before; the message is fit for who sent it."""


class BeingTold(Exception):
    """Another call may be answered with this outcome at this moment."""


@transaction.atomic
def find_submission(*, token: models.Token, key: str, body: str, check: Callable[[], object]) -> UUID:
    """The one submission that a key of the token's person stands for, until a day after its end. Raises KeyReused.

    It is there before the request is: whoever sends the same after a crash, or at the same moment, gets the same. What
    `check` raises leaves a new key as it is.
    """
    _forget_old()
    digest = hashlib.sha256(f"{token.person_id} {key}".encode()).hexdigest()
    row = models.Repetition.objects.filter(key=digest).first()
    if row is None:
        check()
        values = {"token": token, "body": body, "submission": uuid4()}
        row, _is_new = models.Repetition.objects.get_or_create(key=digest, defaults=values)
    if row.body != body:
        raise KeyReused(_("This Idempotency-Key came with another body before."))
    return row.submission


def owe_outcome(*, owed: models.Repetition) -> None:
    """Note that who sent this does not know what became of it."""
    _forget_old()
    # Once, also where a commit that was in doubt is repeated.
    models.Repetition.objects.get_or_create(token=owed.token, body=owed.body, submission=owed.submission, key="")


def _forget_old() -> None:
    models.Repetition.objects.exclude(_is_kept()).delete()


def _is_kept() -> Q:
    """Whoever asks goes on to ask for what is open, however long a pause lasts, and for a day after it has ended."""
    is_kept = Q(ended_at=None) | Q(ended_at__gt=Now() - KEPT)
    return Q(at__gt=Now() - KEPT) | Q(Exists(_list_requests().filter(is_kept)))


def _list_requests() -> QuerySet[models.Request]:
    """For a subquery on repetitions."""
    return models.Request.objects.filter(requester=OuterRef("token__person"), submission=OuterRef("submission"))


def list_owed(*, token: models.Token, body: str) -> QuerySet[models.Repetition]:
    """What the token has not been told the outcome of, oldest first; of a workstation that has ended it is not told."""
    owed = models.Repetition.objects.filter(_is_kept(), token=token, body=body, key="").order_by("pk")
    return owed.exclude(Exists(_list_requests().filter(workstation__ended_at__isnull=False)))


def settle(*, owed: models.Repetition) -> bool:
    """Whether this call is to tell the outcome: of several, one; False once another has told it.

    Raises BeingTold while another may still be at it: it has ended since, or its process has died.
    """
    was_tried, owed.is_settling = owed.is_settling, True
    rows = _list_same(owed)
    free = Q(told_at=None) | Q(told_at__lt=Now() - TELLING)
    if was_tried or rows.filter(free).update(told_at=Now()):
        return True  # after an error, the same
    owed.is_settling = False
    if rows.exists():
        raise BeingTold
    return False


def note_told(*, owed: models.Repetition, is_over: bool) -> None:
    """Owe it no longer once it was told whole, or else to the next that asks."""
    rows = _list_same(owed)
    rows.delete() if is_over else rows.update(told_at=None)


def _list_same(owed: models.Repetition) -> QuerySet[models.Repetition]:
    return models.Repetition.objects.filter(token=owed.token, body=owed.body, submission=owed.submission, key="")
