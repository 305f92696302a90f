"""The one-time page where somebody chooses a password."""

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from portal import forms
from portal.services.people import invitations, links
from portal.views import account, browser


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def choose_password(request: HttpRequest, token: str) -> HttpResponse:
    """404, with what that means, unless the link is valid."""
    try:
        person = invitations.find_invited(token=token)
        form = forms.NewPasswordForm(request.POST or None, person=person)
        if not form.is_valid():
            return render(request, "join.html", {"form": form, "person": person})
        person = invitations.use_link(token=token, password=form.cleaned_data["password"])
    except links.LinkNotValid:
        return render(request, "join_used.html", status=404)
    login(request, person)
    account.begin_session(request)
    messages.success(request, _("Your password is saved, and you are signed in."))
    response = redirect("home")
    browser.remember_name(request, response, name=person.get_username())
    return response
