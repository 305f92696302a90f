"""People whom an administrator lets in: each chooses a password by a one-time link, and nobody else knows it."""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal import models
from portal.models.event import Verb
from portal.services import audit
from portal.services.people import links, membership, sessions

LIFETIME = timedelta(hours=72)


class NotPossible(Exception):
    """It cannot be done; the message is fit for the person."""


class GroupGone(NotPossible):
    """Somebody has deleted the group."""


@dataclass(frozen=True, kw_only=True)
class Invitation:
    person: models.User
    link: links.NewLink


@transaction.atomic
def add_person(
    *, actor: models.User, username: str, group: Group | None, name: str = "", email: str = ""
) -> Invitation:
    """Add somebody to the group, or without one as an administrator; with a link, and without a password."""
    person = models.User(username=username, first_name=name, email=email, is_superuser=group is None)
    person.set_unusable_password()
    groups = _lock_groups(group)
    try:
        with transaction.atomic():
            person.save()
    except IntegrityError:
        raise NotPossible(_("Somebody has this name already.")) from None
    person.groups.set(groups)
    membership.record_addition(actor=actor, target=person)
    return _invite(actor, person)


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
    groups, before = _lock_groups(group), membership.describe(target=stored)
    stored.is_superuser = group is None
    stored.save(update_fields=["is_superuser"])
    stored.groups.set(groups)
    stored.user_permissions.clear()
    membership.record_change(actor=actor, target=stored, before=before)


@transaction.atomic
def make_link(*, actor: models.User, person: models.User) -> Invitation:
    """A new link for somebody, which replaces any earlier one. Until it is used nothing else changes for them."""
    stored = _lock_person(actor, person)
    if not stored.is_active:
        raise NotPossible(_("This account is deactivated. Activate it first."))
    return _invite(actor, stored)


def _invite(actor: models.User, person: models.User) -> Invitation:
    link = links.create_link(person=person, lifetime=LIFETIME)
    detail = {"valid_until": link.valid_until.isoformat(timespec="seconds")}
    audit.record(Verb.MAKE_LINK, person, by=actor, detail=detail, rows=())
    return Invitation(person=person, link=link)


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
    if person is None or not person.is_active:
        raise links.LinkNotValid
    return person


def use_link(*, token: str, password: str) -> models.User:
    """Give the person this password, which was checked; what was open elsewhere ends. Raises LinkNotValid."""
    person, encoded = find_invited(token=token), make_password(password)
    with transaction.atomic():
        models.User.objects.select_for_update().get(pk=person.pk)
        find_invited(token=token)  # another may have used it while this one waited
        stored = sessions.store_password(person=person, encoded=encoded)
        audit.record(Verb.USE_LINK, stored, by=stored)
    return stored
