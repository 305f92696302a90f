"""Workspaces: those that a person may see, and one of them with its files, logs and workstations."""

from django.contrib import messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal import forms, models
from portal.services.requests import ownership
from portal.services.search import paging
from portal.views.components import mirrors
from portal.views.http import SignedInRequest, read_before, require_permission, saying_why


def _visible(request: SignedInRequest) -> QuerySet[models.Workspace]:
    rows = models.Workspace.objects.select_related("owner")
    return rows if request.user.has_perm("portal.see_all") else rows.filter(owner=request.user)


def count_files(workspace: str) -> Coalesce:
    files = models.File.objects.filter(workspace=OuterRef(workspace)).order_by().values("workspace")
    return Coalesce(Subquery(files.values(number=Count("pk"))), 0)


def annotate_use(rows: QuerySet[models.Workspace]) -> QuerySet[models.Workspace]:
    """Subqueries for each row that is shown: a join would count for all of them first."""
    ran = models.Workstation.objects.filter(workspace=OuterRef("pk")).order_by("-id")
    return rows.annotate(
        file_count=count_files("pk"),
        last_type=Subquery(ran.values("type")[:1]),
        last_at=Coalesce(Subquery(ran.values("first_seen_at")[:1]), "first_seen_at"),
    )


@require_GET
def index(request: SignedInRequest) -> HttpResponse:
    form = forms.WorkspaceFilterForm(request.GET)
    rows = _visible(request).only("uid", "name", "status", *(f"owner__{name}" for name in models.User.NAMES))
    rows = annotate_use(_choose_part(rows, form.shown))
    page = paging.read_rows(rows=rows, before=read_before(request))
    shown = {"page": page, "form": form, "tabs": mirrors.list_tabs(form, query=request.GET)}
    return render(request, "workspaces/list.html", shown)


def _choose_part(rows: QuerySet[models.Workspace], part: str) -> QuerySet[models.Workspace]:
    """Those in use are found from the workstations that run, which are few."""
    running = models.Workstation.objects.live().filter(workspace__isnull=False)
    match part:
        case "in-use":
            return rows.filter(pk__in=running.values("workspace"))
        case "unused":
            return rows.exclude(pk__in=running.values("workspace"))
    return rows


@require_GET
def detail(request: SignedInRequest, uid: str) -> HttpResponse:
    workspace = mirrors.find_newest(rows=_visible(request), uid=uid)
    return _show_one(request, workspace, form=forms.WorkspaceNameForm(initial={"name": workspace.name}))


@require_POST
def name(request: SignedInRequest, uid: str) -> HttpResponse:
    workspace = mirrors.find_newest(rows=models.Workspace.objects.filter(owner=request.user), uid=uid)
    form = forms.WorkspaceNameForm(request.POST)
    if not form.is_valid():
        return _show_one(request, workspace, form=form)
    ownership.name_workspace(actor=request.user, workspace=workspace, name=form.cleaned_data["name"])
    messages.success(request, _("The name is saved.") if form.cleaned_data["name"] else _("The name is removed."))
    return redirect("workspace_detail", uid)


@require_POST
@require_permission("portal.close_request")
def give(request: SignedInRequest, uid: str) -> HttpResponse:
    workspace = mirrors.find_newest(rows=models.Workspace.objects.filter(is_contested=True, owner=None), uid=uid)
    form = _ask_owner(request, workspace)
    if not form.is_valid():
        return _show_one(request, workspace, form=forms.WorkspaceNameForm())
    with saying_why(request, ownership.NotFree):
        ownership.give_workspace(actor=request.user, workspace=workspace, **form.cleaned_data)
        messages.success(request, _("The workspace has an owner now. Your reason is in the audit log."))
    return redirect("workspace_detail", uid)


def _ask_owner(request: SignedInRequest, workspace: models.Workspace) -> forms.WorkspaceOwnerForm:
    people = models.User.objects.filter(requests__workstation__workspace=workspace).distinct()
    return forms.WorkspaceOwnerForm(request.POST or None, people=people)


def _show_one(request: SignedInRequest, workspace: models.Workspace, *, form: forms.WorkspaceNameForm) -> HttpResponse:
    workstations = models.Workstation.objects.visible_to(request.user).filter(workspace=workspace)
    contents = mirrors.read_contents(workspace=workspace, user=request.user)
    context = {
        "workspace": workspace,
        "form": form,
        "owner_form": _ask_owner(request, workspace),
        "raw": mirrors.show_raw(workspace.raw, contents=contents),
        "workstations": workstations.select_related("request__requester", "workspace").order_by("-pk")[
            : paging.PAGE_SIZE
        ],
        **contents,
    }
    return render(request, "workspaces/detail.html", context)
