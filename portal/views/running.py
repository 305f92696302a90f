"""One person's limit on what runs at once, which operators set."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portal import forms, models
from portal.services.people import policy
from portal.services.requests import running, submissions
from portal.services.search import paging
from portal.views import people
from portal.views.http import SignedInRequest, read_before, read_key, require_form, require_permission


@require_form
@require_permission("portal.close_request")
@people.proved
def limits(request: SignedInRequest) -> HttpResponse:
    submitters = submissions.list_submitters().order_by("username")
    form = forms.LimitForm(request.POST or None, offered={"person": submitters}, initial=request.GET.dict())
    if form.is_valid():
        running.set_limit(actor=request.user, **form.cleaned_data)
        words = _("The limit of %(name)s is saved. Your reason is in the audit log.")
        messages.success(request, words % {"name": form.cleaned_data["person"].label})
        return redirect("limits")
    return render(request, "limits.html", {"form": form, **_list_people(request)})


def _list_people(request: SignedInRequest) -> dict[str, Any]:
    """Who has something that counts, or a limit of their own."""
    decided, account = policy.read_policy(), read_key(request).account
    counts = running.count_by_person(account=account)
    rows = models.User.objects.filter(Q(pk__in=counts) | Q(running_limit__isnull=False))
    page = paging.read_rows(rows=rows, before=read_before(request))
    shown = [(one, counts.get(one.pk, 0), running.choose_limit(decided=decided, person=one)) for one in page.rows]
    live = running.list_running(account=account).count()
    return {"page": page, "people": shown, "policy": decided, "count": sum(counts.values()), "live": live}
