"""People whom an administrator lets in: each chooses a password by a one-time link, and nobody else knows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, make_password
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from portal import models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import database_moved
from portal.services.people import links, mail, membership, sessions
from portal.services.runtime import leases

LIFETIME = timedelta(hours=72)
RESET_LIFETIME = timedelta(hours=1)  # of a link for who has a password
_BETWEEN_MAILS = timedelta(minutes=5)  # that somebody asks for
_AT_ONCE = 50
# Whoever has a password, and an address where a link reaches them.
_MAY_ASK = Q(is_active=True) & ~Q(email="") & ~Q(password__startswith=UNUSABLE_PASSWORD_PREFIX)


class NotPossible(Exception):
    """It cannot be done; the message is fit for the person."""


class GroupGone(NotPossible):
    """Somebody has deleted the group."""


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """A link that was made for a person, and what became of a mail with it, where there was one."""

    person: models.User
    link: links.NewLink
    mailed: mail.Outcome | None = None

    @property
    def is_mailed(self) -> bool:
        return self.mailed == mail.Outcome()

    @property
    def failure(self) -> str:
        return self.mailed.failure if self.mailed else ""


def add_people(*, actor: models.User, people: Sequence[Mapping[str, Any]]) -> list[Invitation]:
    """Add all of them or nobody, each to the group of their role; without a password, and with a link to choose one.

    Without a link where passwords let nobody in.
    """
    with transaction.atomic():
        added = [_add_person(actor, **values) for values in people]
        invited = [person for person in added if not person.is_service] if settings.PORTAL_PASSWORD_SIGN_IN else []
        made = [_invite(actor, person) for person in invited]
    return _send(made, actor=actor)


def _add_person(
    actor: models.User, *, username: str, name: str, email: str, role: Group | None, is_service: bool = False
) -> models.User:
    """Without a role as an administrator."""
    person = models.User(username=username, first_name=name, email=email, is_superuser=role is None)
    person.is_service = is_service
    _refuse_service(person)
    person.set_unusable_password()
    groups = _lock_groups(role)
    try:
        with transaction.atomic():
            person.save()
    except IntegrityError:
        raise NotPossible(_("Somebody has this name already.")) from None
    person.groups.set(groups)
    membership.record_addition(actor=actor, target=person)
    return person


def _refuse_service(person: models.User) -> None:
    if person.is_service and person.is_superuser:
        raise NotPossible(_("A service account can't be an administrator."))


def _lock_groups(group: Group | None) -> list[Group]:
    """The groups of the role: an administrator's where there is no group. Locked, none is deleted before this ends."""
    named = Group.objects.filter(pk=group.pk) if group else Group.objects.filter(name__in=["Members", "Operators"])
    groups = list(named.select_for_update().order_by("pk"))
    if group and not groups:
        raise GroupGone(_("This role no longer exists. Choose another."))
    return groups


@transaction.atomic
def change_details(*, actor: models.User, person: models.User, name: str, email: str) -> None:
    stored = _lock_person(actor, person)
    before = membership.describe(target=stored)
    stored.first_name, stored.last_name, stored.email = name, "", email
    stored.save(update_fields=["first_name", "last_name", "email"])
    membership.record_change(actor=actor, target=stored, before=before)


@transaction.atomic
def change_role(*, actor: models.User, person: models.User, group: Group | None) -> None:
    """Have the person be in this group alone, or without one an administrator."""
    stored = _lock_person(actor, person)
    if stored.pk == actor.pk:
        raise NotPossible(_("You can't change your own role. Another administrator can."))
    if issuer := find_role_issuer(person=stored):
        raise NotPossible(_("%(name)s decides which role this person has.") % {"name": issuer})
    groups, before = _lock_groups(group), membership.describe(target=stored)
    stored.is_superuser = group is None
    _refuse_service(stored)
    stored.save(update_fields=["is_superuser"])
    stored.groups.set(groups)
    stored.user_permissions.clear()
    membership.record_change(actor=actor, target=stored, before=before)


def find_role_issuer(*, person: models.User) -> str:
    """The identity provider whose groups are the person's roles; empty without one."""
    rows = person.socialaccount_set.all() if settings.PORTAL_OIDC else ()  # type: ignore[attr-defined]  # allauth's
    issuers = [settings.PORTAL_OIDC[row.provider] for row in rows if row.provider in settings.PORTAL_OIDC]
    return next((issuer.label for issuer in issuers if issuer.roles), "")


def make_link(*, actor: models.User, person: models.User) -> Invitation:
    """A new link for somebody, which replaces any earlier one. Until it is used nothing else changes for them."""
    with transaction.atomic():
        stored = _lock_person(actor, person)
        if not stored.is_active:
            raise NotPossible(_("This account is deactivated. Activate it first."))
        if stored.is_service:
            raise NotPossible(_("A service account never signs in. Make a token for it."))
        if not settings.PORTAL_PASSWORD_SIGN_IN:
            raise NotPossible(_("People sign in by an identity provider alone here."))
        made = _invite(actor, stored)
    return _send([made], actor=actor)[0]


