"""Changes of the API: what the provider answers and its contract does not say, until somebody has seen it."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from portal import forms, models
from portal.services.mirrors import contract_drift
from portal.views.http import SignedInRequest, saying_why

MOST = 200  # on the page; the oldest first


@require_http_methods(["GET", "POST"])
@permission_required("portal.see_all", raise_exception=True)
def index(request: SignedInRequest) -> HttpResponse:
    """All that nobody has seen; who may, marks what they have."""
    return _mark(request) if request.method == "POST" else _show(request, forms.NoticesForm())


@permission_required("portal.close_request", raise_exception=True)
def _mark(request: SignedInRequest) -> HttpResponse:
    form = forms.NoticesForm(request.POST)
    if not form.is_valid():
        return _show(request, form)
    with saying_why(request, contract_drift.NotOpen):
        count = contract_drift.acknowledge_notices(actor=request.user, numbers=form.cleaned_data["notice"])
        said = ngettext(
            "%(count)d API change is marked as reviewed. It stays in the audit log.",
            "%(count)d API changes are marked as reviewed. They stay in the audit log.",
            count,
        )
        messages.success(request, said % {"count": count})
    return redirect("notice_list")


def _show(request: SignedInRequest, form: forms.NoticesForm) -> HttpResponse:
    notices = list(models.Notice.objects.filter(acknowledged_at=None).order_by("id")[: MOST + 1])
    ticked = form["notice"].value() or []
    shown = [(notice, str(notice.pk) in ticked) for notice in notices[:MOST]]
    count = f"{MOST}+" if len(notices) > MOST else str(len(notices))
    return render(request, "api_changes.html", {"form": form, "notices": shown, "count": count})
