"""Workstations: those that a person may see, one of them, and giving it back."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

from django.contrib import messages
from django.db.models import Case, QuerySet, When
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from portal import failures, forms, models
from portal.models.event import Verb
from portal.models.workstation import WorkstationQuerySet
from portal.services.connections import access, ending, shares
from portal.services.lives import ends as lives
from portal.services.mirrors import missing, releases, types
from portal.services.search import finding, paging
from portal.views import ends
from portal.views.components import live, mirrors
from portal.views.http import SignedInRequest, acting, read_before, read_key, require_form

_MOST_CONNECTIONS = 10
_RELATED = ("request__requester", "workspace", "release_requested_by")


@require_form
def index(request: SignedInRequest) -> HttpResponse:
    if request.method == "POST":
        return _release_several(request)
    form = read_form(request)
    page = _read_page(request, form)
    shown = {
        "page": page,
        "form": form,
        "tabs": mirrors.list_tabs(form, query=request.GET, kept=("type", "person")),
        "releasable": {row.pk for row in page.rows if _may_release(request.user, row)},
        "with_end": form.shown in ("ended", "all"),
    }
    return render(request, "workstations/list.html", shown)


def read_form(request: SignedInRequest) -> forms.WorkstationFilterForm:
    return forms.WorkstationFilterForm(request.GET, types=types.list_known_types(), with_person=request.user.sees_all)


def find_all(request: SignedInRequest, form: forms.WorkstationFilterForm, part: paging.Slice) -> list[int]:
    period = {name: form.cleaned_data.get(name) for name in ("since", "until")}
    return finding.find_workstations(rows=_choose_rows(request, form), **period, part=part)


def _choose_rows(request: SignedInRequest, form: forms.WorkstationFilterForm) -> WorkstationQuerySet:
    rows, shown, values = models.Workstation.objects.all(), form.shown, form.cleaned_data
    parts = {"running": rows.running(), "ended": rows.exclude(ended_at=None), "all": rows}
    rows = (parts | {"unending": rows.running().filter(lives.is_unending())})[shown]
    rows = rows.filter(type=values["type"]) if values.get("type") else rows
    people = values.get("person", [request.user.pk])
    return rows if people is None else rows.filter(request__requester__in=people)


def _read_page(request: SignedInRequest, form: forms.WorkstationFilterForm) -> paging.Page[models.Workstation]:
    shown, values, before = form.shown, form.cleaned_data, read_before(request)
    people = values.get("person", [request.user.pk])
    if values.get("since") or values.get("until"):
        found = paging.read_page(find=partial(find_all, request, form), before=before)
        rows = models.Workstation.objects.filter(pk__in=found.rows).order_by("-pk")
        return found.with_rows(rows.select_related(*_RELATED))
    if people is None or shown not in ("ended", "all"):
        rows = _choose_rows(request, form).select_related(*_RELATED)
        return paging.read_rows(rows=rows, before=before)
    # Those of the people's own requests, in the order of these, which an index keeps.
    own = models.Request.objects.filter(requester__in=people, workstation__isnull=False)
    own = own.filter(workstation__type=values["type"]) if values.get("type") else own
    own = own.exclude(workstation__ended_at=None) if shown == "ended" else own
    own = own.select_related("requester", "workstation__workspace", "workstation__release_requested_by")
    page = paging.read_rows(rows=own, before=before)
    return page.with_rows(row.workstation for row in page.rows)


def _may_release(person: models.User, workstation: models.Workstation) -> bool:
    return access.is_open(workstation=workstation) and access.may_end(person=person, workstation=workstation)


def _release_several(request: SignedInRequest) -> HttpResponse:
    """Ask once, with the reason that others' need; the second time do it."""
    numbers = map(models.parse_id, request.POST.getlist("workstation")[: paging.PAGE_SIZE])
    visible = models.Workstation.objects.visible_to(request.user).select_related("request__requester", "workspace")
    rows = visible.filter(pk__in=[number for number in numbers if number is not None]).order_by("-pk")
    ticked = [row for row in rows if _may_release(request.user, row)]
    if not ticked:
        messages.warning(request, _("Tick the workstations to release: none of them can be released now."))
        return redirect("workstation_list")
    needs_reason = any(row.owner_id != request.user.pk for row in ticked)
    form = forms.ReasonForm(request.POST if "confirmed" in request.POST else None, needs_reason=needs_reason)
    if not form.is_valid():
        opened = ending.list_open(workstations=ticked, besides=request.user)
        return render(request, "workstations/release_several.html", {"form": form, "rows": ticked, "opened": opened})
    count = releases.request_releases(actor=request.user, workstations=ticked, **form.cleaned_data)
    done = ngettext(
        "Release of %(count)d workstation requested.", "Release of %(count)d workstations requested.", count
    )
    messages.success(request, done % {"count": count})
    return redirect("workstation_list")


