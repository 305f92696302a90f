"""Workstations that nobody uses: where administrators have set hours for that, they end half an hour later.

Used is what somebody holds a connection to, what has a new file or log, and what somebody gave more time. What an
address for scripts was given out for, or a program's call was passed on to, may be used without the portal's knowing:
it is never idle.
"""

from datetime import timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from portal import models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.lives import ends
from portal.services.people import policy
from portal.services.runtime import leases

FIRST = timedelta(minutes=30)  # between the first announcement and an end


def announce_idle(*, account: models.Account) -> None:
    """Give those an end that nobody uses, and those their own one back that somebody uses again."""
    rows = models.Workstation.objects.live().filter(account=account, release_requested_at=None, request__isnull=False)
    unused = list_unused(rows=rows)
    for row in rows.filter(end_is_idle=True).exclude(pk__in=unused.values("pk")):
        _take_back(row)
    for row in unused.filter(Q(ends_at=None) | Q(ends_at__gt=Now() + FIRST), end_is_idle=False):
        _announce(row)


def list_unused(*, rows: QuerySet[models.Workstation]) -> QuerySet[models.Workstation]:
    """Those among them that nobody uses, by the hours that are set; none where no hours are."""
    hours = policy.read_policy().idle_hours
    if not hours:
        return rows.none()
    since = Now() - timedelta(hours=hours)
    rows = rows.annotate(begun_at=Coalesce("end_set_at", "first_seen_at"))
    connections = models.Connection.calls.filter(workstation=OuterRef("pk"))
    is_used = Q(ended_at=None) | Q(ended_at__gt=since) | ~models.Connection.IS_HELD
    is_used = Q(kind=models.Connection.PASSED_ON) | Q(is_opening=False) & is_used
    written = {"workspace": OuterRef("workspace"), "first_seen_at__gt": since}
    return rows.filter(
        ~Exists(connections.filter(is_used)),
        ~Exists(models.File.objects.filter(**written)),
        ~Exists(models.Log.objects.filter(**written)),
        Q(end_is_idle=True) | Q(begun_at__lte=since),
    )


@leases.transaction()
def _announce(row: models.Workstation) -> None:
    unchanged = models.Workstation.objects.filter(ends_at=row.ends_at, ended_at=None, release_requested_at=None)
    unused = list_unused(rows=unchanged)
    begun_at = Coalesce("end_set_at", "first_seen_at")  # nobody chose one where there were no ends yet
    values = {"ends_at": Now() + FIRST, "end_set_at": begun_at, "planned_end_at": row.ends_at}
    if row.update_where(unused, **values, end_is_idle=True, end_warnings=1, end_seen=None):
        row.refresh_from_db(fields=["ends_at"])
        ends.record_warning(workstation=row)


@leases.transaction()
def _take_back(row: models.Workstation) -> None:
    unchanged = models.Workstation.objects.filter(end_is_idle=True, release_requested_at=None)
    values = {"ends_at": F("planned_end_at"), "planned_end_at": None, "end_is_idle": False, "end_warnings": 0}
    before = ends.describe_end(ends_at=row.ends_at)
    if row.update_where(unchanged, **values):
        row.refresh_from_db(fields=["ends_at"])
        detail = {"before": before, "after": ends.describe_end(ends_at=row.ends_at)}
        audit.record(Verb.SET_END, row, detail=detail, reason=_("It no longer counts as unused."), rows=())
