"""The one-time page where the first administrator is made."""

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from portal import forms
from portal.services.people import links, setup
from portal.views import account, browser


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, token: str) -> HttpResponse:
    """404, with what that means, unless the link is valid."""
    try:
        setup.check_setup_link(token=token)
        form = forms.SetupForm(request.POST or None)
        if not form.is_valid():
            return render(request, "setup.html", {"form": form})
        user = setup.create_administrator(
            token=token, username=form.cleaned_data["username"], password=form.cleaned_data["password"]
        )
    except links.LinkNotValid:
        return render(request, "setup_used.html", status=404)
    login(request, user)
    account.begin_session(request)
    messages.success(
        request,
        _("You are signed in as the administrator. Under your name, “People” is where you add the others."),
    )
    response = redirect("home")
    browser.remember_name(request, response, name=user.get_username())
    return response
