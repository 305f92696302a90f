"""Who may do what: what an administrator changes about people and groups, for the audit log."""

import getpass
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import Group, UserManager
from django.db import transaction

from portal import models
from portal.models.event import Verb
from portal.services import audit

type State = dict[str, object]


def describe(*, target: models.User | Group) -> State:
    """What of a person or group is audited, as an event has it."""
    if isinstance(target, Group):
        return {"name": target.name, "permissions": _list_permissions(target.permissions)}
    person = models.User.objects.get(pk=target.pk)
    names = (
        *("username", "first_name", "last_name", "email", "is_active"),
        *("is_staff", "is_superuser", "is_service", "password"),
    )
    return {name: getattr(person, name) for name in names} | {
        "groups": sorted(person.groups.values_list("name", flat=True)),
        "permissions": _list_permissions(person.user_permissions),
    }


def _list_permissions(permissions: object) -> list[str]:
    rows = permissions.values_list("content_type__app_label", "codename")  # type: ignore[attr-defined]
    return sorted(f"{app}.{codename}" for app, codename in rows)


@transaction.atomic
def record_addition(*, actor: models.User | None, target: models.User | Group) -> None:
    """Record that a person or group was added."""
    _record_new(Verb(f"add-{_name(target)}"), target, by=actor)


def _record_new(verb: Verb, target: models.User | Group, *, by: models.User | None = None, **detail: object) -> None:
    after = describe(target=target)
    lists = _list_changes(before={}, after=after)
    audit.record(verb, target, by=by, detail={**detail, "after": _hide(after)}, lists=lists)


@transaction.atomic
def record_set_up(*, person: models.User) -> None:
    """Note the first administrator, who has set the portal up."""
    _record_new(Verb.SET_UP, person, by=person)


def describe_groups() -> dict[int, State]:
    """Each group as an event has it, by id."""
    return {group.pk: describe(target=group) for group in Group.objects.all()}


@transaction.atomic
def record_migration(*, before: Mapping[int, State]) -> None:
    """Record what a migration has changed of groups, by nobody."""
    for group in Group.objects.filter(pk__in=before).order_by("pk"):
        record_change(actor=None, target=group, before=before[group.pk])


@transaction.atomic
def record_change(*, actor: models.User | None, target: models.User | Group, before: State) -> None:
    """Note what an administrator (or, without one, a migration) has changed; nothing where nothing was."""
    after = describe(target=target)
    changed = [name for name in after if after[name] != before.get(name)]
    if not changed:
        return
    detail = {
        "before": _hide({name: before.get(name) for name in changed}),
        "after": _hide({name: after[name] for name in changed}),
    }
    lists = _list_changes(before=before, after=after)
    audit.record(Verb(f"change-{_name(target)}"), target, by=actor, detail=detail, lists=lists)
    if isinstance(target, Group) and "name" in changed:
        # The log knows the groups of its members by their names.
        for person in target.user_set.order_by("pk"):
            state = describe(target=person)
            names = {*state["groups"], str(before.get("name"))} - {target.name}  # type: ignore[misc]
            record_change(actor=actor, target=person, before=state | {"groups": sorted(names)})
    if after.get("is_active") is False:  # whoever is let in again later signs in again
        models.Session.objects.filter(user_id=target.pk).delete()
    has_moved = "email" in changed and before.get("email")  # a link may have been mailed to the former address
    if has_moved or "password" in changed or after.get("is_active") is False:
        models.SignInLink.objects.filter(person_id=target.pk).delete()


@transaction.atomic
def record_deletion(*, actor: models.User, target: Group) -> None:
    """Note that a group goes, with what it allowed, and who loses that; nothing where another has just deleted it."""
    # Locked, nobody is added to it before this ends.
    if Group.objects.select_for_update().filter(pk=target.pk).first() is None:
        return
    before = describe(target=target)
    members = [(person, describe(target=person)) for person in target.user_set.order_by("pk")]
    target.user_set.clear()
    for person, state in members:
        record_change(actor=actor, target=person, before=state)
    audit.record(Verb.DELETE_GROUP, target, by=actor, detail={"before": before}, rows=(), gone=[target])


def _list_changes(*, before: Mapping[str, object], after: State) -> dict[str, tuple[object, object]]:
    """What the instance does not know of itself: a group's former name, and whom or what it is linked with."""
    names = ("groups", "permissions") if "username" in after else ("name", "permissions")
    return {name: (before.get(name), after[name]) for name in names}


def _hide(state: State) -> State:
    return state | ({"password": "not shown"} if "password" in state else {})


def _name(target: models.User | Group) -> str:
    return "group" if isinstance(target, Group) else "person"


class People(UserManager[models.User]):
    """Django's manager of them, which `manage.py createsuperuser` has make one, past the set-up: with its event."""

    use_in_migrations = False

    @transaction.atomic
    def create_superuser(self, *args: Any, **values: Any) -> models.User:
        person = super().create_superuser(*args, **values)
        _record_new(Verb.ADD_PERSON, person, command="createsuperuser", system_user=getpass.getuser())
        return person


models.User.add_to_class("objects", People())
