"""A person's own account: signing in, and the password."""

from django.contrib.auth import views as auth_views
from django.urls import reverse_lazy

from portal import forms

sign_in = auth_views.LoginView.as_view(
    template_name="accounts/login.html", authentication_form=forms.SignInForm, redirect_authenticated_user=True
)
change_password = auth_views.PasswordChangeView.as_view(
    template_name="accounts/password.html",
    form_class=forms.PasswordForm,
    success_url=reverse_lazy("password_changed"),
)
