"""The first page: what is yours."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from itertools import takewhile
from operator import attrgetter

from django.db.models import BigIntegerField, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from portal import failures, models
from portal.models.compiled import compiled
from portal.models.event import Verb
from portal.services.mirrors import types
from portal.services.people import people
from portal.services.reports import usage
from portal.services.requests import notes
from portal.templatetags import ui
from portal.views import workspaces
from portal.views.components import lines, live
from portal.views.http import SignedInRequest, read_key

_MOST_RUNNING, _MOST_RECENT, _MOST_URGENT, _MOST_AGAIN, _MOST_ENDED = 20, 30, 3, 3, 20
_FIRST_TYPES = ("chromium", "python", "max")
_STALE = timedelta(days=7)  # what is that old asks for nothing any more
_States = models.Request.Status
_NEEDS_YOU = ui.Badge(gettext_lazy("Needs you"), "warn")


@dataclass(frozen=True)
class Urgent:
    """A request that somebody has to look at, and what they may do."""

    row: models.Request
    badge: ui.Badge
    words: failures.Words
    action: str
    link: str


@dataclass(frozen=True, kw_only=True)
class HomePage:
    """What is a person's own. Each part is read where it is shown, by one query at most."""

    user: models.User
    key: models.Key
    show: str = ""

    @cached_property
    def requests(self) -> list[models.Request]:
        """The last, newest first."""
        return _read_requests(person_id=self.user.pk)

    @cached_property
    def workstations(self) -> list[models.Workstation]:
        return _read_workstations(person_id=self.user.pk)

    @cached_property
    def shared(self) -> list[models.Share]:
        return _read_shares(person_id=self.user.pk)

    @cached_property
    def asking(self) -> list[models.Request]:
        """Those that ask for a decision, and those that have failed since a workstation came."""
        since_success = takewhile(lambda row: row.status != _States.SUCCEEDED, self.requests)
        oldest = timezone.now() - _STALE
        failed = (row for row in since_success if row.status == _States.FAILED and row.created_at > oldest)
        return [*filter(_is_asked, self.requests), *failed]

    @property
    def urgent(self) -> list[Urgent]:
        return list(map(_describe_urgent, self.asking[:_MOST_URGENT]))

    @property
    def more_urgent(self) -> int:
        return max(len(self.asking) - _MOST_URGENT, 0)

    @cached_property
    def under_way(self) -> list[models.Request]:
        return [row for row in self.requests if not row.is_final and not _is_asked(row)]

    @cached_property
    def uses(self) -> lines.Uses:
        return lines.read_uses(person=self.user, workstations=[*self.workstations, *self._shared])

    @property
    def _shared(self) -> list[models.Workstation]:
        return [share.workstation for share in self.shared]

    @property
    def is_new(self) -> bool:
        """Whether the person has never requested anything."""
        return not self.requests

    @property
    def tabs(self) -> list[tuple[str, int, str]]:
        """Words, how many there are where that is known, and the value of `show`."""
        running = len(self.under_way) + len(self.workstations)
        tabs = [(_("Running"), running, ""), (_("Ended"), 0, "ended")]
        return [*tabs, (_("Shared with me"), len(self.shared), "shared")] if self.shared else tabs

    @cached_property
    def rows(self) -> list[lines.Line]:
        if self.show == "ended":
            running = {row.workspace_id: row for row in self.workstations if row.workspace_id}
            ended = _read_ended(person_id=self.user.pk)
            return [lines.describe_ended(row, running=running) for row in ended]
        if self.show == "shared":
            return [lines.describe_share(share, uses=self.uses) for share in self.shared]
        usually = self._typical_duration if self.under_way else None
        awaited = [lines.describe_request(row, usually=usually) for row in self.under_way]
        return [*awaited, *(lines.describe_workstation(row, uses=self.uses) for row in self.workstations)]

    @cached_property
    def released(self) -> list[tuple[models.Event, models.Request]]:
        """Releases by others in the last days that the person has not dismissed, newest first.

        Of each only the last that was asked for, unless that was taken back.
        """
        rows = {row.pk: row for row in self.requests if row.status == _States.SUCCEEDED}
        asked = models.Workstation.objects.filter(request__in=rows, release_requested_at__isnull=False)
        events = models.Event.objects.filter(request_number__in=asked.values("request"), verb=Verb.REQUEST_RELEASE)
        news = events.filter(at__gt=timezone.now() - _STALE, pk__gt=self.user.last_read_release)
        last = {event.request_number or 0: event for event in news.order_by("id")}
        others = [(event, rows[number]) for number, event in last.items() if event.actor_id != self.user.pk]
        return sorted(others, key=lambda pair: pair[0].pk, reverse=True)

    @cached_property
    def tiles(self) -> list[lines.Tile]:
        """The last combinations of type and workspace that succeeded; who has none is offered three types."""
        succeeded = [row for row in self.requests if row.status == _States.SUCCEEDED]
        newest = {(row.type, row.workspace_uid): row for row in reversed(succeeded)}
        last = sorted(newest.values(), key=attrgetter("pk"), reverse=True)[:_MOST_AGAIN]
        if self.is_new:
            offered = {one.name for one in types.list_offered_types(account=self.key.account)}
            return [lines.offer_type(name) for name in _FIRST_TYPES if name in offered]
        uids = {row.workspace_uid for row in last if row.workspace_uid}
        named = models.Workspace.objects.filter(owner=self.user, uid__in=uids).exclude(name="")
        names = dict(named.values_list("uid", "name")) if uids else {}
        return [lines.offer_again(row, workspace=names.get(row.workspace_uid, row.workspace_uid)) for row in last]

    @property
    def _typical_duration(self) -> float | None:
        return None if self.key.is_paused else usage.read_typical_duration(account=self.key.account)

    @property
    def facts(self) -> tuple[object, ...]:
        requests = [(row.pk, row.status, row.failure, row.operator_note, row.has_ended) for row in self.requests]
        columns = attrgetter("pk", "status", "type", "workspace_id", "release_requested_at", "missing_since", "ends_at")
        shared = [(share.pk, share.level, share.workstation.ends_at) for share in self.shared]
        inside = [(number, [one.pk for one in people]) for number, people in self.uses.inside.items()]
        have_ends = any(row.ends_at for row in (*self.workstations, *self._shared))
        minute = timezone.now().replace(second=0, microsecond=0) if have_ends else None  # what is left grows less
        return self.show, requests, list(map(columns, self.workstations)), shared, inside, minute


