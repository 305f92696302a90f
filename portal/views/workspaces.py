"""Workspaces: those that a person may see, and one of them with its files, logs and workstations."""

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal import models
from portal.views.components import paging
from portal.views.http import SignedInRequest


def _visible(request: SignedInRequest) -> QuerySet[models.Workspace]:
    rows = models.Workspace.objects.select_related("owner")
    return rows if request.user.has_perm("portal.see_all") else rows.filter(owner=request.user)


@require_GET
def index(request: SignedInRequest) -> HttpResponse:
    """The workspaces, newest first."""
    # Counted for each row that is shown: a join would count for all of them first.
    files = models.File.objects.filter(workspace=OuterRef("pk")).order_by().values("workspace")
    rows = _visible(request).annotate(file_count=Coalesce(Subquery(files.values(number=Count("pk"))), 0))
    return render(request, "workspaces/list.html", {"page": paging.read_page(rows=rows, query=request.GET)})


@require_GET
def detail(request: SignedInRequest, uid: str) -> HttpResponse:
    """One workspace."""
    workspace = paging.find_newest(rows=_visible(request), uid=uid)
    workstations = models.Workstation.objects.visible_to(request.user).filter(workspace=workspace)
    contents = paging.read_contents(workspace=workspace, user=request.user)
    context = {
        "workspace": workspace,
        "raw": paging.show_raw(workspace.raw, contents=contents),
        "workstations": workstations.select_related("request__requester").order_by("-pk")[: paging.PAGE_SIZE],
        **contents,
    }
    return render(request, "workspaces/detail.html", context)
