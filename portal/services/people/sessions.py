"""Who came, who was turned away, who left: signing in and out, how long that lasts, and passwords."""

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.backends.base import SessionBase
from django.db import DatabaseError, transaction
from django.utils import timezone

from portal import models
from portal.db import describe_failure
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.limits import throttle
from portal.services.runtime import leases
from portal.services.tokens import tokens

logger = logging.getLogger(__name__)

_IDLE, _IDLE_FOR_ALL = timedelta(hours=4), timedelta(minutes=30)  # the latter where everybody's requests are seen
_NOTED_EVERY = timedelta(minutes=1)
_PROVED_FOR = 10 * 60  # seconds


@transaction.atomic
def record_sign_in(*, person: models.User, **how: object) -> None:
    """Record a sign-in and how it was done."""
    audit.record(Verb.SIGN_IN, person, by=person, detail={name: value for name, value in how.items() if value}, rows=())


def record_rehash(*, person: models.User) -> None:
    """Note that Django has hashed a password anew that was typed, where it has, because its way of hashing changed."""
    if (person.stored or {}).get("password", person.password) == person.password:
        return
    with transaction.atomic():
        audit.record(Verb.CHANGE_PASSWORD, person, by=person, detail={"hashed_anew": True}, rows=[person])


def begin_session(*, session: SessionBase, address: str, browser: str) -> None:
    """Note where and when it began, for its owner; it ends by itself, however much is done in it."""
    now = int(time.time())
    session.update({"address": address, "browser": browser[:200], "began": now, "proved": now})
    session.set_expiry(timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE))


def is_idle(*, seen_at: datetime | None, person: models.User) -> bool:
    """Whether a session has ended because nothing was done: for 4 hours, or 30 minutes with the right to see
    everything.
    """
    idle = timezone.now() - (seen_at or timezone.now())
    if idle <= _IDLE_FOR_ALL:
        return False
    return idle > _IDLE or person.has_perm("portal.see_all")


def note_activity(*, key: str, seen_at: datetime | None) -> None:
    """Note that the owner of a session, named as in the table, does something: once a minute is enough.

    A clock that was ahead is set right. Where the database takes nothing, a page can be read all the same.
    """
    now = timezone.now()
    if seen_at is None or not timedelta(0) <= now - seen_at < _NOTED_EVERY:
        try:
            models.Session.objects.filter(session_key=key).update(seen_at=now)
        except DatabaseError as error:
            logger.warning("%s Nobody's activity is noted.", describe_failure(error))


def has_proved(*, session: SessionBase) -> bool:
    """Whether the password was typed so lately that nobody else sits there now."""
    age: float = time.time() - session.get("proved", 0)
    return 0 <= age < _PROVED_FOR


def note_proof(*, session: SessionBase) -> None:
    """Note in the session that its owner has proved who they are just now."""
    session["proved"] = int(time.time())


def list_sessions(*, person: models.User) -> Sequence[models.Session]:
    """Where the person is signed in, the newest first; without those that a new password has ended."""
    rows = models.Session.objects.filter(user=person, expire_date__gt=timezone.now()).order_by("-began_at")
    valid = person.get_session_auth_hash()
    return [row for row in rows if row.get_decoded().get("_auth_user_hash") == valid]


@transaction.atomic
def end_sessions(
    *,
    person: models.User,
    by: models.User | None,
    chosen: Sequence[str] | None,
    everywhere: bool = False,
    all_tokens: bool = False,
) -> int:
    """Sign the person out of these browsers, named as in the table, or with None of all; returns of how many.

    `everywhere`, and None, end the tokens of `wsp login` too, or all. Without `by` the portal itself does."""
    rows = models.Session.objects.filter(user=person)
    if chosen is not None:
        rows = rows.filter(session_key__in=chosen)
    if chosen is None or everywhere:
        tokens.end_tokens(person=person, by=by, all_=all_tokens)
    ended = list(rows)
    rows.delete()
    if ended:
        detail = {"browsers": [f"{row.address} {row.browser}".strip() for row in ended]}
        audit.record(Verb.END_SESSIONS, person, by=by, detail=detail, rows=())
    return len(ended)


@leases.transaction()
def prune_sessions() -> None:
    """Delete sessions that are over, and what was counted against guessing a day ago; record failures that are left."""
    models.Session.objects.filter(expire_date__lt=Now()).delete()
    models.CacheEntry.objects.filter(expires__lt=Now()).delete()
    throttle.prune_limits()


@transaction.atomic
def record_sign_out(*, person: models.User) -> None:
    """Record that the person has signed out."""
    audit.record(Verb.SIGN_OUT, person, by=person, rows=())


@transaction.atomic
def change_password(*, person: models.User, password: str, all_tokens: bool = False) -> models.User:
    """Give the person another password, which they chose and which was checked; the person as stored then."""
    stored = store_password(person=person, encoded=make_password(password), by=person, all_tokens=all_tokens)
    audit.record(Verb.CHANGE_PASSWORD, stored, by=stored)
    return stored


@transaction.atomic
def set_password(*, person: models.User, password: str, system_user: str) -> None:
    """Give the person this password, which was checked, by a command; `system_user` called that."""
    stored = store_password(person=person, encoded=make_password(password), by=None)
    detail = {"command": "changepassword", "system_user": system_user}
    audit.record(Verb.CHANGE_PASSWORD, stored, detail=detail)


def store_password(
    *, person: models.User, encoded: str, by: models.User | None, all_tokens: bool = False
) -> models.User:
    """Store a hashed password for an event of the caller's. A sign-in link that is open ends with the former one, as do
    tokens that `wsp login` got, or all.

    The person is read anew: what a page has of whoever is signed in does not know which columns changed.
    """
    stored = models.User.objects.select_for_update().get(pk=person.pk)
    stored.password = encoded
    stored.save(update_fields=["password"])
    models.SignInLink.objects.filter(person=stored).delete()
    tokens.end_tokens(person=stored, by=by, all_=all_tokens)
    return stored
