"""Settings of the portal, which administrators change."""

from django.contrib import messages as said
from django.forms import model_to_dict
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portal import forms
from portal.services.notifications import messages
from portal.services.people import policy
from portal.views import people
from portal.views.http import SignedInRequest, require_form


@require_form
@people.confirmed
def change_settings(request: SignedInRequest) -> HttpResponse:
    decided, kinds = policy.read_policy(), messages.list_all()
    team_kinds = [(kind, words) for kind, words in kinds if messages.MESSAGES[kind].who in messages.TEAM]
    initial = model_to_dict(decided) | {
        "mailed": [kind for kind, _words in kinds if kind not in decided.unmailed.split()],
        "sent": [kind for kind, _words in team_kinds if kind not in decided.unsent.split()],
    }
    form = forms.PolicyForm(request.POST or None, initial=initial, kinds=kinds, team_kinds=team_kinds)
    if form.is_valid():
        policy.change_policy(actor=request.user, **form.decided)
        said.success(request, _("Saved."))
        return redirect("settings")
    return render(request, "settings.html", {"form": form})
