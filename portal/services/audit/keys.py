"""The audit key: the secret that seals the audit log. It is not in the database: who can write there lacks it."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from django.conf import settings

_SIZE = 8  # characters of a key's id


@dataclass(frozen=True, kw_only=True)
class AuditKey:
    """A key with its id, which names it and tells nothing of it."""

    id: str
    secret: bytes = field(repr=False)


def get_key() -> AuditKey:
    """The key that seals are made with now."""
    return _derive(settings.PORTAL_AUDIT_KEY or settings.SECRET_KEY)


def find_key(*, key_id: str) -> AuditKey | None:
    """The present key or a former one, by its id; None where the settings do not have it."""
    # While no audit key was set, SECRET_KEY stood for it.
    return _list_keys(
        (settings.PORTAL_AUDIT_KEY or settings.SECRET_KEY, settings.SECRET_KEY, *settings.PORTAL_AUDIT_KEY_OLD)
    ).get(key_id)


@lru_cache(maxsize=8)
def _list_keys(values: tuple[str, ...]) -> Mapping[str, AuditKey]:
    keys = [_derive(value) for value in values]
    return {key.id: key for key in keys}


@lru_cache(maxsize=64)
def _derive(value: str) -> AuditKey:
    """One way for all: a former SECRET_KEY that stood for the audit key is then as good as a former audit key."""
    secret = hmac.digest(value.encode(), b"portal audit key", hashlib.sha256)
    return AuditKey(id=hmac.digest(secret, b"portal audit key id", hashlib.sha256).hex()[:_SIZE], secret=secret)
