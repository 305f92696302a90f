"""The first page: what is yours, the state of the key, and an overview for who sees everything."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial
from itertools import takewhile
from operator import attrgetter
from typing import Any, NamedTuple

from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal import failures, models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services.audit import nightly, seals
from portal.services.connections import access
from portal.services.key import circuit_breaker
from portal.services.lives import ends
from portal.services.people import people
from portal.services.reconciliation import operator_actions, review
from portal.services.reports import usage
from portal.services.requests import notes, running
from portal.views import workspaces
from portal.views.components import links, live
from portal.views.http import SignedInRequest, read_key

_MOST_RUNNING, _MOST_RECENT, _MOST_URGENT, _MOST_AGAIN = 20, 30, 3, 3
_MOST_ASKED, _MOST_ACTS = 5, 5
_MOST_COUNTED = 1000  # failed sign-ins
_LONG, _DAY, _LATELY = timedelta(hours=8), timedelta(days=1), timedelta(days=7)
_STALE = timedelta(days=7)  # what is that old asks for nothing any more
_States = models.Request.Status

type Urgent = tuple[models.Request, failures.Words, str, str]


@dataclass(frozen=True, kw_only=True)
class HomePage:
    workstations: list[models.Workstation]
    shared: list[models.Share]
    under_way: list[models.Request]
    urgent: list[Urgent]
    more_urgent: int
    requests: list[models.Request]

    @cached_property
    def offers(self) -> Mapping[int, list[access.Offer]]:
        """One query, for a page that shows it."""
        return access.list_all(workstations=[*self.workstations, *(share.workstation for share in self.shared)])

    @property
    def facts(self) -> tuple[object, ...]:
        requests = [(row.pk, row.status, row.failure, row.operator_note, row.has_ended) for row in self.requests]
        columns = attrgetter("pk", "status", "type", "workspace_id", "release_requested_at", "missing_since", "ends_at")
        shared = [(share.pk, share.level, share.workstation.ends_at) for share in self.shared]
        have_ends = any(row.ends_at for row in (*self.workstations, *(share.workstation for share in self.shared)))
        minute = timezone.now().replace(second=0, microsecond=0) if have_ends else None  # what is left grows less
        return requests, list(map(columns, self.workstations)), shared, minute


def read_home_page(*, user: models.User) -> HomePage:
    """Three queries."""
    recent = list(models.Request.objects.with_end().filter(requester=user).order_by("-id")[:_MOST_RECENT])
    asking = [*filter(_is_asked, recent), *_list_failed(recent)]
    return HomePage(
        workstations=_list_running(user),
        shared=_list_shared(user),
        under_way=[row for row in recent if not row.is_final and not _is_asked(row)],
        urgent=list(map(_describe_urgent, asking[:_MOST_URGENT])),
        more_urgent=max(len(asking) - _MOST_URGENT, 0),
        requests=recent,
    )


def _list_running(user: models.User) -> list[models.Workstation]:
    rows = models.Workstation.objects.live_for(user).select_related("workspace", "request")
    rows = rows.annotate(file_count=workspaces.count_files("workspace"))
    return list(rows.order_by("-id")[:_MOST_RUNNING])


def _list_shared(user: models.User) -> list[models.Share]:
    rows = models.Share.objects.of(user).select_related("workstation__request__requester", "workstation__workspace")
    return list(rows.order_by("-pk")[:_MOST_RUNNING])


def _is_asked(portal_request: models.Request) -> bool:
    return portal_request.status == _States.UNKNOWN and notes.may_requester_decide(note=portal_request.operator_note)


def _list_failed(recent: Iterable[models.Request]) -> list[models.Request]:
    """Whoever has got a workstation since needs no reminder."""
    since_success = takewhile(lambda row: row.status != _States.SUCCEEDED, recent)
    oldest = timezone.now() - _STALE
    return [row for row in since_success if row.status == _States.FAILED and row.created_at > oldest]


def _describe_urgent(portal_request: models.Request) -> Urgent:
    failure, again = portal_request.failure_row, f"{reverse('request_new')}?again={portal_request.pk}"
    if portal_request.status == _States.FAILED and failure and not failure.may_exist:
        # The form leaves a workspace that was refused empty.
        action = _("Try again with a new workspace") if failure.refuses_workspace else _("Request again")
        return portal_request, failure.title, action, again
    words = failure.title if failure and portal_request.status == _States.FAILED else _("You need to decide")
    return portal_request, words, _("Open request"), reverse("request_detail", args=[portal_request.pk])


def list_released(*, found: HomePage, user: models.User) -> list[tuple[models.Event, models.Request]]:
    """Releases by others in the last days that the person has not dismissed, newest first. One query.

    Of each only the last that was asked for, unless that was taken back.
    """
    rows = {row.pk: row for row in found.requests if row.status == _States.SUCCEEDED}
    asked = models.Workstation.objects.filter(request__in=rows, release_requested_at__isnull=False)
    events = models.Event.objects.filter(request_number__in=asked.values("request"), verb=Verb.REQUEST_RELEASE)
    news = events.filter(at__gt=timezone.now() - _STALE, pk__gt=user.last_read_release)
    last = {event.request_number or 0: event for event in news.order_by("id")}
    others = [(event, rows[number]) for number, event in last.items() if event.actor_id != user.pk]
    return sorted(others, key=lambda pair: pair[0].pk, reverse=True)


def list_again(*, user: models.User, requests: Iterable[models.Request]) -> list[tuple[str, int]]:
    """The last combinations of type and workspace that succeeded, with their requests' numbers. One query at most."""
    chosen: dict[tuple[str, str], models.Request] = {}
    for row in requests:
        if row.status == _States.SUCCEEDED:
            chosen.setdefault((row.type, row.workspace_uid), row)
    last = list(chosen.values())[:_MOST_AGAIN]
    uids = {row.workspace_uid for row in last if row.workspace_uid}
    named = models.Workspace.objects.filter(owner=user, uid__in=uids).exclude(name="").values_list("uid", "name")
    names = dict(named) if uids else {}
    return [(_name(row, names=names), row.pk) for row in last]


