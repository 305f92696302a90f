"""The fair order: in turns between people, oldest first within a person."""

from collections.abc import Iterable

from django.db.models import Count, OuterRef, Q, Window
from django.db.models.functions import Coalesce, RowNumber

from portal import models
from portal.services.requests import submitters


def find_next(*, account: models.Account, most: int) -> list[models.Request]:
    """The next requests that may be sent, at most so many: each time the oldest of the person whose last turn is
    longest ago. Locked, each with its `last_number`.

    Who may no longer ask for workstations has no turn: what they have waiting is cancelled.
    """
    due = models.Request.objects.due(account).filter(requester__in=submitters.list_submitters())
    # Whoever has had a turn is behind all others: first everybody's oldest, then everybody's second.
    place = Window(RowNumber(), partition_by="requester", order_by=("queued_at", "id"))
    order = due.annotate(place=place).filter(place__lte=most).order_by("place", "requester__last_turn", "requester")
    numbers = list(order.values_list("pk", flat=True)[:most])
    if not numbers:
        return []
    last = models.Attempt.objects.filter(request=OuterRef("pk")).order_by("-number").values("number")[:1]
    rows = models.Request.objects.filter(pk__in=numbers).annotate(
        last_number=Coalesce(last, 0)  # type: ignore[no-redef]
    )
    locked = rows.select_related("account", "requester").select_for_update(of=("self",))
    return sorted(locked, key=lambda row: numbers.index(row.pk))


def take_turns(*, key: models.Key, portal_requests: Iterable[models.Request]) -> None:
    """Note, under the locked key, that their requesters have had a turn each; the caller saves the key's `turn`."""
    people: dict[int, models.User] = {}
    for portal_request in portal_requests:
        key.turn += 1
        person = people.setdefault(portal_request.requester_id, portal_request.requester)
        person.last_turn = key.turn
    models.User.objects.bulk_update(people.values(), ["last_turn"])


def find_position(*, portal_request: models.Request) -> int:
    """The place of a waiting request in the queue; 1 is next. Requests that wait for their next try count too."""
    own, queued_at = portal_request.requester, portal_request.queued_at
    queued = models.Request.objects.filter(account=portal_request.account_id, status=models.Request.Status.QUEUED)
    is_sooner = Q(queued_at__lt=queued_at) | Q(queued_at=queued_at, id__lt=portal_request.pk)
    people = queued.order_by().values_list("requester__last_turn", "requester")
    counts = list(people.annotate(count=Count("pk"), sooner=Count("pk", filter=is_sooner)))
    place: int = 1 + sum(sooner for _, pk, _, sooner in counts if pk == own.pk)
    before: int = sum(
        min(count, place if (last_turn, pk) < (own.last_turn, own.pk) else place - 1)
        for last_turn, pk, count, _ in counts
        if pk != own.pk
    )
    return place + before
