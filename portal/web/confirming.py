"""Asking for the password again: an open browser alone is not enough for what gives rights away."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.services.people import sessions


def ask_again(request: HttpRequest, *, page: str) -> HttpResponse | None:
    """The way to the page that asks, and on to `page`; None for who has typed the password a few minutes ago."""
    if sessions.has_proved(session=request.session):
        return None
    if request.method == "POST":
        messages.warning(request, _("Nothing was saved: you had to confirm first that it is you."))
    return redirect(f"{reverse('confirm')}?{urlencode({'next': page})}")
