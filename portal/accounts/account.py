"""A person's own account: the password, the time zone, and where they are signed in."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import PasswordChangeForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from portal import models
from portal.accounts import factors, forms, guessing, identities
from portal.environment import Issuer
from portal.services.limits import throttle
from portal.services.people import people, sessions
from portal.services.tokens import tokens
from portal.views.http import SignedInRequest, read_target, require_form
from portal.web import confirming, sessionstore


class ChangePassword(auth_views.PasswordChangeView):
    """Django's page, recorded in the transaction that changes the password; the present one is not to be guessed."""

    template_name = "accounts/password.html"
    form_class = forms.PasswordForm
    success_url = reverse_lazy("password_changed")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        person = cast(models.User, request.user)
        if not request.POST.get("old_password"):
            return super().post(request, *args, **kwargs)
        try:
            with guessing.counted_try(request, name=person.get_username()):
                return super().post(request, *args, **kwargs)
        except throttle.TooManyFailures as error:
            form = self.form_class(user=person)
            return self.render_to_response(self.get_context_data(form=form, wait=error.seconds), status=429)

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        person, password = cast(models.User, self.request.user), form.cleaned_data["new_password1"]
        ends = form.cleaned_data.get("all_tokens", False)
        with transaction.atomic():
            guessing.forget_failures(self.request, name=self.request.user.get_username())
            update_session_auth_hash(
                self.request, sessions.change_password(person=person, password=password, all_tokens=ends)
            )
            sessions.note_proof(session=self.request.session)
        return HttpResponseRedirect(self.get_success_url())

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        if "old_password" in form.cleaned_data:
            guessing.forget_failures(self.request, name=self.request.user.get_username())
        elif form.data.get("old_password"):
            throttle.record_failed_sign_in(name=self.request.user.get_username())
        return super().form_invalid(form)


@require_form
def confirm(request: SignedInRequest) -> HttpResponse:
    """Ask for the password again, before something that whoever finds an open browser must not do."""
    target = read_target(request) or resolve_url("account")
    form, name = forms.ConfirmForm(request.POST or None, person=request.user), request.user.get_username()
    if issuers := _list_provers(request):
        return render(request, "accounts/confirm.html", {"issuers": issuers, "next": target})
    if request.POST.get("password"):
        try:
            with guessing.counted_try(request, name=name):
                is_right = form.is_valid()
        except throttle.TooManyFailures as error:
            shown = {"form": forms.ConfirmForm(person=request.user), "next": target, "wait": error.seconds}
            return render(request, "accounts/confirm.html", shown, status=429)
        if is_right:
            guessing.forget_failures(request, name=name)
            sessions.note_proof(session=request.session)
            request.session.cycle_key()
            return HttpResponseRedirect(target)
        throttle.record_failed_sign_in(name=name)
    return render(request, "accounts/confirm.html", {"form": form, "next": target})


def _list_provers(request: SignedInRequest) -> list[Issuer]:
    """The issuers that somebody proves with that it is them, who came by one or has no password."""
    if request.session.get("issuer") or not request.user.has_usable_password():
        return identities.list_issuers(person=request.user)
    return []


@require_POST
def end_sessions(request: SignedInRequest) -> HttpResponse:
    chosen = request.POST.getlist("session")
    is_everywhere = "others" in chosen
    if is_everywhere:
        if asked := confirming.ask_again(request, page=reverse("account")):
            return asked
        chosen = [row.session_key for row in _describe_sessions(request)["others"]]
    ended = sessions.end_sessions(
        person=request.user,
        by=request.user,
        chosen=chosen,
        everywhere=is_everywhere,
        all_tokens="all_tokens" in request.POST,
    )
    text = ngettext("Signed out of %(count)d browser.", "Signed out of %(count)d browsers.", ended)
    messages.success(request, text % {"count": ended})
    return redirect("account")


@require_form
def show(request: SignedInRequest) -> HttpResponse:
    posted = request.POST if request.method == "POST" else None
    form = forms.AccountForm(posted, initial={"time_zone": request.user.time_zone})
    if not form.is_valid():
        context = {"form": form, "groups": request.user.groups.order_by("name"), **_describe_sessions(request)}
        context |= factors.describe(person=request.user) | {"issuers": identities.list_issuers(person=request.user)}
        context["tokens"] = tokens.list_tokens(person=request.user)
        return render(request, "accounts/account.html", context)
    zone = form.cleaned_data["time_zone"]
    people.set_time_zone(person=request.user, time_zone=zone)
    shown = zone or timezone.get_default_timezone_name()
    messages.success(request, _("Saved. Times are shown in %(zone)s from now on.") % {"zone": shown})
    return redirect("account")


def _describe_sessions(request: SignedInRequest) -> dict[str, Any]:
    present = sessionstore.hash_key(request.session.session_key or "")
    rows = sessions.list_sessions(person=request.user)
    return {"sessions": rows, "present": present, "others": [row for row in rows if row.session_key != present]}
