"""Signatures: a keyed code over all that something says, which nobody can make without the audit key."""

import hmac
from dataclasses import asdict
from enum import Enum
from typing import ClassVar

from portal.models.canonical_json import write_json
from portal.services.audit import keys

_CODE = 32  # digits: half of an HMAC-SHA256


class Verdict(Enum):
    """What a signature shows."""

    AUTHENTIC = "authentic"
    WRONG = "wrong"
    UNKNOWN_KEY = "unknown key"


def sign(*, what: str, text: str) -> str:
    """The signature of the text with the present key, which it names; `what` keeps one thing from being another."""
    return _sign(keys.get_key(), what, text)


def check(*, signature: object, what: str, text: str) -> Verdict:
    """Whether the signature is of the text, with the present key or a former one."""
    key_id = read_key_id(signature=signature)
    key = keys.find_key(key_id=key_id)
    if key is None:
        return Verdict.UNKNOWN_KEY if key_id else Verdict.WRONG
    return Verdict.AUTHENTIC if _sign(key, what, text) == signature else Verdict.WRONG


def digest(*, column: str, value: object, key_id: str = "") -> object:
    """What the log holds of a private value: nothing where there is none, else a code that names the key it is of.

    `key_id`: of a former key, to compare with what it once gave; the value itself where that is not known any more.
    """
    if value is None or value == "":
        return value
    key = keys.find_key(key_id=key_id) if key_id else keys.get_key()
    return value if key is None else _sign(key, "private", write_json([column, value]))


def read_key_id(*, signature: object) -> str:
    """The id of the key that a signature or a digest was made with; empty where it is none."""
    key_id, _, code = str(signature).partition(":")
    return key_id if len(code) == _CODE and set(code) <= set("0123456789abcdef") else ""


def _sign(key: keys.AuditKey, what: str, text: str) -> str:
    message = f"portal {what} 1\n{text}".encode("utf-8", "surrogatepass")
    return f"{key.id}:{hmac.digest(key.secret, message, 'sha256').hex()[:_CODE]}"


class Signed:
    """A row in its canonical form, signed as a whole: for a frozen dataclass of its columns."""

    __slots__ = ()
    WHAT: ClassVar[str]
    SIGNATURE: ClassVar[str] = "signature"

    def describe(self) -> dict[str, object]:
        """All of it, fit for JSON."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    def sign(self) -> str:
        """The signature that it must have."""
        return sign(what=self.WHAT, text=self._write_signed())

    def check(self) -> Verdict:
        """Whether the portal has written it, as it is."""
        return check(what=self.WHAT, text=self._write_signed(), signature=getattr(self, self.SIGNATURE))

    def _write_signed(self) -> str:
        return write_json({name: value for name, value in self.describe().items() if name != self.SIGNATURE})
