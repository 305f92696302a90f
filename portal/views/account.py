"""A person's own account: signing in, the one-time pages that lead to it, the password, and the time zone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth import forms as auth_forms
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from portal import forms, models, passwords
from portal.services.people import invitations, links, people, sessions, throttle
from portal.views import cookies, errors
from portal.views.http import SignedInRequest, read_target
from portal.web import client_address, sessionstore

_LONGEST_NAME = 150  # characters; nobody has a longer one


class SignIn(auth_views.LoginView):
    """Django's sign-in, with every attempt and refusal recorded and counted against guessing."""

    template_name = "accounts/login.html"
    authentication_form = forms.SignInForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        name = auth_forms.UsernameField().to_python(request.POST.get("username", ""))
        if not name or "\0" in name or not request.POST.get("password"):
            return super().post(request, *args, **kwargs)  # which looks at no password
        try:
            with counted_try(request, name=name):
                return super().post(request, *args, **kwargs)
        except throttle.TooManyFailures as error:
            return self._refuse(error, name=name[:_LONGEST_NAME])
        except passwords.TooManyHashings:
            return errors.say_busy()

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        person = form.get_user()
        subjects = _list_subjects(self.request, name=person.get_username())
        with transaction.atomic():
            throttle.forget_failures(subjects=subjects)
            sessions.record_sign_in(person=person)
            response = super().form_valid(form)
            begin_session(self.request)
        cookies.remember_name(self.request, response, name=person.get_username())
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        if form.non_field_errors():  # name and password were typed, and are not those of anybody active
            sessions.record_failed_sign_in(name=form.cleaned_data.get("username", ""))
        return super().form_invalid(form)

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        target = super().get_redirect_url(request)
        return "" if urlsplit(target).path == self.request.path else target

    def _refuse(self, error: throttle.TooManyFailures, *, name: str) -> HttpResponse:
        form = self.authentication_form(self.request, initial={"username": name})
        context = self.get_context_data(form=form, wait=error.seconds)
        response = self.render_to_response(context, status=429)
        response.headers["Retry-After"] = str(error.seconds)
        return response


def begin_session(request: HttpRequest) -> None:
    sessions.begin_session(
        session=request.session,
        address=client_address.find_address(request),
        browser=request.headers.get("User-Agent", ""),
    )


@contextmanager
def counted_try(request: HttpRequest, *, name: str) -> Iterator[None]:
    """Count a password that is looked at within. Raises TooManyFailures, or TooManyHashings before anything is done."""
    subjects = _list_subjects(request, name=name)
    throttle.refuse_waiting(subjects=subjects)
    gates = {"person": passwords.MEMBERS, "browser": passwords.FRIENDS}
    with gates.get(subjects[0].kind, passwords.STRANGERS).enter():
        throttle.count_try(subjects=subjects, name=name)
        yield


def _list_subjects(request: HttpRequest, *, name: str) -> list[throttle.Subject]:
    address = client_address.find_network(request)
    known = cookies.find_browser(request, name=name)
    return throttle.list_subjects(name=name, address=address, browser=known, is_signed_in=request.user.is_authenticated)


class SignOut(auth_views.LogoutView):
    """Django's sign-out, recorded; the browser keeps nothing. An address typed by hand signs nobody out."""

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("home")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            if isinstance(request.user, models.User):
                sessions.record_sign_out(person=request.user)
            response = super().post(request, *args, **kwargs)
        messages.success(request, _("You are signed out."))
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response


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
            with counted_try(request, name=person.get_username()):
                return super().post(request, *args, **kwargs)
        except throttle.TooManyFailures as error:
            form = self.form_class(user=person)
            return self.render_to_response(self.get_context_data(form=form, wait=error.seconds), status=429)

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        person, password = cast(models.User, self.request.user), form.cleaned_data["new_password1"]
        with transaction.atomic():
            _forget_failures(self.request)
            update_session_auth_hash(self.request, sessions.change_password(person=person, password=password))
            sessions.note_proof(session=self.request.session)
        return HttpResponseRedirect(self.get_success_url())

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        if "old_password" in form.cleaned_data:
            _forget_failures(self.request)
        elif form.data.get("old_password"):
            sessions.record_failed_sign_in(name=self.request.user.get_username())
        return super().form_invalid(form)


def _forget_failures(request: HttpRequest) -> None:
    throttle.forget_failures(subjects=_list_subjects(request, name=request.user.get_username()))


@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: SignedInRequest) -> HttpResponse:
    """Ask for the password again, before something that whoever finds an open browser must not do."""
    target = read_target(request) or resolve_url("account")
    form, name = forms.ConfirmForm(request.POST or None, person=request.user), request.user.get_username()
    if request.POST.get("password"):
        try:
            with counted_try(request, name=name):
                is_right = form.is_valid()
        except throttle.TooManyFailures as error:
            shown = {"form": forms.ConfirmForm(person=request.user), "next": target, "wait": error.seconds}
            return render(request, "accounts/confirm.html", shown, status=429)
        if is_right:
            _forget_failures(request)
            sessions.note_proof(session=request.session)
            request.session.cycle_key()
            return HttpResponseRedirect(target)
        sessions.record_failed_sign_in(name=name)
    return render(request, "accounts/confirm.html", {"form": form, "next": target})


@require_POST
def end_sessions(request: SignedInRequest) -> HttpResponse:
    chosen = request.POST.getlist("session")
    if "others" in chosen:
        chosen = [row.session_key for row in _describe_sessions(request)["others"]]
    ended = sessions.end_sessions(person=request.user, chosen=chosen)
    text = ngettext("Signed out of %(count)d browser.", "Signed out of %(count)d browsers.", ended)
    messages.success(request, text % {"count": ended})
    return redirect("account")


@require_http_methods(["GET", "HEAD", "POST"])
def show(request: SignedInRequest) -> HttpResponse:
    posted = request.POST if request.method == "POST" else None
    form = forms.AccountForm(posted, initial={"time_zone": request.user.time_zone})
    if not form.is_valid():
        context = {"form": form, "groups": request.user.groups.order_by("name"), **_describe_sessions(request)}
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


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
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
    said = _("You are signed in as the administrator. Under your name, “People” is where you add the others.")
    return _sign_in(request, user, said)


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
    return _sign_in(request, person, _("Your password is saved, and you are signed in."))


def _sign_in(request: HttpRequest, person: models.User, said: str) -> HttpResponse:
    login(request, person)
    begin_session(request)
    messages.success(request, said)
    response = redirect("home")
    cookies.remember_name(request, response, name=person.get_username())
    return response