def _invite(actor: models.User | None, person: models.User) -> Invitation:
    link = links.create_link(person=person, lifetime=RESET_LIFETIME if person.has_usable_password() else LIFETIME)
    detail = {"valid_until": link.valid_until.isoformat(timespec="seconds"), "by_mail": mail.can_reach(person=person)}
    audit.record(Verb.MAKE_LINK, person, by=actor, detail=detail, rows=())
    return Invitation(person=person, link=link)


def _send(made: Sequence[Invitation], *, actor: models.User | None, patience: float = 0.0) -> list[Invitation]:
    """Mail the links, which are stored, to those who can be reached; what fails is an event."""
    reachable = [one for one in made if mail.can_reach(person=one.person)]
    mails = [mail.write_link(person=one.person, link=one.link, actor=actor) for one in reachable]
    outcomes = zip(reachable, mail.send(mails=mails, patience=patience), strict=True)
    sent = [replace(one, mailed=outcome) for one, outcome in outcomes]
    with transaction.atomic(), audit.collect_events():
        for one in sent:
            if one.failure and (actor or (one.mailed and one.mailed.is_tried)):
                audit.record(Verb.MAIL_FAILED, one.person, detail={"why": one.failure}, rows=())
    return [*sent, *(one for one in made if not mail.can_reach(person=one.person))]


@transaction.atomic
def ask_for_link(*, name: str) -> None:
    """Have a worker mail a link to whoever has this username or e-mail address, and a password.

    The same is done where nobody has, so that it takes as long; and whoever was sent one just now gets no other.
    """
    named = models.User.objects.filter(Q(username=name) | Q(email__iexact=name))
    recent = Q(sign_in_link__valid_until__gt=Now() + (RESET_LIFETIME - _BETWEEN_MAILS))
    named.filter(_MAY_ASK).exclude(recent).update(link_asked_at=Now())
    for target in (*named,) or ("a name that nobody has",):
        audit.record(Verb.ASK_LINK, target, rows=())


def send_asked() -> None:
    """Mail links to those who asked for one. Whom a worker that dies had in hand is sent another."""
    asked = models.User.objects.filter(link_asked_at__isnull=False).order_by("link_asked_at")[:_AT_ONCE]
    if not (numbers := [person.pk for person in asked]) or not database_moved.may_tell():
        return
    with leases.transaction():
        people = models.User.objects.select_for_update().filter(_MAY_ASK, pk__in=numbers).order_by("pk")
        made = [_invite(None, person) for person in people]
    sent = _send(made, actor=None, patience=mail.PATIENCE)
    refused = [one for one in sent if one.mailed and one.mailed.is_refused]
    waiting = [one.person.pk for one in sent if one.mailed and not one.mailed.is_tried]
    with leases.transaction():
        for one in refused:  # nobody has the link, and another may be asked for
            models.SignInLink.objects.filter(person=one.person, valid_until=one.link.valid_until).delete()
        models.User.objects.filter(pk__in={*numbers} - {*waiting}).update(link_asked_at=None)


def list_unsent(*, since: datetime) -> list[str]:
    """To whom mail could not be sent since then, by their names."""
    events = models.Event.objects.filter(verb=Verb.MAIL_FAILED, at__gt=since)
    return sorted({target.removeprefix("user ") for target in events.values_list("target", flat=True)})


@transaction.atomic
def make_emergency_link(*, person: models.User, system_user: str) -> links.NewLink:
    """A link by a command, for when nothing else lets somebody in; `system_user` called that."""
    link = links.create_link(person=person, lifetime=links.SETUP_LIFETIME)
    audit.record(Verb.MAKE_LINK, person, detail={"command": "sign_in_link", "system_user": system_user}, rows=())
    return link


@transaction.atomic
def set_active(*, actor: models.User, person: models.User, is_active: bool) -> None:
    """Lock somebody out, or let them in again. Nobody locks out themselves, so that one administrator always stays."""
    stored = _lock_person(actor, person)
    if stored.pk == actor.pk:
        raise NotPossible(_("You can't deactivate your own account. Another administrator can."))
    before = membership.describe(target=stored)
    stored.is_active = is_active
    stored.save(update_fields=["is_active"])
    membership.record_change(actor=actor, target=stored, before=before)


def _lock_person(actor: models.User, person: models.User) -> models.User:
    """The person as stored, locked with the actor: two administrators who lock out each other do so in turn."""
    rows = models.User.objects.select_for_update().filter(pk__in={actor.pk, person.pk}).order_by("pk")
    stored = {row.pk: row for row in rows}
    if not (stored[actor.pk].is_active and stored[actor.pk].is_superuser):
        raise PermissionDenied
    return stored[person.pk]


def find_invited(*, token: str) -> models.User:
    """Who may choose a password with the link now. Raises LinkNotValid."""
    person = links.find_link(token=token).person
    if person is None or not person.is_active or person.is_service:
        raise links.LinkNotValid
    return person


def use_link(*, token: str, password: str, all_tokens: bool = False) -> models.User:
    """Give the person this password, which was checked; what was open elsewhere ends. Raises LinkNotValid."""
    person, encoded = find_invited(token=token), make_password(password)
    with transaction.atomic():
        models.User.objects.select_for_update().get(pk=person.pk)
        find_invited(token=token)  # another may have used it while this one waited
        stored = sessions.store_password(person=person, encoded=encoded, by=person, all_tokens=all_tokens)
        audit.record(Verb.USE_LINK, stored, by=stored)
    return stored
