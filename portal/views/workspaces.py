"""Workspaces: those that a person may see, and one of them with its files, logs and workstations."""

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from portal import forms, models
from portal.services.requests import ownership
from portal.services.search import paging
from portal.views.components import mirrors
from portal.views.http import SignedInRequest, acting, read_before


def _visible(request: SignedInRequest) -> QuerySet[models.Workspace]:
    rows = models.Workspace.objects.select_related("owner")
    return rows if request.user.sees_all else rows.filter(owner=request.user)


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
    # Those in use are found from the workstations that run, which are few.
    in_use = Q(pk__in=models.Workstation.objects.live().filter(workspace__isnull=False).values("workspace"))
    rows = rows.filter({"in-use": in_use, "unused": ~in_use}.get(form.shown, Q()))
    page = paging.read_rows(rows=annotate_use(rows), before=read_before(request))
    shown = {"page": page, "form": form, "tabs": mirrors.list_tabs(form, query=request.GET)}
    return render(request, "workspaces/list.html", shown)


@require_GET
def detail(request: SignedInRequest, uid: str) -> HttpResponse:
    workspace = mirrors.find_newest(rows=_visible(request), uid=uid)
    return _show_one(request, workspace, form=forms.WorkspaceNameForm(initial={"name": workspace.name}))


@acting("workspace_detail")
def name(request: SignedInRequest, uid: str) -> HttpResponse | str:
    workspace = mirrors.find_newest(rows=models.Workspace.objects.filter(owner=request.user), uid=uid)
    form = forms.WorkspaceNameForm(request.POST)
    if not form.is_valid():
        return _show_one(request, workspace, form=form)
    ownership.name_workspace(actor=request.user, workspace=workspace, **form.cleaned_data)
    return _("The name is saved.") if form.cleaned_data["name"] else _("The name is removed.")


@acting("workspace_detail", ownership.NotFree, rights=["portal.close_request"])
def give(request: SignedInRequest, uid: str) -> HttpResponse | str:
    workspace = mirrors.find_newest(rows=models.Workspace.objects.filter(is_contested=True, owner=None), uid=uid)
    form = _ask_owner(request, workspace)
    if not form.is_valid():
        return _show_one(request, workspace, form=forms.WorkspaceNameForm())
    ownership.give_workspace(actor=request.user, workspace=workspace, **form.cleaned_data)
    return _("The workspace has an owner now. Your reason is in the audit log.")


def _ask_owner(request: SignedInRequest, workspace: models.Workspace) -> forms.WorkspaceOwnerForm:
    people = models.User.objects.filter(requests__workstation__workspace=workspace).distinct()
    return forms.WorkspaceOwnerForm(request.POST or None, offered={"owner": people})


def _show_one(request: SignedInRequest, workspace: models.Workspace, *, form: forms.WorkspaceNameForm) -> HttpResponse:
    workstations = models.Workstation.objects.visible_to(request.user).filter(workspace=workspace)
    contents = mirrors.read_contents(workspace=workspace, user=request.user)
    context = {
        "workspace": workspace,
        "form": form,
        "owner_form": _ask_owner(request, workspace),
        "contents": contents,
        "raw": contents.show_raw(workspace.raw),
        "workstations": workstations.select_related("request__requester", "workspace").order_by("-pk")[
            : paging.PAGE_SIZE
        ],
    }
    return render(request, "workspaces/detail.html", context)
