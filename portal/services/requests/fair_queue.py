"""The fair order: in turns between people, oldest first within a person."""

from collections.abc import Iterable
from datetime import datetime
from itertools import zip_longest

from django.db.models import BigIntegerField, Count, DateTimeField, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from portal import models
from portal.models.compiled import compiled
from portal.services.requests import submitters


def find_next(*, account: models.Account, most: int) -> list[models.Request]:
    """The next requests that may be sent, at most so many: each time the oldest of the person whose last turn is
    longest ago. Locked, each with its `last_number`.

    Under the key's lock, without which nobody moves a queued request: one that vanished while its row is waited for
    would hide the others of its requester. Who may no longer ask for workstations has no turn: what they have waiting
    is cancelled.
    """
    found = _read_oldest(account_id=account.pk, most=most)
    if len(found) == most or not any(row.has_more for row in found):
        return found
    # Each of the others gets one at least, so nobody can need more than this.
    left = most - len(found) + 1
    queues = [_read_own(account_id=account.pk, requester_id=row.requester_id, most=left) for row in found]
    # Whoever has had a turn is behind all others: first everybody's oldest, then everybody's second.
    return [row for turn in zip_longest(*queues) for row in turn if row is not None][:most]


@compiled(account_id=BigIntegerField())
def _read_oldest(*, account_id: int, most: int) -> QuerySet[models.Request]:
    """The oldest of each person, in the order of their turns."""
    # By the index of each person: a queue may be long, and a window function reads all of it.
    oldest = models.Request.objects.due(account_id).filter(requester=OuterRef("pk"))
    waiting = submitters.list_submitters().filter(Exists(oldest)).order_by("last_turn", "pk")
    heads = waiting.annotate(oldest=Subquery(oldest.values("pk")[:1])).values("oldest")[:most]
    return _lock_due(account_id).filter(pk__in=heads).order_by("requester__last_turn", "requester")


@compiled(account_id=BigIntegerField(), requester_id=BigIntegerField())
def _read_own(*, account_id: int, requester_id: int, most: int) -> QuerySet[models.Request]:
    """A person's, oldest first."""
    return _lock_due(account_id).filter(requester=requester_id)[:most]


def _lock_due(account_id: int) -> QuerySet[models.Request]:
    due = models.Request.objects.due(account_id)
    last = models.Attempt.objects.filter(request=OuterRef("pk")).order_by("-number").values("number")[:1]
    has_more = Exists(due.filter(requester=OuterRef("requester")).exclude(pk=OuterRef("pk")))
    rows = due.annotate(last_number=Coalesce(last, 0), has_more=has_more)  # type: ignore[no-redef]
    return rows.select_related("account", "requester").select_for_update(of=("self",))


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
    own = portal_request.requester
    counts = _count_queued(
        account_id=portal_request.account_id, queued_at=portal_request.queued_at, number=portal_request.pk
    )
    place: int = 1 + sum(sooner for _, pk, _, sooner in counts if pk == own.pk)
    before: int = sum(
        min(count, place if (last_turn, pk) < (own.last_turn, own.pk) else place - 1)
        for last_turn, pk, count, _ in counts
        if pk != own.pk
    )
    return place + before


@compiled(account_id=BigIntegerField(), queued_at=DateTimeField(), number=BigIntegerField())
def _count_queued(
    *, account_id: int, queued_at: datetime, number: int
) -> QuerySet[models.Request, tuple[int, int, int, int]]:
    """Of each person who waits: the last turn, the id, how many requests wait, and how many before the one given."""
    queued = models.Request.objects.filter(account=account_id, status=models.Request.Status.QUEUED)
    is_sooner = Q(queued_at__lt=queued_at) | Q(queued_at=queued_at, id__lt=number)
    people = queued.order_by().values_list("requester__last_turn", "requester")
    return people.annotate(count=Count("pk"), sooner=Count("pk", filter=is_sooner))
