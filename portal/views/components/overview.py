"""What whoever sees everything finds on top of the home page: what goes on, and where to look something up."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from portal import models
from portal.models.clock import Now
from portal.services.audit import seals
from portal.views.components import links


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure in words, and the list that it counts; the link is empty where there is none."""

    label: str
    value: str
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Overview:
    """`presets` are words and the addresses of lists. `audit_log` only for who may look at events."""

    figures: list[Figure]
    presets: list[tuple[str, str]]
    audit_log: seals.State | None


def read_overview(*, user: models.User, account: models.Account) -> Overview:
    """Three queries; three more for whoever reads the audit log."""
    states = models.Request.Status
    under_way = models.Request.objects.filter(
        account=account, status__in=(states.QUEUED, states.SENDING, states.UNKNOWN)
    )
    counts = dict(under_way.order_by().values_list("status").annotate(Count("pk")))
    figures = [
        Figure(label=str(state.label), value=str(counts.get(state, 0)), link=links.to_history(status=state))
        for state in (states.QUEUED, states.SENDING, states.UNKNOWN)
    ]
    running = models.Workstation.objects.live().filter(account=account).count()
    recent = models.Request.objects.filter(account=account, created_at__gte=Now() - timedelta(days=1)).aggregate(
        all=Count("pk"), failed=Count("pk", filter=Q(status=states.FAILED))
    )
    return Overview(
        figures=[
            *figures,
            Figure(label=_("Running workstations"), value=str(running)),
            Figure(label=_("Requests in 24 hours"), value=str(recent["all"])),
            Figure(label=_("Of these failed"), value=str(recent["failed"])),
        ],
        presets=links.list_presets(),
        audit_log=seals.describe_state() if user.has_perm("portal.view_event") else None,
    )
