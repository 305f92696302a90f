"""Tokens of a person's programs, on the page of the account; and those of others, for administrators."""

from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal import models
from portal.accounts import forms
from portal.services.tokens import tokens
from portal.views import people
from portal.views.http import SignedInRequest, make_address, require_form
from portal.web import confirming


@require_form
@people.proved
def create(request: SignedInRequest) -> HttpResponse:
    return _create(request, person=request.user, back=(_("Settings"), reverse("account")))


@require_form
@people.confirmed
def create_for_service(request: SignedInRequest, number: int) -> HttpResponse:
    person = get_object_or_404(models.User, pk=number, is_service=True, is_active=True)
    return _create(request, person=person, back=(person.label, reverse("person_detail", args=[number])))


def _create(request: SignedInRequest, *, person: models.User, back: tuple[str, str]) -> HttpResponse:
    """The token is shown in the response and never again."""
    form = forms.TokenForm(request.POST or None, scopes=tokens.list_scopes(person=person))
    if not form.is_valid():
        return render(request, "accounts/new_token.html", {"form": form, "back": back})
    days = form.cleaned_data["days"]
    text = tokens.create_token(
        person=person,
        by=request.user,
        name=form.cleaned_data["name"],
        scopes=form.cleaned_data["scopes"],
        lifetime=timedelta(days=days) if days else None,
        addresses=form.cleaned_data["addresses"],
    )
    shown = {"token": text, "address": make_base_url(request), "back": back}
    return render(request, "accounts/token.html", shown)


def make_base_url(request: HttpRequest) -> str:
    """Where programs come. `make run` has no proxy, which leads there otherwise."""
    local = f"http://{settings.PORTAL_BIND}:{settings.PORTAL_API_PORT}/v1"
    return local if settings.PORTAL_LOCAL else make_address(request, "/v1")


@require_POST
def end(request: SignedInRequest, token: int) -> HttpResponse:
    if asked := confirming.ask_again(request, page=reverse("account")):
        return asked
    _end(request, get_object_or_404(models.Token, pk=token, person=request.user))
    return redirect("account")


@require_POST
@people.confirmed
def end_of_person(request: SignedInRequest, number: int, token: int) -> HttpResponse:
    _end(request, get_object_or_404(models.Token, pk=token, person=number))
    return redirect("person_detail", number)


def _end(request: SignedInRequest, token: models.Token) -> None:
    tokens.end_token(token=token, by=request.user)
    messages.success(request, _("“%(name)s” has ended: no program can use it any more.") % {"name": token.name})