@dataclass(frozen=True, kw_only=True)
class WorkstationPage:
    """A workstation as it is shown to a person; what only some see is read where it is shown."""

    person: models.User
    workstation: models.Workstation

    @cached_property
    def is_own(self) -> bool:
        return self.workstation.owner_id == self.person.pk

    @cached_property
    def is_left(self) -> bool:
        """Whether its account's key is gone, so that nothing can be asked of it."""
        return self.workstation.is_live and self.workstation.account.retired_at is not None

    @cached_property
    def may_end(self) -> bool:
        return access.may_end(person=self.person, workstation=self.workstation) and not self.is_left

    @cached_property
    def may_release(self) -> bool:
        return self.may_end and access.is_open(workstation=self.workstation)

    @cached_property
    def is_shared_here(self) -> bool:
        """Whether its owner may let others in."""
        return self.is_own and self.may_release and not self.workstation.missing_since

    @cached_property
    def may_declare_ended(self) -> bool:
        may_act = access.may_act(person=self.person, workstation=self.workstation)
        return may_act and missing.may_be_declared_ended(workstation=self.workstation)

    @cached_property
    def end_form(self) -> forms.EndForm | None:
        return ends.make_form(self.person, self.workstation) if self.may_end else None

    @cached_property
    def refusal(self) -> failures.Words:
        """Of the last try to release it."""
        code = self.workstation.release_failure
        if (failure := failures.CATALOGUE.get(code)) is None:
            return code
        return _("AgentStation doesn't find it") if failure.means_missing else failure.title

    @cached_property
    def declaration(self) -> models.Event | None:
        """The one that it is not the team's."""
        events = models.Event.objects.filter(target=models.name_target(self.workstation), verb=Verb.DISOWN)
        return events.order_by("-id").first() if self.workstation.is_foreign else None

    @cached_property
    def release(self) -> models.Event | None:
        """Where somebody else than its owner asked for it, or the portal."""
        row = self.workstation
        if row.release_requested_at is None or not row.owner_id or row.release_requested_by_id == row.owner_id:
            return None
        events = models.Event.objects.filter(request_number=row.request_id, verb=Verb.REQUEST_RELEASE)
        return events.order_by("-id").first()

    @cached_property
    def offers(self) -> list[access.Offer]:
        return access.list_offers(workstation=self.workstation) if self.may_end else []

    @cached_property
    def connections(self) -> QuerySet[models.Connection]:
        """The newest, those of others than its owner before the owner's own."""
        is_own = Case(When(person=self.workstation.owner_id, then=1), default=0)
        rows = models.Connection.objects.filter(workstation=self.workstation).select_related("person")
        return rows.order_by(is_own, "-pk")[:_MOST_CONNECTIONS]

    @cached_property
    def opened(self) -> list[models.Connection]:
        return ending.list_open(workstations=[self.workstation], besides=self.person)

    @cached_property
    def shares(self) -> QuerySet[models.Share]:
        return (
            models.Share.objects.current().filter(workstation=self.workstation).select_related("person").order_by("pk")
        )

    @cached_property
    def suggested(self) -> list[models.User]:
        """Whom it may be shared with."""
        return shares.suggest_people(owner=self.person)

    @cached_property
    def contents(self) -> mirrors.Contents:
        return mirrors.read_contents(workspace=self.workstation.workspace, user=self.person)

    @cached_property
    def raw(self) -> str:
        return self.contents.show_raw(self.workstation.raw)

    @cached_property
    def facts(self) -> tuple[object, ...]:
        """What it is shown anew for: files and logs are in the provider's response, whose time counts to the minute."""
        row, opened = self.workstation, [(one.person_id, one.kind) for one in self.opened]
        release = row.release_requested_at, row.release_tries, row.release_failure
        heard = row.refreshed_at.replace(second=0, microsecond=0)
        return row.raw, release, row.ends_at, row.missing_since, row.ended_at, heard, opened


@require_GET
def detail(request: SignedInRequest, uid: str, template: str = "workstations/detail.html") -> HttpResponse:
    return show_one(request, _find(request, uid), template=template)


def show_one(
    request: SignedInRequest,
    workstation: models.Workstation,
    *,
    template: str = "workstations/detail.html",
    refused: forms.ShareForm | None = None,
) -> HttpResponse:
    """With a `refused` form the page is not live, which would take away what is being filled in."""
    page = WorkstationPage(person=request.user, workstation=workstation)
    version = live.read_version(request, page.facts, key=read_key(request))
    is_moving = workstation.status != "active" or workstation.release_requested_at is not None
    part = live.Part(version=version, pause=5, is_awaited=is_moving) if workstation.is_live and not refused else None
    shown = {"page": page, "workstation": workstation, "workspace": workstation.workspace, "live": part}
    shown["share_form"] = refused or forms.ShareForm()
    return live.render_news(request, template, lambda: shown, version=version)


def _find(request: SignedInRequest, uid: str) -> models.Workstation:
    visible = models.Workstation.objects.visible_to(request.user)
    rows = visible.select_related("request__requester", "workspace", "account")
    return mirrors.find_newest(rows=rows, uid=uid)


@acting("workstation_detail", releases.NotLive)
def release(request: SignedInRequest, uid: str) -> HttpResponse | str:
    said = _("Release requested. The files stay in the workspace.")
    return _end(request, uid, may=access.may_end, service=releases.request_release, said=said)


@acting("workstation_detail", missing.NotMissing)
def declare_ended(request: SignedInRequest, uid: str) -> HttpResponse | str:
    said = _("Noted: this workstation has ended.")
    return _end(request, uid, may=access.may_act, service=missing.declare_ended, said=said)


def _end(
    request: SignedInRequest, uid: str, *, may: Callable[..., bool], service: Callable[..., None], said: str
) -> HttpResponse | str:
    """Calls the service with the reason, which only what is one's own does not need."""
    workstation = _find(request, uid)
    if not may(person=request.user, workstation=workstation):
        raise Http404
    form = forms.ReasonForm(request.POST, needs_reason=workstation.owner_id != request.user.pk)
    if not form.is_valid():
        messages.error(request, form.words)
        return redirect("workstation_detail", uid)
    service(actor=request.user, workstation=workstation, **form.cleaned_data)
    return said
