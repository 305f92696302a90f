"""A person's own account: signing in, the password, and the time zone."""

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal import forms
from portal.services import people
from portal.views.http import SignedInRequest

sign_in = auth_views.LoginView.as_view(
    template_name="accounts/login.html", authentication_form=forms.SignInForm, redirect_authenticated_user=True
)
change_password = auth_views.PasswordChangeView.as_view(
    template_name="accounts/password.html",
    form_class=forms.PasswordForm,
    success_url=reverse_lazy("password_changed"),
)


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
    messages.success(request, _("Kept. Times are shown in %(zone)s from now on.") % {"zone": shown})
    return redirect("account")
