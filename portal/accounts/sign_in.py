"""Signing in and out: allauth's views, with the portal's limits on guessing and its pages."""

from typing import Any
from urllib.parse import urlsplit

from allauth.account.utils import perform_login
from allauth.account.views import LoginView
from allauth.mfa.base.views import AuthenticateView
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _

from portal import models
from portal.accounts import factors, forms, guessing, oidc
from portal.services.limits import throttle
from portal.services.people import sessions
from portal.views import errors

_LONGEST_NAME = 150  # characters; nobody has a longer one


class SignIn(LoginView):
    template_name = "accounts/login.html"
    form_class = forms.SignInForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"issuers": settings.PORTAL_OIDC.values()}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not settings.PORTAL_PASSWORD_SIGN_IN:
            return self.get(request)
        try:
            return super().post(request, *args, **kwargs)
        except throttle.TooManyFailures as error:
            name = request.POST.get("username", "")[:_LONGEST_NAME]
            form = self.form_class(request=request, initial={"login": name})
            return say_wait(self, error, form=form)
        except throttle.TooManyHashings:
            return errors.say_busy()

    def form_valid(self, form: Any) -> Any:
        return perform_login(self.request, form.user, redirect_url=self.get_success_url())

    def get_success_url(self) -> str | None:
        target = super().get_success_url()
        return None if urlsplit(target or "").path == self.request.path else target


class SecondFactor(AuthenticateView):
    """Asks who has typed the password for a code of an app, or for a recovery code."""

    template_name = "accounts/second_factor.html"
    form_class = forms.CodeForm
    webauthn_form_class = forms.PasskeyFactorForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        person = self.stage.login.user
        return super().get_context_data(**kwargs) | {"passkeys": factors.describe(person=person)["passkeys"]}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not {"code", "credential"} & request.POST.keys():
            return self.get(request)
        try:
            guessing.count_code(request, name=self.stage.login.user.get_username())
        except throttle.TooManyFailures as error:
            return say_wait(self, error)
        with transaction.atomic():
            return super().post(request, *args, **kwargs)

    def form_invalid(self, form: Any) -> Any:
        throttle.record_failed_sign_in(name=self.stage.login.user.get_username(), factor="code")
        return super().form_invalid(form)


def say_wait(view: Any, error: throttle.TooManyFailures, **context: Any) -> HttpResponse:
    """The view's page, which says how long to wait."""
    page = view.get_context_data(**context) | {"wait": error.seconds}
    response: HttpResponse = view.render_to_response(page, status=429, headers={"Retry-After": str(error.seconds)})
    return response


@method_decorator(login_not_required, name="dispatch")
class SignOut(auth_views.LogoutView):
    """Django's sign-out, recorded; the browser keeps nothing. An address typed by hand signs nobody out.

    Also of who has typed the password and wants to stop there. Who came by an issuer is led there, to sign out too.
    """

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("home")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        issuer = request.session.get("issuer")
        with transaction.atomic():
            if isinstance(request.user, models.User):
                sessions.record_sign_out(person=request.user)
            response = super().post(request, *args, **kwargs)
        if issuer in settings.PORTAL_OIDC and (end := oidc.find_end(request, name=issuer)):
            response = oidc.lead_to(request, name=issuer, address=end)
        messages.success(request, _("You are signed out."))
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response