@compiled(person_id=BigIntegerField())
def _read_requests(*, person_id: int) -> QuerySet[models.Request]:
    return models.Request.objects.with_end().filter(requester=person_id).order_by("-id")[:_MOST_RECENT]


@compiled(person_id=BigIntegerField())
def _read_workstations(*, person_id: int) -> QuerySet[models.Workstation]:
    rows = models.Workstation.objects.live().filter(request__requester=person_id)
    rows = rows.select_related("workspace", "request").annotate(file_count=workspaces.count_files("workspace"))
    return rows.order_by("-id")[:_MOST_RUNNING]


@compiled(person_id=BigIntegerField())
def _read_shares(*, person_id: int) -> QuerySet[models.Share]:
    rows = models.Share.objects.current().filter(person=person_id)
    rows = rows.select_related("workstation__request__requester", "workstation__workspace")
    return rows.order_by("-pk")[:_MOST_RUNNING]


@compiled(person_id=BigIntegerField())
def _read_ended(*, person_id: int) -> QuerySet[models.Request]:
    rows = models.Request.objects.filter(requester=person_id, workstation__ended_at__isnull=False)
    return rows.select_related("workstation__workspace").order_by("-id")[:_MOST_ENDED]


def _is_asked(portal_request: models.Request) -> bool:
    return portal_request.status == _States.UNKNOWN and notes.may_requester_decide(note=portal_request.operator_note)


def _describe_urgent(portal_request: models.Request) -> Urgent:
    failure, again = portal_request.failure_row, f"{reverse('request_new')}?again={portal_request.pk}"
    if portal_request.status == _States.FAILED and failure and not failure.may_exist:
        # The form leaves a workspace that was refused empty.
        action = _("Try again with a new workspace") if failure.refuses_workspace else _("Request again")
        return Urgent(portal_request, ui.find_badge(portal_request), failure.title, action, again)
    link = reverse("request_detail", args=[portal_request.pk])
    if failure and portal_request.status == _States.FAILED:
        return Urgent(portal_request, ui.find_badge(portal_request), failure.title, _("Open request"), link)
    return Urgent(portal_request, _NEEDS_YOU, _("You need to decide"), _("Decide"), link)


@require_GET
def show(request: SignedInRequest, template: str = "home.html") -> HttpResponse:
    """Its live part has no end, but asks seldom while nothing is under way."""
    user, key = request.user, read_key(request)
    if user.sees_all and not user.has_perm("portal.submit_request"):
        return redirect("overview")
    show = request.GET.get("show", "")
    page = HomePage(user=user, key=key, show=show if show in ("ended", "shared") else "")
    version = live.read_version(request, page.facts, key=key)
    is_busy = page.workstations or page.shared or page.under_way
    part = live.Part(version=version, pause=5 if is_busy else 15)
    return live.render_news(request, template, lambda: {"home_page": page, "live": part}, version=version)


@require_POST
def dismiss(request: SignedInRequest, number: int) -> HttpResponse:
    people.dismiss_releases(person=request.user, until=number)
    return redirect("home")
