"""What may differ from one look at a page to the next: the key, the worker, the administrator."""

import time
from datetime import timedelta

from allauth.idp.oidc.internal.oauthlib import device_codes
from allauth.idp.oidc.models import Client
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from portal import models
from portal.accounts import devices
from portal.db.connection import execute
from portal.models.clock import Now
from portal.services.key import accounts
from portal.services.people import invitations, links
from portal.services.reconciliation import completeness
from portal.web.sessionstore import SessionStore

_SESSIONS, _AWAY = "portal_session", "portal_session_away"


def set_scene(name: str) -> dict[str, str]:
    """Put everything back to an active key, then change what the scene is about; gives what a path may need."""
    _set_active()
    kind, _, cause = name.partition(" ")
    return _SCENES[kind](cause) or {}


def _set_active() -> None:
    if _AWAY in connection.introspection.table_names():
        _rename_table(_AWAY, _SESSIONS)
    models.User.objects.filter(username="root").update(is_active=True)
    _confirm_everybody()
    models.Worker.objects.update_or_create(name="desk:4711", defaults={"seen_at": timezone.now() + timedelta(days=1)})
    # Its id is in addresses that were listed at the start.
    models.Key.objects.get_or_create(account=accounts.get_current_account(), defaults={"pk": 1})
    _change_key(state="ACTIVE", cause="", paused_at=None, paused_until=None, operator_only=False)
    models.Credential.objects.asked().delete()
    models.Database.objects.update(doubt="", doubted_at=None)
    models.Account.objects.update(shared_at=None)
    models.Scan.objects.filter(problem=completeness.STILL_ACTIVE).delete()
    models.Workstation.objects.filter(is_nameless=True).update(is_nameless=False)
    mira = models.User.objects.filter(username="mira").first()
    models.Workspace.objects.filter(is_contested=True).update(is_contested=False, owner=mira)
    models.Limit.objects.all().delete()
    _limit("0")
    for check in models.LogCheck.objects.all():
        check.findings, check.counts["findings"], check.asked_at, check.asked_by = [], 0, None, None
        check.save()


def _confirm_everybody() -> None:
    """Let everybody have typed the password just now, as whoever changes something about people has."""
    for row in models.Session.objects.all():
        row.session_data, row.seen_at = SessionStore().encode({**row.get_decoded(), "proved": time.time()}), Now()
        row.save(update_fields=["session_data", "seen_at"])


def _change_key(**values: object) -> None:
    models.Key.objects.filter(account=accounts.get_current_account()).update(**values)


def _pause(cause: str) -> None:
    now = timezone.now().replace(microsecond=0)
    until = now + timedelta(hours=1) if cause == "503" else None
    values = {"paused_at": now, "paused_until": until, "pause_seconds": 3600 if until else 0}
    _change_key(state="PAUSED", cause=cause, operator_only=until is None, **values)
    if cause == models.NEW_KEY:
        models.Credential.objects.create(
            account=accounts.get_current_account(),
            fingerprint="5b1c0f7a93d2e864",
            base_url="https://api.agentstation.ai/v1",
            seen_at=now,
            seen_on="desk:4712",
        )
    if cause == models.DATABASE_MOVED:
        models.Database.objects.update(doubt="place", doubted_at=now)


def _limit(most: str) -> None:
    models.Policy(pk=1, running_per_person=int(most), running=50 * int(most)).save()
    models.User.objects.filter(username="mira").update(running_limit=3 if int(most) else None)


def _share(_: str) -> None:
    """Others use the key, too."""
    models.Account.objects.update(shared_at=timezone.now())


def _doubt(_: str) -> None:
    """Lists that leave out what runs and have an ID that cannot be kept; a workspace that two people were given."""
    begun_at = timezone.now() + timedelta(days=1)
    models.Scan.objects.create(
        account=accounts.get_current_account(), begun_at=begun_at, ended_at=begun_at, problem=completeness.STILL_ACTIVE
    )
    orphan = models.Workstation.objects.orphans().filter(made_for=None).latest("pk")
    models.Workstation.objects.filter(pk=orphan.pk).update(is_nameless=True)
    own = models.Workspace.objects.filter(owner__username="mira", workstations__isnull=False)
    models.Workspace.objects.filter(pk__in=own.values("pk")).update(is_contested=True, owner=None)


def _resume(cause: str) -> None:
    _change_key(state="RESUMING", cause=cause)


def _stop_worker(_: str) -> None:
    models.Worker.objects.update(seen_at=timezone.now() - timedelta(days=1))


def _set_up(_: str) -> dict[str, str]:
    """No administrator yet: the set-up link works."""
    models.User.objects.filter(username="root").update(is_active=False)
    return {"token": links.create_setup_link() or ""}


def _invite(_: str) -> dict[str, str]:
    """Somebody who has not chosen a password yet."""
    person, _is_new = models.User.objects.get_or_create(username="ida", defaults={"password": make_password(None)})
    person.groups.set(Group.objects.filter(name="Members"))
    root = models.User.objects.get(username="root")
    invitations.set_active(actor=root, person=person, is_active=True)
    return {"token": invitations.make_link(actor=root, person=person).token, "number": str(person.pk)}


def _add_service(_: str) -> dict[str, str]:
    person, _is_new = models.User.objects.get_or_create(
        username="nightly", defaults={"password": make_password(None), "is_service": True}
    )
    person.groups.set(Group.objects.filter(name="Members"))
    return {"number": str(person.pk)}


def _ask_code(_: str) -> None:
    """Somebody has begun `wsp login`."""
    Client.objects.get_or_create(pk="wsp", defaults=devices.CLIENT)
    codes = {"user_code": "BCDF-GHJK", "device_code": "one", "expires_in": 600, "interval": 5}
    device_codes.create("wsp", [], codes, resources=None)
    asked = cache.get(device_codes.cache_device_code_key("one"))
    more = {"name": "wsp on a-laptop-with-a-name-longer-than-most-have", "address": "203.0.113.9"}
    device_codes.update_device_state("one", asked | more)


def _change_row(_: str) -> None:
    """The check of the night has found changed rows, and somebody has asked for another."""
    check = models.LogCheck.objects.get()
    check.findings = [f'Request R-{number} has type "max": event {40 + number} left "python".' for number in range(100)]
    check.findings[1] = f"Event 4711 was removed; it was of 2026-01-01 00:00:00.000000 UTC: {'x' * 300}"
    check.counts["findings"] = 1_204
    check.asked_at, check.asked_by = timezone.now(), models.User.objects.get(username="olga")
    check.save()


def _break(_: str) -> None:
    """A row that every page needs is gone: a fault that no code foresees."""
    models.Key.objects.all().delete()


def _take_away(_: str) -> None:
    """A table that every page asks cannot be read, as when the database is away."""
    _rename_table(_SESSIONS, _AWAY)


def _rename_table(name: str, other: str) -> None:
    execute(f"ALTER TABLE {name} RENAME TO {other}")


_SCENES = {
    "active": lambda _: None,
    "paused": _pause,
    "resuming": _resume,
    "limited": _limit,
    "shared": _share,
    "doubtful": _doubt,
    "no-worker": _stop_worker,
    "set-up": _set_up,
    "invited": _invite,
    "service": _add_service,
    "device": _ask_code,
    "not-intact": _change_row,
    "broken": _break,
    "away": _take_away,
}
