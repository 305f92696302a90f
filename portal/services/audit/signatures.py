"""Signatures: a keyed code over all that something says, which nobody can make without the audit key.

The audit key is not in the database: who can write there lacks it. Rows are signed as a whole.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from django.conf import settings
from django.db.models import Model

from portal.models.canonical_json import write_json
from portal.services.audit import canonical

_CODE = 32  # digits: half of an HMAC-SHA256
NAMES = {"event": "signature", "seal": "digest", "tombstone": "signature"}  # columns
_SIGNATURE = re.compile(rf"([0-9a-f]{{8}}):[0-9a-f]{{{_CODE}}}")


class Verdict(Enum):
    AUTHENTIC = "authentic"
    WRONG = "wrong"
    UNKNOWN_KEY = "unknown key"


@dataclass(frozen=True, kw_only=True)
class AuditKey:
    id: str
    secret: bytes = field(repr=False)


def get_key() -> AuditKey:
    """The key that signs now: `PORTAL_AUDIT_KEY`, or one derived from `SECRET_KEY`."""
    return _derive(settings.PORTAL_AUDIT_KEY or settings.SECRET_KEY)


def find_key(*, key_id: str) -> AuditKey | None:
    """The present audit key or a former one, by its id; None where the settings do not have it."""
    # While no audit key was set, SECRET_KEY stood for it.
    values = (settings.PORTAL_AUDIT_KEY, settings.SECRET_KEY, *settings.PORTAL_AUDIT_KEY_OLD)
    return next((key for key in map(_derive, filter(None, values)) if key.id == key_id), None)


@lru_cache(maxsize=64)
def _derive(value: str) -> AuditKey:
    """One way for all: a former SECRET_KEY that stood for the audit key is then as good as a former audit key."""
    secret = hmac.digest(value.encode(), b"portal audit key", hashlib.sha256)
    return AuditKey(id=hmac.digest(secret, b"portal audit key id", hashlib.sha256).hex()[:8], secret=secret)


def digest(*, column: str, value: object, key_id: str = "") -> object:
    """What the log holds of a private value: nothing where there is none, else a code that names the key it is of.

    `key_id`: of a former key, to compare with what it once gave; of one that is not known any more, the present one.
    """
    if value is None or value == "":
        return value
    return _sign(find_key(key_id=key_id) or get_key(), "private", [column, value])


def read_key_id(*, signature: object) -> str:
    """The id of the audit key that a signature or a digest was made with; empty where it is none."""
    found = _SIGNATURE.fullmatch(str(signature))
    return found[1] if found else ""


def _sign(key: AuditKey, what: str, value: object) -> str:
    """`what` keeps one thing from being another."""
    message = f"portal {what} 1\n{write_json(value)}".encode()
    return f"{key.id}:{hmac.digest(key.secret, message, 'sha256').hex()[:_CODE]}"


def describe_row(*, row: Model) -> canonical.Described:
    """All of it in canonical form, but for an id that only numbers it."""
    names = [field.attname for field in row._meta.concrete_fields if field.attname != "id"]
    return {name: canonical.convert_value(value=getattr(row, name)) for name in names}


def sign(*, what: str, described: canonical.Described, key: AuditKey | None = None) -> str:
    """The signature of all but the signature; without a key, with the present one."""
    return _sign(key or get_key(), what, {name: value for name, value in described.items() if name != NAMES[what]})


def check(*, what: str, described: canonical.Described) -> Verdict:
    """Whether the signature is of all the rest, with the present audit key or a former one."""
    signature = described[NAMES[what]]
    key_id = read_key_id(signature=signature)
    key = find_key(key_id=key_id)
    if key is None:
        return Verdict.UNKNOWN_KEY if key_id else Verdict.WRONG
    return Verdict.AUTHENTIC if sign(what=what, described=described, key=key) == signature else Verdict.WRONG
