"""The page for who sees everything: what goes on, and, for auditors, the audit log."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncHour
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from portal import models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services.audit import nightly, seals
from portal.services.key import circuit_breaker
from portal.services.lives import ends
from portal.services.reconciliation import operator_actions, review
from portal.services.reports import usage
from portal.services.requests import running
from portal.views.components import charts, links
from portal.views.http import SignedInRequest, read_key, require_permission

_MOST_ASKED, _MOST_ACTS, _MOST_BARS = 5, 5, 8
_MOST_COUNTED = 1000  # failed sign-ins
_LONG, _DAY, _LATELY = timedelta(hours=8), timedelta(days=1), timedelta(days=7)
_States = models.Request.Status
_TONES: dict[str, str] = {_States.SUCCEEDED: "ok", _States.FAILED: "bad"}


class Figure(NamedTuple):
    """The link is empty where there is no list of what is counted. `more` is shown in brackets."""

    label: str
    value: object
    link: str = ""
    more: str = ""


@require_GET
@require_permission("portal.see_all")
def show(request: SignedInRequest) -> HttpResponse:
    return render(request, "overview.html", {"overview": _read_overview(user=request.user, key=read_key(request))})


def _read_overview(*, user: models.User, key: models.Key) -> dict[str, object]:
    """Nine queries; more for who decides and while something is checked, and eight for who reads the audit log."""
    account, decides = key.account, user.decides
    unassigned = models.Workstation.objects.orphans().filter(account=account).count()
    queue = models.Request.objects.filter(account=account, status=_States.QUEUED)
    needing = models.Request.objects.needing_review().select_related("requester").order_by("id")
    asked = list(needing[:_MOST_ASKED]) if decides else []
    is_stopped = key.is_paused and key.paused_until is None
    recent = _count_recent(account)
    running_now = running.list_running(account=account)
    return {
        "needed": operator_actions.count_open_decisions() + is_stopped if decides else 0,
        "stopping_number": circuit_breaker.find_stopping_request(key=key) if decides and is_stopped else None,
        "asked": asked,
        "since": review.list_asked(rows=asked),
        "unassigned": unassigned,
        "oldest": queue.order_by("queued_at", "id").first(),
        "now": _count_now(account),
        "day": _count_day(account, recent),
        "chart": draw_hours(recent, now=timezone.now()),
        "people": _count_by(running_now, "request__requester__username", name=str, query="person"),
        "types": _count_by(running_now, "type", name=models.label_type, query="type"),
        "presets": links.list_presets(),
        "log": _read_log(unassigned) if user.has_perm("portal.view_event") else None,
    }


def _count_now(account: models.Account) -> list[Figure]:
    counts, machines = models.Request.objects.count_under_way(account), reverse("workstation_list")
    counted = running.list_running(account=account).aggregate(
        all=Count("pk"),
        long=Count("pk", filter=Q(first_seen_at__lt=Now() - _LONG)),
        unending=Count("pk", filter=ends.is_unending()),
        late=Count("pk", filter=Q(pk__in=models.Workstation.objects.late())),
    )
    known_by = review.find_known_by(account=account, now=timezone.now()) if counts[_States.UNKNOWN] else None
    when = _("by %(when)s") % {"when": date_format(timezone.localtime(known_by), "H:i T")} if known_by else ""
    long = _("over 8 h: %(count)d") % {"count": counted["long"]} if counted["long"] else ""
    figures = [
        *(Figure(str(_States(state).label), count, links.to_history(status=state)) for state, count in counts.items()),
        Figure(_("Running"), counted["all"], machines, long),
    ]
    figures[2] = figures[2]._replace(more=when)
    if counted["unending"]:
        figures.append(Figure(_("No end, over 24 h"), counted["unending"], f"{machines}?show=unending"))
    if counted["late"]:
        figures.append(Figure(_("Over their end, 10 min"), counted["late"], machines))
    changes = models.Notice.objects.filter(first_at__gt=Now() - _LATELY).count()
    return [*figures, Figure(_("New API changes"), changes, reverse("admin:portal_notice_changelist"))]


def _count_recent(account: models.Account) -> list[tuple[datetime, str, str, int]]:
    """Of the last 24 hours: hour, status, failure and how many. Hours are those of UTC, of which none comes twice."""
    recent = models.Request.objects.filter(account=account, created_at__gte=Now() - _DAY).order_by()
    by_hour = recent.annotate(hour=TruncHour("created_at", tzinfo=UTC)).values_list("hour", "status", "failure")
    return list(by_hour.annotate(Count("pk")))


def draw_hours(recent: Sequence[tuple[datetime, str, str, int]], *, now: datetime) -> charts.Chart:
    last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [last - timedelta(hours=back) for back in range(24, -1, -1)]
    numbers = {hour: {"ok": 0, "bad": 0, "rest": 0} for hour in hours}
    for hour, status, _code, count in recent:
        if hour in numbers:  # the clock may have struck
            numbers[hour][_TONES.get(status, "rest")] += count
    columns = [
        charts.Column(date_format(timezone.localtime(hour), "D H:i"), _link_to_day(hour), numbers[hour])
        for hour in hours
    ]
    title, caption = _("Requests in the last 24 hours"), _("By hour, newest first")
    return charts.Chart(title=title, head=_("Hour"), caption=caption, columns=columns)


def _link_to_day(hour: datetime) -> str:
    day = timezone.localtime(hour, timezone.get_default_timezone()).date()
    return links.to_history(since=day, until=day)


def _count_by(
    rows: QuerySet[models.Workstation], column: str, *, name: Callable[[str], str], query: str
) -> list[tuple[str, str, int]]:
    """Those that have most: names, links and numbers."""
    counted = rows.order_by().values_list(column).annotate(number=Count("pk")).order_by("-number", column)
    base = reverse("workstation_list")
    return [
        (name(value), f"{base}?{query}={quote(value)}", number)
        if value
        else (_("Unassigned"), reverse("unknown"), number)
        for value, number in counted[:_MOST_BARS]
    ]


def _count_day(account: models.Account, recent: Sequence[tuple[datetime, str, str, int]]) -> list[Figure]:
    statuses, codes = Counter[str](), Counter[str]()
    for _hour, status, code, count in recent:
        statuses[status] += count
        codes[code] += count if status == _States.FAILED else 0
    ended = statuses[_States.SUCCEEDED] + statuses[_States.FAILED]
    time = usage.read_typical_duration(account=account)
    figures = [
        Figure(_("Requests"), statuses.total()),
        Figure(_("Ready, of %(count)s that ended") % {"count": ended}, statuses[_States.SUCCEEDED]),
        Figure(_("Usually ready within"), models.describe_duration(time)),
    ]
    (code, count), (_next, next_count) = [*codes.most_common(2), ("", 0), ("", 0)][:2]
    if count > next_count:
        figures.append(Figure(_("Most frequent failure"), f"{code} ({count})", links.to_history(failure=code)))
    return figures


def _read_log(unassigned: int) -> dict[str, object]:
    newest = models.Event.objects.filter(verb=Verb.SIGN_IN_FAILED).order_by("-id").values("pk")[:_MOST_COUNTED]
    lately = models.Event.objects.filter(pk__in=list(newest.values_list("pk", flat=True)), at__gte=Now() - _DAY)
    failed = sum(detail.get("count", 1) for detail in lately.values_list("detail", flat=True))
    ever_unknown = models.Request.objects.filter(was_unknown=True, created_at__gte=Now() - _DAY).count()
    sign_ins = f"{reverse('admin:portal_event_changelist')}?verb={Verb.SIGN_IN_FAILED}"
    return {
        "state": seals.describe_state(),
        "check": nightly.read_check(),
        "acts": list(models.Event.objects.exclude(reason="").exclude(actor_id=None).order_by("-id")[:_MOST_ACTS]),
        "exceptions": [
            Figure(_("Outcome unknown, 24 hours"), ever_unknown, links.to_history(unknown="ever")),
            Figure(_("Unassigned workstations"), unassigned, reverse("unknown")),
            Figure(_("Failed sign-ins, 24 hours"), failed, sign_ins),
        ],
    }
