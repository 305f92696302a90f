"""Workstations: those that a person may see, one of them, and giving it back."""

from collections.abc import Callable
from functools import partial

from django.contrib import messages
from django.db.models import Case, When
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from portal import failures, forms, models
from portal.models.event import Verb
from portal.models.workstation import WorkstationQuerySet
from portal.services.connections import access, ending, shares
from portal.services.lives import ends as lives
from portal.services.mirrors import missing, releases, types
from portal.services.search import finding, paging
from portal.views import ends
from portal.views.components import live, mirrors
from portal.views.http import SignedInRequest, read_before, read_key, require_form, saying_why

_MOST_CONNECTIONS = 10
_RELATED = ("request__requester", "workspace", "release_requested_by")


@require_form
def index(request: SignedInRequest) -> HttpResponse:
    if request.method == "POST":
        return _release_several(request)
    form = read_form(request)
    page = _read_page(request, form)
    releasable = {row.pk for row in page.rows if _may_release_now(request, row)}
    links = mirrors.list_tabs(form, query=request.GET, kept=("type", "person"))
    shown = {
        "page": page,
        "form": form,
        "tabs": links,
        "releasable": releasable,
        "with_end": form.shown in ("ended", "all"),
    }
    return render(request, "workstations/list.html", shown)


def read_form(request: SignedInRequest) -> forms.WorkstationFilterForm:
    sees_all = request.user.has_perm("portal.see_all")
    return forms.WorkstationFilterForm(request.GET, types=types.list_known_types(), with_person=sees_all)


def find_all(request: SignedInRequest, form: forms.WorkstationFilterForm, part: paging.Slice) -> list[int]:
    rows, period = _choose_rows(request, form), {name: form.cleaned_data.get(name) for name in ("since", "until")}
    return finding.find_workstations(rows=rows, **period, part=part)


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


def _release_several(request: SignedInRequest) -> HttpResponse:
    """Ask once, with the reason that others' need; the second time do it."""
    texts = request.POST.getlist("workstation")[: paging.PAGE_SIZE]
    numbers = [number for text in texts if (number := models.parse_id(text)) is not None]
    visible = models.Workstation.objects.visible_to(request.user).select_related("request__requester", "workspace")
    rows = visible.filter(pk__in=numbers).order_by("-pk")
    ticked = [row for row in rows if _may_release_now(request, row)]
    if not ticked:
        messages.warning(request, _("Tick the workstations to release: none of them can be released now."))
        return redirect("workstation_list")
    form = forms.ReasonForm(request.POST if "confirmed" in request.POST else None)
    form.fields["reason"].required = any(row.owner_id != request.user.pk for row in ticked)
    if not form.is_valid():
        opened = ending.list_open(workstations=ticked, besides=request.user)
        return render(request, "workstations/release_several.html", {"form": form, "rows": ticked, "opened": opened})
    count = releases.request_releases(actor=request.user, workstations=ticked, reason=str(form.cleaned_data["reason"]))
    done = ngettext(
        "Release of %(count)d workstation requested.", "Release of %(count)d workstations requested.", count
    )
    messages.success(request, done % {"count": count})
    return redirect("workstation_list")


@require_GET
def detail(request: SignedInRequest, uid: str) -> HttpResponse:
    return show_one(request, _find(request, uid))


def show_one(
    request: SignedInRequest, workstation: models.Workstation, *, refused: forms.ShareForm | None = None
) -> HttpResponse:
    """With a `refused` form the page is not live, which would take away what is being filled in."""
    shown = _show_one(request, workstation, part=_read_part(request, workstation))
    if refused is not None:
        shown |= {"share_form": refused, "live": None}
    return render(request, "workstations/detail.html", shown)


@require_GET
def live_one(request: SignedInRequest, uid: str) -> HttpResponse:
    workstation = _find(request, uid)
    part = _read_part(request, workstation)
    show = partial(_show_one, request, workstation, part=part)
    return live.render_news(request, "workstations/detail.html#live", show, version=part.version)


def _find(request: SignedInRequest, uid: str) -> models.Workstation:
    visible = models.Workstation.objects.visible_to(request.user)
    rows = visible.select_related("request__requester", "workspace", "account")
    return mirrors.find_newest(rows=rows, uid=uid)


def _read_part(request: SignedInRequest, workstation: models.Workstation) -> live.Part:
    """Files and logs are in the provider's response; the time that it was last heard counts to the minute."""
    heard = workstation.refreshed_at.replace(second=0, microsecond=0)
    release = workstation.release_requested_at, workstation.release_tries, workstation.release_failure
    opened = [(row.person_id, row.kind) for row in ending.list_open(workstations=[workstation], besides=request.user)]
    times = workstation.ends_at, workstation.missing_since, workstation.ended_at
    version = live.read_version(request, workstation.raw, release, times, heard, opened, key=read_key(request))
    is_moving = workstation.status != "active" or workstation.release_requested_at is not None
    return live.Part(version=version, pause=5, is_awaited=is_moving)


