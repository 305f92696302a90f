"""The whole site: one table, one form, three pages."""

import requests
from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone

TYPES = ["max", "zoom-chromium", "meet-chromium", "voip", "voip-chromium", "chromium", "python", "nodejs", "golang"]


class Request(models.Model):
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    type = models.CharField(max_length=50, choices=[(name, name) for name in TYPES])
    workspace_id = models.CharField(max_length=64, blank=True)
    note = models.CharField(max_length=500, blank=True)
    status = models.CharField(max_length=16, default="SENDING")
    error = models.TextField(blank=True)
    uid = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["requester", "-created_at"])]

    def __str__(self) -> str:
        return f"Request {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("detail", args=[self.pk])


class RequestForm(forms.ModelForm):
    class Meta:
        model = Request
        fields = ["type", "workspace_id", "note"]


def send(row: Request) -> None:
    body = {"type": row.type} | ({"workspace_id": row.workspace_id} if row.workspace_id else {})
    headers = {"Authorization": f"Bearer {settings.API_KEY}"}  # type: ignore[misc]  # of its own settings
    try:
        answer = requests.post(f"{settings.PROVIDER}/workstations", json=body, headers=headers, timeout=60)  # type: ignore[misc]
        answer.raise_for_status()
        row.uid, row.status = answer.json()["id"], "SUCCEEDED"
    except (requests.RequestException, ValueError, KeyError) as error:
        row.error, row.status = str(error), "FAILED"
    row.ended_at = timezone.now()
    row.save()


@login_required
def new(request: HttpRequest) -> HttpResponse:
    form = RequestForm(request.POST or None)
    if form.is_valid():
        form.instance.requester = request.user
        row = form.save()  # so that there is a trace of it, whatever becomes of the call
        send(row)
        return redirect(row)
    return render(request, "new.html", {"form": form})


@login_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "detail.html", {"row": get_object_or_404(Request, pk=pk, requester=request.user)})


@login_required
def index(request: HttpRequest) -> HttpResponse:
    rows = Request.objects.filter(requester=request.user).order_by("-created_at")  # type: ignore[attr-defined]
    return render(request, "index.html", {"page": Paginator(rows, 50).get_page(request.GET.get("page"))})


urlpatterns = [path("requests/new/", new), path("requests/<int:pk>/", detail, name="detail"), path("requests/", index)]
