"""The hold: the team-wide pause of the key."""

from datetime import datetime, timedelta

from django.db import transaction

from portal import failures, models
from portal.services import audit, clock, wake


class NotHeld(Exception):
    """The key is not held, so there is nothing to resume."""


def get_key(*, account: models.Account) -> models.Key:
    """The key's state, to be looked at."""
    return models.Key.objects.select_related("account").get(account=account)


def lock_key(*, account: models.Account) -> models.Key:
    """The key's row, locked until the transaction ends. Always the first lock that a transaction takes."""
    return models.Key.objects.select_for_update().get(account=account)


def may_send(*, key: models.Key, now: datetime) -> bool:
    """Whether requests may go out with the locked key; ends a hold whose time has come."""
    if key.is_held and key.held_until is not None and key.held_until <= now:
        _open_key(key=key, actor=None, now=now)
    return not key.is_held


def hold_key(*, key: models.Key, failure: failures.Failure, now: datetime, seconds: float | None) -> bool:
    """Hold the locked key, for some seconds or (None) until an operator resumes it. True where this call stopped it.

    A timed hold never replaces an operator's, nor an earlier end a later one.
    """
    until = None if seconds is None else now + timedelta(seconds=seconds)
    was_open = not key.is_held
    if not was_open and (key.held_until is None or (until is not None and until <= key.held_until)):
        return False
    key.state, key.cause, key.held_until = models.Key.State.HELD, failure.code, until
    key.held_at = key.held_at or now
    key.save(update_fields=["state", "cause", "held_at", "held_until"])
    audit.record_event(
        actor=None,
        verb="hold",
        target=key,
        detail={"cause": failure.code, "until": until.isoformat() if until else None},
    )
    return was_open


@transaction.atomic
def resume_key(*, actor: models.User, account: models.Account) -> None:
    """End a hold. Raises NotHeld where there is none (somebody else was faster)."""
    key = lock_key(account=account)
    if not key.is_held:
        raise NotHeld("The key is not held any more: somebody has resumed it already.")
    _open_key(key=key, actor=actor, now=clock.read_clock(account=account))
    wake.wake_workers()


def _open_key(*, key: models.Key, actor: models.User | None, now: datetime) -> None:
    if key.held_at is not None:
        key.held_seconds += (now - key.held_at).total_seconds()
    detail = {"cause": key.cause}
    key.state, key.cause, key.held_at, key.held_until = models.Key.State.OPEN, "", None, None
    key.save(update_fields=["state", "cause", "held_at", "held_until", "held_seconds"])
    audit.record_event(actor=actor, verb="resume", target=key, detail=detail)
