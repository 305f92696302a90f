"""Makes what the provider wrote fit for the database, without losing what it was."""

import json
from collections.abc import Mapping

from portal import agentstation, models

_UID_LENGTH = 200

escape_text = agentstation.escape_text


def fit_number(number: int | None) -> int | None:
    """The number, or None where a database column of 64 bits cannot hold it."""
    return number if number is not None and -models.MAX_ID <= number <= models.MAX_ID else None


def is_storable(*, uid: str) -> bool:
    """Whether something can be kept under this uid; the contract's have 12 characters."""
    return 0 < len(uid) <= _UID_LENGTH and uid == escape_text(uid) and uid not in (".", "..")


def write_json(*, raw: Mapping[str, object]) -> str:
    """The provider's JSON, with all but ASCII escaped, which no database refuses."""
    return json.dumps(raw, ensure_ascii=True, default=str)
