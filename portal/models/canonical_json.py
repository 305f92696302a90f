"""JSON in one form, so that what was signed can be read from the database as it was."""

import hashlib
import json
from typing import Any

from django.db import models


def _write_bytes(value: object) -> object:
    if isinstance(value, bytes | memoryview):
        return {"sha256": hashlib.sha256(value).hexdigest()}
    raise TypeError(f"{type(value).__name__} has no canonical form")


_ENCODER = json.JSONEncoder(separators=(",", ":"), sort_keys=True, default=_write_bytes)


def write_json(value: object) -> str:
    """JSON in ASCII, without spaces, the keys of objects in order, bytes as their SHA-256."""
    return _ENCODER.encode(value)


def read_json(text: Any) -> Any:
    """The value; the text itself where somebody has written what is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return text


class CanonicalJSONField(models.TextField):  # type: ignore[type-arg]
    """A value that is stored as its canonical text."""

    # What instances take and have, for the type checker.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        return read_json(value)

    def get_prep_value(self, value: Any) -> Any:
        return value if hasattr(value, "resolve_expression") else write_json(value)
