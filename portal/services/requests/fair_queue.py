"""The fair order: in turns between people, oldest first within a person."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import zip_longest

from django.conf import settings
from django.db.models import BigIntegerField, Count, DateTimeField, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from portal import models
from portal.models.clock import Now
from portal.models.compiled import compiled
from portal.services.requests import submissions


def list_oldest(*, account_id: int, most: int) -> QuerySet[models.Request]:
    """Everybody's oldest request that may be sent, locked, first of whom the last turn is longest ago.

    Under the key's lock, without which nobody moves a queued request: one that vanished while its row is waited for
    would hide the others of its requester. Who may no longer ask for workstations has no turn.
    """
    # By the index of each person: a queue may be long, and a window function reads all of it.
    oldest = models.Request.objects.due(account_id).filter(requester=OuterRef("pk"))
    waiting = submissions.list_submitters().filter(Exists(oldest)).order_by(_read_turn(account_id, of="pk"), "pk")
    heads = waiting.annotate(oldest=Subquery(oldest.values("pk")[:1])).values("oldest")[:most]
    return _lock_due(account_id).filter(pk__in=heads).order_by(_read_turn(account_id, of="requester"), "requester")


def add_further(*, oldest: Sequence[models.Request], most: int) -> list[models.Request]:
    """The next requests, at most so many: everybody's oldest, which are given, and what else these people have."""
    if len(oldest) >= most or not any(row.has_more for row in oldest):
        return list(oldest[:most])
    # Each of the others gets one at least, so nobody can need more than this.
    left = most - len(oldest) + 1
    queues = [_lock_due(row.account_id).filter(requester=row.requester_id)[:left] for row in oldest]
    # Whoever has had a turn is behind all others: first everybody's oldest, then everybody's second.
    return [row for turn in zip_longest(*queues) for row in turn if row is not None][:most]


def _read_turn(account_id: int, *, of: str) -> Coalesce:
    """The tick at which a person had the last turn, which is a claim; 0 where they had none, or it is pruned."""
    claimed = models.Request.objects.filter(account=account_id, requester=OuterRef(of), claimed_tick__gt=0)
    return Coalesce(Subquery(claimed.order_by("-claimed_tick").values("claimed_tick")[:1]), 0)


def _lock_due(account_id: int) -> QuerySet[models.Request]:
    """Those that are due, a person's oldest first."""
    due = models.Request.objects.due(account_id)
    last = models.Attempt.objects.filter(request=OuterRef("pk")).order_by("-number").values("number")[:1]
    has_more = Exists(due.filter(requester=OuterRef("requester")).exclude(pk=OuterRef("pk")))
    rows = due.annotate(last_number=Coalesce(last, 0), has_more=has_more)  # type: ignore[no-redef]
    return rows.select_related("account", "requester").select_for_update(of=("self",))


def find_position(*, portal_request: models.Request) -> int:
    """The place of a waiting request in the queue; 1 is next. Requests that wait for their next try count too."""
    account_id, person = portal_request.account_id, portal_request.requester_id
    waiting = _count_waiting(account_id=account_id, queued_at=portal_request.queued_at, number=portal_request.pk)
    own_turn, sooner = next(((turn, sooner) for turn, one, _, sooner in waiting if one == person), (0, 0))
    place = 1 + sooner
    others = (row for row in waiting if row[1] != person)
    return place + sum(
        min(count, place if (turn, one) < (own_turn, person) else place - 1) for turn, one, count, _ in others
    )


@compiled(account_id=BigIntegerField(), queued_at=DateTimeField(), number=BigIntegerField())
def _count_waiting(
    *, account_id: int, queued_at: datetime, number: int
) -> QuerySet[models.User, tuple[int, int, int, int]]:
    """Of everybody who has requests in the queue: the last turn, the person, how many, and how many before this one."""
    queued = models.Request.objects.filter(account=account_id, status=models.Request.Status.QUEUED).order_by()
    own = queued.filter(requester=OuterRef("pk")).values("requester")
    is_sooner = Q(queued_at__lt=queued_at) | Q(queued_at=queued_at, id__lt=number)
    people = models.User.objects.filter(pk__in=queued.values("requester")).annotate(
        turn=_read_turn(account_id, of="pk"),
        count=Subquery(own.annotate(count=Count("pk")).values("count")),
        sooner=Subquery(own.annotate(count=Count("pk", filter=is_sooner)).values("count")),
    )
    return people.values_list("turn", "pk", "count", "sooner")


def count_soon(*, key: models.Key) -> tuple[int, int]:
    """How many requests are being sent or probably are within a second, and up to which position that holds: as many as
    calls may begin now, and as many again as began in the last one."""
    rows = _count_under_way(account_id=key.account_id)
    counts, began = {status: count for status, count, _ in rows}, rows[0][2] if rows else 0
    sending = counts.get(models.Request.Status.SENDING, 0)
    following = 1 if key.is_resuming else max(1, began + max(0, settings.PORTAL_CALLS_IN_FLIGHT - sending))
    return sending + min(counts.get(models.Request.Status.QUEUED, 0), following), following


@compiled(account_id=BigIntegerField())
def _count_under_way(*, account_id: int) -> QuerySet[models.Request, tuple[str, int, int]]:
    """Of each status: how many requests have it, and how many calls began in the last second."""
    states = (models.Request.Status.QUEUED, models.Request.Status.SENDING)
    under_way = models.Request.objects.filter(account=account_id, status__in=states).order_by().values("status")
    since = Now() - timedelta(seconds=1)
    lately = models.Attempt.objects.filter(request__account=account_id, claimed_at__gt=since).order_by()
    began = Subquery(lately.values("request__account").annotate(count=Count("pk")).values("count"))
    return under_way.annotate(count=Count("pk"), began=Coalesce(began, 0)).values_list("status", "count", "began")