def _show_one(request: SignedInRequest, workstation: models.Workstation, *, part: live.Part) -> dict[str, object]:
    contents = mirrors.read_contents(workspace=workstation.workspace, user=request.user)
    is_own = workstation.owner_id == request.user.pk
    is_left = workstation.is_live and workstation.account.retired_at is not None
    may_end = ends.may_end(request.user, workstation) and not is_left
    return {
        "workstation": workstation,
        "workspace": workstation.workspace,
        "live": part if workstation.is_live else None,
        "raw": mirrors.show_raw(workstation.raw, contents=contents),
        **contents,
        "may_release": may_end and _may_be_released(workstation),
        "refusal": _describe_refusal(workstation.release_failure),
        "may_declare_ended": workstation.missing_since is not None
        and _may_act(request, workstation)
        and missing.may_be_declared_ended(workstation=workstation),
        "is_own": is_own,
        "end_form": ends.make_form(request.user, workstation) if may_end else None,
        "may_keep": is_own and workstation.is_kept_by_a_press,
        "is_left": is_left,
        "declaration": _find_declaration(workstation),
        "offers": access.list_offers(workstation=workstation) if may_end else [],
        "connections": _list_connections(workstation),
        "opened": ending.list_open(workstations=[workstation], besides=request.user),
        "release": _find_release(workstation),
        "shares": _list_shares(workstation) if is_own else [],
        "share_form": forms.ShareForm(),
        "suggested": partial(shares.suggest_people, owner=request.user),  # asked where they are shown
        "is_own_running": is_own and not is_left and not workstation.missing_since and _may_be_released(workstation),
    }


def _list_connections(workstation: models.Workstation) -> list[models.Connection]:
    """The newest, those of others than its owner before the owner's own."""
    rows = models.Connection.objects.filter(workstation=workstation).select_related("person")
    is_own = Case(When(person=workstation.owner_id, then=1), default=0)
    return list(rows.order_by(is_own, "-pk")[:_MOST_CONNECTIONS])


def _find_release(workstation: models.Workstation) -> models.Event | None:
    by, owner = workstation.release_requested_by_id, workstation.owner_id
    if workstation.release_requested_at is None or by == owner or not owner:
        return None
    events = models.Event.objects.filter(request_number=workstation.request_id, verb=Verb.REQUEST_RELEASE)
    return events.order_by("-id").first()


def _find_declaration(workstation: models.Workstation) -> models.Event | None:
    events = models.Event.objects.filter(target=models.name_target(workstation), verb=Verb.DISOWN)
    return events.order_by("-id").first() if workstation.is_foreign else None


def _list_shares(workstation: models.Workstation) -> list[models.Share]:
    rows = models.Share.objects.current().filter(workstation=workstation).select_related("person")
    return list(rows.order_by("pk"))


def _may_act(request: SignedInRequest, workstation: models.Workstation) -> bool:
    return workstation.owner_id == request.user.pk or request.user.has_perm("portal.close_request")


def _may_be_released(workstation: models.Workstation) -> bool:
    return workstation.is_live and workstation.release_requested_at is None


def _may_release_now(request: SignedInRequest, workstation: models.Workstation) -> bool:
    return _may_be_released(workstation) and ends.may_end(request.user, workstation)


def _describe_refusal(code: str) -> failures.Words:
    failure = failures.CATALOGUE.get(code)
    if failure is None:
        return code
    return _("AgentStation doesn't find it") if failure.means_missing else failure.title


@require_POST
def release(request: SignedInRequest, uid: str) -> HttpResponse:
    workstation = _find(request, uid)
    if not ends.may_end(request.user, workstation):
        raise Http404
    said = _("Release requested. The files stay in the workspace.")
    return _end(request, workstation, service=releases.request_release, said=said)


@require_POST
def declare_ended(request: SignedInRequest, uid: str) -> HttpResponse:
    workstation = _find(request, uid)
    if not _may_act(request, workstation):
        raise Http404
    return _end(request, workstation, service=missing.declare_ended, said=_("Noted: this workstation has ended."))


def _end(
    request: SignedInRequest, workstation: models.Workstation, *, service: Callable[..., None], said: str
) -> HttpResponse:
    """Calls the service with the reason, which only what is one's own does not need."""
    form = forms.ReasonForm(request.POST)
    form.fields["reason"].required = workstation.owner_id != request.user.pk
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for error in form.errors["reason"]))
        return redirect("workstation_detail", workstation.uid)
    with saying_why(request, releases.NotLive, missing.NotMissing):
        service(actor=request.user, workstation=workstation, reason=form.cleaned_data["reason"])
        messages.success(request, said)
    return redirect("workstation_detail", workstation.uid)
