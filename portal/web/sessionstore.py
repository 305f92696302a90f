"""Where sessions are kept: Django's table of them, with keys hashed and with what their owners are shown."""

import hashlib
from datetime import UTC, datetime
from typing import Any, cast

from django.contrib.sessions.backends import db
from django.db.models import CharField, DateTimeField, Exists, IntegerField, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from portal import models
from portal.models.compiled import compiled
from portal.services.runtime import workers

_UNREAD = """SELECT COUNT(*) FROM (
    SELECT 1 FROM portal_notification WHERE person_id = portal_session.user_id AND read_at IS NULL LIMIT 100
) AS unread"""


def hash_key(key: str) -> str:
    """What stands in the table for a session's key. The key is random and long: its hash reveals nothing of it."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


class SessionStore(db.SessionStore):
    """Django's, but for what it calls a key in the table. `seen_at`: when its owner last did something.

    `person`: whom the table has it for, read with it. That is a hint: what is signed says who is signed in.
    What every page shows is read with it, too: how many notifications are `unread`, at most 100, and whether a worker
    `is_working`.
    """

    seen_at: datetime | None = None
    person: models.User | None = None
    unread, is_working = 0, True

    @classmethod
    def get_model_class(cls) -> type[models.Session]:
        return models.Session

    def _get_session_from_db(self) -> models.Session | None:
        if self.session_key is not None:
            for row in _read_session(key=hash_key(self.session_key), now=timezone.now()):
                self.seen_at, self.person = row.seen_at, row.user
                self.unread, self.is_working = row.unread, row.is_working  # type: ignore[attr-defined]
                return row
        self._session_key = None
        return None

    def exists(self, session_key: str) -> bool:
        return super().exists(hash_key(session_key))

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            models.Session.objects.filter(session_key=hash_key(key)).delete()

    def load(self) -> dict[str, Any]:
        """Nothing where what is stored is another session's: what is signed would count under each key otherwise."""
        data: dict[str, Any] = super().load()
        if data and data.pop("key", None) != hash_key(self.session_key or ""):
            self._session_key = None
            return {}
        return data

    def create_model_instance(self, data: dict[str, Any]) -> models.Session:
        own = {"key": hash_key(self._get_or_create_session_key())}  # type: ignore[attr-defined]
        row = cast(models.Session, super().create_model_instance(data | own))
        row.session_key = hash_key(row.session_key)
        row.user_id = data.get("_auth_user_id")
        row.address, row.browser = data.get("address", ""), data.get("browser", "")
        row.began_at = datetime.fromtimestamp(data["began"], UTC) if "began" in data else None
        row.seen_at = self.seen_at or timezone.now()
        return row


@compiled(key=CharField(), now=DateTimeField())
def _read_session(*, key: str, now: datetime) -> QuerySet[models.Session]:
    rows = models.Session.objects.filter(session_key=key, expire_date__gt=now).select_related("user")
    unread = RawSQL(_UNREAD, (), output_field=IntegerField())  # noqa: S611
    return rows.annotate(unread=unread, is_working=Exists(workers.list_living()))
