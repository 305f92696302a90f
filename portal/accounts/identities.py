"""Whom an issuer lets in: who is known by it, who was invited, and who is new."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import forms, models
from portal.environment import Issuer
from portal.models.event import Verb
from portal.services import audit
from portal.services.people import membership, sessions

type Claims = Mapping[str, Any]

_GROUPS = {"members": ["Members"], "operators": ["Operators"], "auditors": ["Auditors"]}
_GROUPS["administrators"] = ["Members", "Operators"]
_MOST_NAMESAKES = 50
_DEACTIVATED = gettext_lazy("Your account here is deactivated. An administrator of this portal can activate it.")


class NotAdmitted(Exception):
    """The issuer knows them, and the portal does not let them in; the message is fit for the person."""


def admit(*, issuer: Issuer, claims: Claims) -> models.User:
    """Who this is, with the roles that the issuer gives where it gives any. Raises NotAdmitted."""
    try:
        person = _find_or_add(issuer, claims)
    except IntegrityError:  # they came twice at one time, and are known now
        person = _find_or_add(issuer, claims)
    if issuer.roles and not _read_roles(issuer, claims):
        raise NotAdmitted(
            _("You are in none of the groups that may use this portal. Ask the administrators of your groups.")
        )
    if person is None:
        raise NotAdmitted(
            _("Nobody has added you here with your e-mail address yet. Ask an administrator of this portal.")
        )
    if not person.is_active:
        raise NotAdmitted(_DEACTIVATED)
    return person


def is_of(*, person: models.User, issuer: str, subject: str) -> bool:
    return SocialAccount.objects.filter(user=person, provider=issuer, uid=subject).exists()


def list_issuers(*, person: models.User) -> list[Issuer]:
    """Those that know the person, as far as they are still set."""
    names = SocialAccount.objects.filter(user=person).order_by("provider").values_list("provider", flat=True)
    return [settings.PORTAL_OIDC[name] for name in names if name in settings.PORTAL_OIDC]


def _read_roles(issuer: Issuer, claims: Claims) -> set[str]:
    groups = claims.get("groups") or []
    named = groups if isinstance(groups, list | dict) else [groups]
    return {issuer.roles[group] for group in named if isinstance(group, str) and group in issuer.roles}


@transaction.atomic
def _find_or_add(issuer: Issuer, claims: Claims) -> models.User | None:
    roles = _read_roles(issuer, claims)
    known = SocialAccount.objects.filter(provider=issuer.name, uid=claims["sub"]).select_related("user").first()
    if known is None and issuer.roles and not roles:
        return None
    person = known.user if known else _find_invited(issuer, claims)
    if person is None and issuer.can_sign_up:
        person = _add(claims)
        _set_roles(person, roles or {"members"})
        membership.record_addition(actor=None, target=person)
    elif person is not None and issuer.roles:
        _change_roles(person, roles)
    if person is not None and known is None:
        SocialAccount.objects.create(user=person, provider=issuer.name, uid=claims["sub"])
        audit.record(Verb.LINK_IDENTITY, person, detail={"issuer": issuer.name}, rows=())
    return person


def _find_invited(issuer: Issuer, claims: Claims) -> models.User | None:
    """Whom an administrator has added with an address that the issuer has verified and may vouch for."""
    email = _read_email(claims)
    name, _at, domain = email.rpartition("@")
    # Beyond ASCII PostgreSQL takes different letters for the same: a dotless i has the capital of an i.
    if not name.isascii() or domain.lower() not in issuer.domains:
        return None
    rows = models.User.objects.filter(email__iexact=email, is_active=True, is_service=False, socialaccount=None)
    people = list(models.User.objects.select_for_update().filter(pk__in=rows.values("pk"))[:2])
    # Another may have come with it while this one waited.
    return people[0] if len(people) == 1 and rows.filter(pk=people[0].pk).exists() else None


def _add(claims: Claims) -> models.User:
    """Raises NotAdmitted for who was locked out, and comes as somebody new."""
    person = models.User(username=_choose_name(claims), first_name=_read(claims, "name")[:150])
    person.email = _read_email(claims)[:254]
    if person.email and models.User.objects.filter(email__iexact=person.email, is_active=False).exists():
        raise NotAdmitted(_DEACTIVATED)
    person.set_unusable_password()
    person.save()
    return person


def _choose_name(claims: Claims) -> str:
    """A username that the portal takes and nobody has, as near as can be to what the issuer calls the person."""
    said = _read(claims, "preferred_username") or _read(claims, "email").partition("@")[0]
    base = re.sub(r"[^\w.@+-]", "", said)[:100] or "person"
    numbers = ["", *range(2, _MOST_NAMESAKES), f"-{secrets.token_hex(4)}"]
    candidates = [*(f"{base}{number}" for number in numbers), f"person-{secrets.token_hex(4)}"]
    checked = (forms.UsernameForm({"username": name}) for name in candidates)
    return next(form.cleaned_data["username"] for form in checked if form.is_valid())


def _read_email(claims: Claims) -> str:
    """The address, where the issuer has made sure that it is the person's."""
    email = str(claims.get("email") or "")
    return email if email.isprintable() and claims.get("email_verified") is True else ""


def _read(claims: Claims, name: str) -> str:
    return "".join(letter for letter in str(claims.get(name) or "") if letter.isprintable())


def _change_roles(person: models.User, roles: set[str]) -> None:
    stored = models.User.objects.select_for_update().get(pk=person.pk)
    before = membership.describe(target=stored)
    _set_roles(stored, roles)
    stored.user_permissions.clear()
    membership.record_change(actor=None, target=stored, before=before)
    if not roles:
        sessions.end_sessions(person=stored, by=None, chosen=None)


def _set_roles(person: models.User, roles: set[str]) -> None:
    person.is_superuser = "administrators" in roles
    person.save(update_fields=["is_superuser"])
    names = [name for role in roles for name in _GROUPS[role]]
    person.groups.set(Group.objects.filter(name__in=names))


@transaction.atomic
def unlink(*, person: models.User, by: models.User) -> None:
    """Forget by which issuers the person came, and sign them out: for who has another account there."""
    rows = SocialAccount.objects.filter(user=person)
    names = sorted(rows.values_list("provider", flat=True))
    rows.delete()
    audit.record(Verb.UNLINK_IDENTITY, person, by=by, detail={"issuers": names}, rows=())
    sessions.end_sessions(person=person, by=by, chosen=None)
