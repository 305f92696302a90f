"""People, for administrators: who there is, adding somebody, links for those without a password, and locking out."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal import forms, models
from portal.services.people import invitations, sessions
from portal.services.search import paging
from portal.services.tokens import tokens
from portal.views.http import SignedInRequest, make_address, read_before, saying_why

type View[**P] = Callable[Concatenate[SignedInRequest, P], HttpResponse]


def check_administrator(request: SignedInRequest) -> None:
    if not request.user.is_superuser:
        raise PermissionDenied


def confirmed[**P](view: View[P]) -> View[P]:
    """For administrators who have typed the password a few minutes ago: an open browser alone is not enough."""

    @wraps(view)
    def guarded(request: SignedInRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        check_administrator(request)
        if sessions.has_proved(session=request.session):
            return view(request, *args, **kwargs)
        number = kwargs.get("number")
        return ask_to_confirm(request, page=reverse("person_detail", args=[number]) if number else request.path)

    return guarded


def ask_to_confirm(request: SignedInRequest, *, page: str) -> HttpResponse:
    """Ask for the password again, and lead to the page then."""
    if request.method == "POST":
        messages.warning(request, _("Nothing was saved: you had to confirm first that it is you."))
    return redirect(f"{reverse('confirm')}?{urlencode({'next': page})}")


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


@require_http_methods(["GET", "HEAD", "POST"])
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


@require_http_methods(["GET", "HEAD", "POST"])
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
        return _show_links(request, [invitations.make_link(actor=request.user, person=person)])
    return redirect("person_detail", number)


@require_POST
@confirmed
def sign_out(request: SignedInRequest, number: int) -> HttpResponse:
    person = get_object_or_404(models.User, pk=number)
    sessions.end_sessions(person=person, by=request.user, chosen=None, all_tokens="all_tokens" in request.POST)
    messages.success(request, _("%(name)s is signed out everywhere.") % {"name": person.label})
    return redirect("person_detail", number)


def _show_links(request: SignedInRequest, made: Sequence[invitations.Invitation]) -> HttpResponse:
    """Those that no mail has, shown now and never again."""
    if not made:
        messages.success(
            request, _("Added. They sign in by the identity provider, with the e-mail address given here.")
        )
        return redirect("people_list")
    mailed, shown = ([one for one in made if one.is_mailed is so] for so in (True, False))
    addresses = [make_address(request, reverse("join", args=[one.link.token])) for one in shown]
    if len(made) > 1:
        named = zip(shown, addresses, strict=True)
        addresses = [f"{one.person.get_username()} {address}" for one, address in named]
    told = {"made": made, "mailed": mailed, "addresses": "\n".join(addresses)}
    return render(request, "people/links.html", told)


@require_POST
@confirmed
def set_active(request: SignedInRequest, number: int, *, is_active: bool) -> HttpResponse:
    person = get_object_or_404(models.User, pk=number)
    with saying_why(request, invitations.NotPossible):
        invitations.set_active(actor=request.user, person=person, is_active=is_active)
        said = _("%(name)s is active again.") if is_active else _("%(name)s is deactivated and signed out everywhere.")
        messages.success(request, said % {"name": person.label})
    return redirect("person_detail", number)
