"""A person's own account: signing in, the password, and the time zone."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal import forms, models
from portal.services import people, sessions
from portal.views.http import SignedInRequest


class SignIn(auth_views.LoginView):
    """Django's sign-in; who came and who was turned away is recorded."""

    template_name = "accounts/login.html"
    authentication_form = forms.SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        with transaction.atomic():
            sessions.record_sign_in(person=form.get_user())
            return super().form_valid(form)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        if form.non_field_errors():  # name and password were typed, and are not those of anybody active
            sessions.record_failed_sign_in(name=form.cleaned_data.get("username", ""))
        return super().form_invalid(form)


class SignOut(auth_views.LogoutView):
    """Django's sign-out, recorded. An address typed by hand signs nobody out."""

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("home")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            if isinstance(request.user, models.User):
                sessions.record_sign_out(person=request.user)
            response = super().post(request, *args, **kwargs)
        messages.success(request, _("You are signed out."))
        return response


class ChangePassword(auth_views.PasswordChangeView):
    """Django's page, recorded in the transaction that changes the password."""

    template_name = "accounts/password.html"
    form_class = forms.PasswordForm
    success_url = reverse_lazy("password_changed")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        with transaction.atomic():
            sessions.record_password_change(person=cast(models.User, self.request.user))
            return super().form_valid(form)


@require_http_methods(["GET", "HEAD", "POST"])
def show(request: SignedInRequest) -> HttpResponse:
    """Who one is here, and what one may set."""
    posted = request.POST if request.method == "POST" else None
    form = forms.AccountForm(posted, initial={"time_zone": request.user.time_zone})
    if not form.is_valid():
        return render(request, "accounts/account.html", {"form": form, "groups": request.user.groups.order_by("name")})
    zone = form.cleaned_data["time_zone"]
    people.set_time_zone(person=request.user, time_zone=zone)
    shown = zone or timezone.get_default_timezone_name()
    messages.success(request, _("Saved. Times are shown in %(zone)s from now on.") % {"zone": shown})
    return redirect("account")
