"""The fair order: in turns between people, oldest first within a person."""

from django.db.models import Count, Exists, OuterRef

from portal import models
from portal.services import submitters


def find_next(*, account: models.Account) -> models.Request | None:
    """The next request that may be sent: the oldest of the person whose last turn is longest ago. Locked.

    Who may no longer ask for workstations has no turn: what they have waiting is cancelled.
    """
    due = models.Request.objects.due(account)
    people = submitters.list_submitters().filter(Exists(due.filter(requester=OuterRef("pk"))))
    person = people.order_by("last_turn", "pk").first()
    return due.filter(requester=person).select_for_update().first() if person else None


def take_turn(*, key: models.Key, person_id: int) -> None:
    """Note, under the locked key, that this person has had a turn."""
    key.turn += 1
    key.save(update_fields=["turn"])
    models.User.objects.filter(pk=person_id).update(last_turn=key.turn)


def count_waiting(*, account_id: int) -> int:
    """How many requests are in the account's queue."""
    return models.Request.objects.filter(account=account_id, status=models.Request.Status.QUEUED).count()


def find_position(*, portal_request: models.Request) -> int:
    """The place of a waiting request in the queue; 1 is next. Requests that wait for their next try count too."""
    queued = models.Request.objects.filter(account=portal_request.account_id, status=models.Request.Status.QUEUED)
    own = queued.filter(requester=portal_request.requester_id).order_by("queued_at", "id")
    place = [*own.values_list("pk", flat=True), portal_request.pk].index(portal_request.pk) + 1
    turn = portal_request.requester.last_turn, portal_request.requester_id
    others = queued.exclude(requester=portal_request.requester_id).values_list("requester__last_turn", "requester")
    before: int = sum(
        min(count, place if (last_turn, pk) < turn else place - 1)
        for last_turn, pk, count in others.annotate(count=Count("pk")).order_by()
    )
    return place + before
