"""Settings of the portal, which administrators change."""

from django.contrib import messages
from django.forms import model_to_dict
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal import forms
from portal.services.people import policy
from portal.views import people
from portal.views.http import SignedInRequest


@require_http_methods(["GET", "HEAD", "POST"])
@people.confirmed
def change_settings(request: SignedInRequest) -> HttpResponse:
    form = forms.PolicyForm(request.POST or None, initial=model_to_dict(policy.read_policy()))
    if form.is_valid():
        policy.change_policy(actor=request.user, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("settings")
    return render(request, "settings.html", {"form": form})