def _name(portal_request: models.Request, *, names: Mapping[str, str]) -> str:
    uid = portal_request.workspace_uid
    values = {"type": models.label_type(portal_request.type), "workspace": names.get(uid, uid)}
    return (_("%(type)s in %(workspace)s") if uid else _("%(type)s, new workspace")) % values


@require_GET
def show(request: SignedInRequest) -> HttpResponse:
    sees_all = request.user.has_perm("portal.see_all")
    found = read_overview(user=request.user, key=read_key(request)) if sees_all else None
    return render(request, "home.html", {**_show(request), "overview": found})


@require_GET
def live_home(request: SignedInRequest) -> HttpResponse:
    """It has no end, but asks seldom while nothing is under way."""
    shown = _show(request)
    return live.render_news(request, "home.html#live", lambda: shown, version=shown["live"].version)


@require_POST
def dismiss(request: SignedInRequest, number: int) -> HttpResponse:
    people.dismiss_releases(person=request.user, until=number)
    return redirect("home")


def _show(request: SignedInRequest) -> dict[str, Any]:
    key = read_key(request)
    found = read_home_page(user=request.user)
    version = live.read_version(request, found.facts, key=key)
    is_busy = found.workstations or found.shared or found.under_way
    return {
        "home_page": found,
        "live": live.Part(version=version, pause=5 if is_busy else 15),
        # Called where they are shown, which a poll without news does not.
        "list_released": partial(list_released, found=found, user=request.user),
        "list_again": partial(list_again, user=request.user, requests=found.requests),
        "read_typical_duration": partial(usage.read_typical_duration, account=key.account),
    }


# --- What it begins with for who sees everything: what goes on, and, for auditors, the audit log ---


class Figure(NamedTuple):
    """The link is empty where there is no list of what is counted. `more` is shown in brackets."""

    label: str
    value: object
    link: str = ""
    more: str = ""


