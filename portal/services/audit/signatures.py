"""Signatures: a keyed code over all that something says, which nobody can make without the audit key."""

import hashlib
import hmac
from collections.abc import Sequence
from enum import Enum

from portal.services.audit import canonical, keys

CODE = 16  # bytes: half of an HMAC-SHA256
_LABEL = "portal audit 2"


class Verdict(Enum):
    """What a signature shows."""

    AUTHENTIC = "authentic"
    WRONG = "wrong"
    UNKNOWN_KEY = "unknown key"


def sign(*, what: str, values: Sequence[object]) -> str:
    """The signature of these values with the present key, which it names; `what` keeps one thing from being another."""
    return _sign(keys.get_key(), what, values)


def check(*, signature: object, what: str, values: Sequence[object]) -> Verdict:
    """Whether the signature is of these values, with the present key or a former one."""
    key_id, _, code = str(signature).partition(":")
    key = keys.find_key(key_id=key_id)
    if key is None:
        return Verdict.UNKNOWN_KEY if _is_code(code) else Verdict.WRONG
    return Verdict.AUTHENTIC if _sign(key, what, values) == signature else Verdict.WRONG


def read_code(*, signature: str) -> bytes:
    """The code in an authentic signature."""
    return bytes.fromhex(signature.partition(":")[2])


def digest(*, column: str, value: object, key_id: str = "") -> object:
    """What the log holds of a private value: nothing where there is none, else a code that names the key it is of.

    `key_id`: of a former key, to compare with what it once gave; the value itself where that is not known any more.
    """
    if value is None or value == "":
        return value
    key = keys.find_key(key_id=key_id) if key_id else keys.get_key()
    return value if key is None else _sign(key, "private", [column, value])


def read_key_id(*, digest: object) -> str:
    """The id of the key that a private value was digested with; empty where it is no digest."""
    key_id, _, code = str(digest).partition(":")
    return key_id if _is_code(code) else ""


def _is_code(text: str) -> bool:
    return len(text) == 2 * CODE and set(text) <= set("0123456789abcdef")


def _sign(key: keys.AuditKey, what: str, values: Sequence[object]) -> str:
    message = canonical.encode(row=[_LABEL, what, *values])
    return f"{key.id}:{hmac.digest(key.secret, message, hashlib.sha256)[:CODE].hex()}"
