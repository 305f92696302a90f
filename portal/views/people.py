"""People, for administrators: who there is, adding somebody, links for those without a password, and locking out."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal import forms, models
from portal.services.people import invitations, sessions
from portal.services.search import paging
from portal.services.tokens import tokens
from portal.views.http import SignedInRequest, make_address, read_before, require_form, saying_why
from portal.web import confirming

type View = Callable[..., HttpResponse]


def check_administrator(request: SignedInRequest) -> None:
    if not request.user.is_superuser:
        raise PermissionDenied


def proved(view: View) -> View:
    """For who has typed the password a few minutes ago."""

    @wraps(view)
    def guarded(request: SignedInRequest, **values: Any) -> HttpResponse:
        number = values.get("number")
        page = reverse("person_detail", args=[number]) if number else request.path
        return confirming.ask_again(request, page=page) or view(request, **values)

    return guarded


def confirmed(view: View) -> View:
    """For administrators, likewise."""

    @wraps(view)
    def guarded(request: SignedInRequest, **values: Any) -> HttpResponse:
        check_administrator(request)
        return proved(view)(request, **values)

    return guarded


def change_person(change: Callable[..., str]) -> View:
    """What confirmed administrators do to one person, whose page says what `change` returns, or why it was refused."""

    @require_POST
    @confirmed
    @wraps(change)
    def answer(request: SignedInRequest, number: int, **values: Any) -> HttpResponse:
        person = get_object_or_404(models.User, pk=number)
        with saying_why(request, invitations.NotPossible):
            messages.success(request, change(request, person, **values) % {"name": person.label})
        return redirect("person_detail", number)

    return answer


def _read_people() -> QuerySet[models.User]:
    return models.User.objects.annotate(link_until=F("sign_in_link__valid_until")).prefetch_related("groups")


@require_GET
def index(request: SignedInRequest) -> HttpResponse:
    check_administrator(request)
    form = forms.PeopleForm(request.GET)
    text = form.cleaned_data["name"] if form.is_valid() else ""
    named = Q(username__icontains=text) | Q(first_name__icontains=text) | Q(email__icontains=text)
    rows = _read_people().filter(named)
    page = paging.read_rows(rows=rows, before=read_before(request))
    unsent = invitations.list_unsent(since=timezone.now() - timedelta(days=1))
    return render(request, "people/list.html", {"page": page, "form": form, "unsent": unsent})


@require_form
@confirmed
def add(request: SignedInRequest) -> HttpResponse:
    """The link is shown in the response and never again."""
    form = forms.PersonForm(request.POST or None)
    if form.is_valid():
        try:
            added = invitations.add_people(actor=request.user, people=[form.cleaned_data])
        except invitations.GroupGone as error:
            form.add_error("role", str(error))
        except invitations.NotPossible as error:
            form.add_error("username", str(error))
        else:
            if not form.cleaned_data["is_service"]:
                return _show_links(request, added)
            messages.success(request, _("Added. Make a token for it on its page."))
            return redirect("people_list")
    return render(request, "people/add.html", {"form": form})


@require_form
@confirmed
def add_several(request: SignedInRequest) -> HttpResponse:
    form = forms.SeveralForm(request.POST or None)
    if form.is_valid():
        try:
            added = invitations.add_people(actor=request.user, people=form.cleaned_data["people"])
        except invitations.NotPossible as error:  # since the form was checked
            form.add_error("people", str(error))
        else:
            return _show_links(request, added)
    return render(request, "people/add_several.html", {"form": form})


@require_GET
@confirmed
def detail(request: SignedInRequest, number: int) -> HttpResponse:
    return _show_person(request, number)


def _show_person(request: SignedInRequest, number: int, **forms_sent: Any) -> HttpResponse:
    person = get_object_or_404(_read_people(), pk=number)
    shown: dict[str, Any] = {
        "details": forms.DetailsForm(initial={"name": person.get_full_name(), "email": person.email}),
        "role": forms.RoleForm(initial={"role": forms.find_role(person)}),
    }
    shown["role_issuer"] = invitations.find_role_issuer(person=person)
    shown["mailing"] = invitations.find_mailing(person=person)
    shown["tokens"] = tokens.list_tokens(person=person)
    return render(request, "people/detail.html", {"person": person, **shown, **forms_sent})


@require_POST
@confirmed
def change_details(request: SignedInRequest, number: int) -> HttpResponse:
    form = forms.DetailsForm(request.POST)
    if not form.is_valid():
        return _show_person(request, number, details=form)
    invitations.change_details(
        actor=request.user, person=get_object_or_404(models.User, pk=number), **form.cleaned_data
    )
    messages.success(request, _("Saved."))
    return redirect("person_detail", number)


@require_POST
@confirmed
def change_role(request: SignedInRequest, number: int) -> HttpResponse:
    form = forms.RoleForm(request.POST)
    if not form.is_valid():
        return _show_person(request, number, role=form)
    person = get_object_or_404(models.User, pk=number)
    with saying_why(request, invitations.NotPossible):
        invitations.change_role(actor=request.user, person=person, group=form.cleaned_data["role"])
        messages.success(request, _("%(name)s has another role now.") % {"name": person.label})
    return redirect("person_detail", number)


@require_POST
@confirmed
def make_link(request: SignedInRequest, number: int) -> HttpResponse:
    person = get_object_or_404(models.User, pk=number)
    with saying_why(request, invitations.NotPossible):
        made = invitations.make_link(actor=request.user, person=person, by_mail="copy" not in request.POST)
        if made.token:
            return _show_links(request, [made])
        messages.success(request, _("A link is being sent to %(name)s by mail.") % {"name": person.label})
    return redirect("person_detail", number)


@change_person
def sign_out(request: SignedInRequest, person: models.User) -> str:
    sessions.end_sessions(person=person, by=request.user, chosen=None, all_tokens="all_tokens" in request.POST)
    return _("%(name)s is signed out everywhere.")


def _show_links(request: SignedInRequest, made: Sequence[invitations.Invitation]) -> HttpResponse:
    """Those that are not mailed, shown now and never again."""
    if not made:
        messages.success(
            request, _("Added. They sign in by the identity provider, with the e-mail address given here.")
        )
        return redirect("people_list")
    shown = [one for one in made if one.token]
    addresses = [make_address(request, reverse("join", args=[one.token])) for one in shown]
    if len(made) > 1:
        named = zip(shown, addresses, strict=True)
        addresses = [f"{one.person.get_username()} {address}" for one, address in named]
    return render(request, "people/links.html", {"made": made, "shown": shown, "addresses": "\n".join(addresses)})


@change_person
def set_active(request: SignedInRequest, person: models.User, *, is_active: bool) -> str:
    invitations.set_active(actor=request.user, person=person, is_active=is_active)
    return _("%(name)s is active again.") if is_active else _("%(name)s is deactivated and signed out everywhere.")
