"""The settings, as the portal saw them at its start: their names where they changed, never their values."""

import hashlib
import hmac
from collections.abc import Mapping

from django.conf import settings
from django.db import transaction

from portal import models
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, key_lock

_OURS = ("PORTAL_", "AGENTSTATION_")
_DJANGO = ("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "DATABASES", "EMAIL_URL", "SECRET_KEY", "TIME_ZONE")


@transaction.atomic
def note_settings() -> list[str]:
    """Record which settings differ from those of the last start; returns their names."""
    key_lock.lock_key(account=accounts.get_current_account())  # one start after the other
    names = [name for name in dir(settings) if name.startswith(_OURS)]
    present = {name: _digest(name, getattr(settings, name)) for name in sorted([*names, *_DJANGO])}
    last = models.Event.objects.filter(verb=Verb.SETTINGS).order_by("-id").first()
    former: Mapping[str, str] = last.detail["digests"] if last else {}
    changed = sorted(name for name in present.keys() | former.keys() if present.get(name) != former.get(name))
    if changed:
        audit.record(Verb.SETTINGS, "settings", detail={"changed": changed, "digests": present})
    return changed


def _digest(name: str, value: object) -> str:
    """Reveals nothing of the value to whoever does not hold SECRET_KEY."""
    message = f"setting {name}={value!r}".encode()
    return hmac.new(settings.SECRET_KEY.encode(), message, hashlib.sha256).hexdigest()[:16]
