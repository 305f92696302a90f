"""The first page: what is yours, and the state of the key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial
from itertools import takewhile
from operator import attrgetter
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal import failures, models
from portal.models.event import Verb
from portal.services.connections import access
from portal.services.people import people
from portal.services.reports import usage
from portal.services.requests import notes
from portal.views import workspaces
from portal.views.components import live, overview
from portal.views.http import SignedInRequest, read_key

_MOST_RUNNING, _MOST_RECENT, _MOST_URGENT, _MOST_AGAIN = 20, 30, 3, 3
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
        requests = [(row.pk, row.status, row.failure, row.operator_note) for row in self.requests]
        columns = attrgetter("pk", "status", "type", "workspace_id", "release_requested_at", "missing_since")
        return requests, list(map(columns, self.workstations)), [(share.pk, share.level) for share in self.shared]


def read_home_page(*, user: models.User) -> HomePage:
    """Three queries."""
    recent = list(models.Request.objects.filter(requester=user).order_by("-id")[:_MOST_RECENT])
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
    """Releases by others in the last days that the person has not dismissed, newest first. One query."""
    rows = {row.pk: row for row in found.requests if row.status == _States.SUCCEEDED}
    events = models.Event.objects.filter(request_number__in=rows, verb=Verb.REQUEST_RELEASE)
    news = events.filter(at__gt=timezone.now() - _STALE, pk__gt=user.last_read_release).exclude(actor_id=user.pk)
    return [(event, rows[event.request_number or 0]) for event in news.order_by("-id")]


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
    found = overview.read_overview(user=request.user, key=read_key(request)) if sees_all else None
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