def read_overview(*, user: models.User, key: models.Key) -> dict[str, object]:
    """Seven queries; more for who decides and while something is checked, and eight for who reads the audit log."""
    account, decides = key.account, user.has_perm("portal.close_request")
    unassigned = models.Workstation.objects.orphans().filter(account=account).count()
    queue = models.Request.objects.filter(account=account, status=_States.QUEUED)
    needing = models.Request.objects.needing_review().select_related("requester").order_by("id")
    asked = list(needing[:_MOST_ASKED]) if decides else []
    is_stopped = key.is_paused and key.paused_until is None
    return {
        "needed": operator_actions.count_open_decisions() + is_stopped if decides else 0,
        "stopping_number": circuit_breaker.find_stopping_request(key=key) if decides and is_stopped else None,
        "asked": asked,
        "since": review.list_asked(rows=asked),
        "unassigned": unassigned,
        "oldest": queue.order_by("queued_at", "id").first(),
        "now": _count_now(account),
        "day": _count_day(account),
        "presets": links.list_presets(),
        "log": _read_log(unassigned) if user.has_perm("portal.view_event") else None,
    }


def _count_now(account: models.Account) -> list[Figure]:
    counts = models.Request.objects.count_under_way(account)
    live = running.list_running(account=account)
    is_long, is_unending = Q(first_seen_at__lt=Now() - _LONG), ends.is_unending()
    counted = live.aggregate(
        all=Count("pk"),
        long=Count("pk", filter=is_long),
        unending=Count("pk", filter=is_unending),
        late=Count("pk", filter=Q(pk__in=models.Workstation.objects.late())),
    )
    changes = models.Notice.objects.filter(first_at__gt=Now() - _LATELY).count()
    known_by = review.find_known_by(account=account, now=timezone.now()) if counts[_States.UNKNOWN] else None
    when = _("by %(when)s") % {"when": date_format(timezone.localtime(known_by), "H:i T")} if known_by else ""
    long = _("over 8 h: %(count)d") % {"count": counted["long"]} if counted["long"] else ""
    return [
        *(
            Figure(str(_States(state).label), count, links.to_history(status=state), more)
            for (state, count), more in zip(counts.items(), ("", "", when), strict=True)
        ),
        Figure(_("Running"), counted["all"], reverse("workstation_list"), long),
        *(
            [Figure(_("No end, over 24 h"), unending, f"{reverse('workstation_list')}?show=unending")]
            if (unending := counted["unending"])
            else ()
        ),
        *(
            [Figure(_("Over their end, 10 min"), late, reverse("workstation_list"))]
            if (late := counted["late"])
            else ()
        ),
        Figure(_("New API changes"), changes, reverse("admin:portal_notice_changelist")),
    ]


def _count_day(account: models.Account) -> list[Figure]:
    recent = models.Request.objects.filter(account=account, created_at__gte=Now() - _DAY).order_by()
    statuses, codes = Counter[str](), Counter[str]()
    for status, code, count in recent.values_list("status", "failure").annotate(Count("pk")):
        statuses[status] += count
        codes[code] += count if status == _States.FAILED else 0
    ended = statuses[_States.SUCCEEDED] + statuses[_States.FAILED]
    (code, count), (_next, next_count) = [*codes.most_common(2), ("", 0), ("", 0)][:2]
    time = usage.read_typical_duration(account=account)
    figures = [
        Figure(_("Requests"), statuses.total()),
        Figure(_("Ready, of %(count)s that ended") % {"count": ended}, statuses[_States.SUCCEEDED]),
        Figure(_("Usually ready within"), models.describe_duration(time)),
    ]
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
            Figure(_("Outcome unknown, 24 hours"), ever_unknown, f"{reverse('request_list')}?unknown=ever"),
            Figure(_("Unassigned workstations"), unassigned, reverse("unknown")),
            Figure(_("Failed sign-ins, 24 hours"), failed, sign_ins),
        ],
    }
