"""The one-time pages by which people come in: the first administrator, and whoever got a link."""

from allauth.account.utils import perform_login
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from portal import models
from portal.accounts import forms, guessing
from portal.services.limits import limits, throttle
from portal.services.people import invitations, links, mail
from portal.views.http import require_form


@login_not_required
@sensitive_post_parameters()
@require_form
def set_up(request: HttpRequest, token: str) -> HttpResponse:
    """404, with what that means, unless the link is valid."""
    try:
        links.check_setup_link(token=token)
        form = forms.SetupForm(request.POST or None)
        if not form.is_valid():
            return render(request, "setup.html", {"form": form})
        user = links.create_administrator(
            token=token, username=form.cleaned_data["username"], password=form.cleaned_data["password"]
        )
    except links.LinkNotValid:
        return render(request, "setup_used.html", status=404)
    said = _("You are signed in as the administrator. “People”, in the menu, is where you add the others.")
    return _sign_in(request, user, said)


@login_not_required
@sensitive_post_parameters()
@require_form
def choose_password(request: HttpRequest, token: str) -> HttpResponse:
    """404, with what that means, unless the link is valid."""
    try:
        person = invitations.find_invited(token=token)
        form = forms.NewPasswordForm(request.POST or None, person=person)
        if not form.is_valid():
            return render(request, "join.html", {"form": form, "person": person})
        chosen = {name: form.cleaned_data.get(name, False) for name in ("password", "all_tokens")}
        person = invitations.use_link(token=token, **chosen)
    except links.LinkNotValid:
        return render(request, "join_used.html", status=404)
    return _sign_in(request, person, _("Your password is saved, and you are signed in."))


@login_not_required
@require_form
def ask_link(request: HttpRequest) -> HttpResponse:
    """Says the same, and takes as long, whether somebody has the name or nobody."""
    if not (mail.is_set_up() and settings.PORTAL_PASSWORD_SIGN_IN):
        raise Http404
    form = forms.ForgottenForm(request.POST or None)
    if not form.is_valid():
        return render(request, "accounts/forgotten.html", {"form": form})
    name = form.cleaned_data["name"]
    if isinstance(request.user, models.User):
        limits.count_one(kind=limits.ACT, person=request.user)
    try:
        guessing.count_code(request, name=name)
    except throttle.TooManyFailures as error:
        return render(request, "accounts/forgotten.html", {"form": form, "wait": error.seconds}, status=429)
    invitations.ask_for_link(name=name)
    said = _("If there is an account with this name or address, a link is sent to it by mail. It works for an hour.")
    messages.success(request, said)
    return redirect("account_login")


def _sign_in(request: HttpRequest, person: models.User, said: str) -> HttpResponse:
    logout(request)  # of whoever used this browser before
    response: HttpResponse = perform_login(request, person, redirect_url="/")
    if request.user.is_authenticated:  # and no second factor is asked for first
        messages.success(request, said)
    return response
