"""People whom an administrator lets in: each chooses a password by a one-time link, and nobody else knows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
_REACHED = Q(is_active=True) & ~Q(email="")  # by a link in a mail


class NotPossible(Exception):
    """It cannot be done; the message is fit for the person."""


class GroupGone(NotPossible):
    """Somebody has deleted the group."""


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """Somebody who is let in by a link: that one, or without a token one that a worker mails."""

    person: models.User
    token: str = field(default="", repr=False)
    valid_until: datetime | None = None


@transaction.atomic
def add_people(*, actor: models.User, people: Sequence[Mapping[str, Any]]) -> list[Invitation]:
    """Add all of them or nobody, each to the group of their role; without a password, and with a link to choose one.

    Returns whom that lets in: nobody where passwords don't.
    """
    added = [_add_person(actor, **values) for values in people]
    invited = [person for person in added if not person.is_service] if settings.PORTAL_PASSWORD_SIGN_IN else []
    return [_invite(actor, person, by_mail=True) for person in invited]


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
    """Change the name and the address of a person, with an event."""
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


@transaction.atomic
def make_link(*, actor: models.User, person: models.User, by_mail: bool = False) -> Invitation:
    """A new link for somebody, which replaces any earlier one; `by_mail`: to be mailed, where that reaches them. Until
    it is used nothing else changes for them."""
    stored = _lock_person(actor, person)
    if not stored.is_active:
        raise NotPossible(_("This account is deactivated. Activate it first."))
    if stored.is_service:
        raise NotPossible(_("A service account never signs in. Make a token for it."))
    if not settings.PORTAL_PASSWORD_SIGN_IN:
        raise NotPossible(_("People sign in by an identity provider alone here."))
    return _invite(actor, stored, by_mail=by_mail)


def _invite(actor: models.User, person: models.User, *, by_mail: bool) -> Invitation:
    is_mailed = by_mail and mail.can_reach(person=person)
    # One that is shown is not replaced by one that was to be mailed.
    models.User.objects.filter(pk=person.pk).update(link_asked_at=Now() if is_mailed else None)
    if is_mailed:
        audit.record(Verb.ASK_LINK, person, by=actor, rows=())
        return Invitation(person=person)
    return Invitation(person=person, **vars(_create_link(actor, person, by_mail=False)))


def _create_link(actor: models.User | None, person: models.User, *, by_mail: bool) -> links.NewLink:
    link = links.create_link(person=person, lifetime=RESET_LIFETIME if person.has_usable_password() else LIFETIME)
    detail = {"valid_until": link.valid_until.isoformat(timespec="seconds"), "by_mail": by_mail}
    audit.record(Verb.MAKE_LINK, person, by=actor, detail=detail, rows=())
    return link


@transaction.atomic
def ask_for_link(*, name: str) -> None:
    """Have a worker mail a link to whoever has this username or e-mail address, and a password.

    The same is done where nobody has, so that it takes as long; and whoever was sent one just now gets no other.
    """
    named = models.User.objects.filter(Q(username=name) | Q(email__iexact=name))
    without, recent = Q(password__startswith=UNUSABLE_PASSWORD_PREFIX), Now() + (RESET_LIFETIME - _BETWEEN_MAILS)
    asking = named.filter(_REACHED).exclude(without | Q(sign_in_link__valid_until__gt=recent))
    asking.update(link_asked_at=Now())
    for target in (*named,) or ("a name that nobody has",):
        audit.record(Verb.ASK_LINK, target, rows=())


def send_asked() -> None:
    """Mail links to those for whom one is asked. Whom a worker that dies had in hand is sent another, and so is who was
    not tried; what fails is an event."""
    asked, made = models.User.objects.filter(link_asked_at__isnull=False), []
    if not (asked.exists() and database_moved.may_tell()):
        return
    with leases.transaction():
        asked.exclude(_REACHED).update(link_asked_at=None)
        for person in asked.select_for_update().order_by("pk")[:_AT_ONCE]:
            actor = _find_asker(person)
            link = _create_link(actor, person, by_mail=True)
            made.append((person, link, mail.write_link(person=person, link=link, actor=actor)))
    outcomes = mail.send(mails=[one for *_, one in made])
    with leases.transaction(), audit.collect_events():
        for (person, link, _mail), outcome in zip(made, outcomes, strict=False):
            # What was asked for meanwhile stays.
            models.User.objects.filter(pk=person.pk, link_asked_at=person.link_asked_at).update(link_asked_at=None)
            if outcome.is_refused:  # nobody has the link, and another may be asked for
                models.SignInLink.objects.filter(person=person, valid_until=link.valid_until).delete()
            if outcome.failure:
                detail = {"why": outcome.failure, "refused": outcome.is_refused}
                audit.record(Verb.MAIL_FAILED, person, detail=detail, rows=())


def _find_asker(person: models.User) -> models.User | None:
    """The administrator who asked; nobody, where somebody did who was not signed in."""
    asked = models.Event.objects.filter(target=models.name_target(person), verb=Verb.ASK_LINK)
    return models.User.objects.filter(pk__in=asked.filter(at__gte=person.link_asked_at).values("actor_id")).first()


def find_mailing(*, person: models.User) -> models.Event | None:
    """The last event of a link of the person: its detail says whether that was mailed, and why it could not be."""
    events = models.Event.objects.filter(verb__in=(Verb.MAKE_LINK, Verb.MAIL_FAILED))
    return events.filter(target=models.name_target(person)).order_by("-pk").first()


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
