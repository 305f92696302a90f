"""How a call may end beside the ways of the sandbox: what the tests' provider alone can do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portal.sandbox import responses
from portal.sandbox.responses import Response

# What is dripped or cut off where nothing was made: the beginning of an answer that would have been good.
SAMPLE = b'{"id": "Il4lMTpQUC3L", "type": "python", "status": "active", "workspace": {"id": "bMf1euMgczAY"'


@dataclass(frozen=True, kw_only=True)
class Asked(Response):
    """What becomes of a call; for a POST with its sequence in the record. `how` may be truncate or drip too."""

    post: int | None = None
    # The UID that a POST's answer names, with a fresh one for each star; what is made has it unless it is taken.
    uid: str = "*"
    # What is done to the document that the store answers.
    amend: Callable[[Any], Any] | None = None


BY_NAME = {
    "truncate": Asked(how="truncate", carried_out=False),  # the answer breaks off in the middle
    "drip": Asked(how="drip", carried_out=False),  # it comes one byte a second and never ends
    "long-id": Asked(uid="*" * 25),  # 300 characters, more than can be kept
}


def find(name: str) -> Asked | None:
    """The response that a reserved name stands for; None for any other."""
    found = BY_NAME.get(name) or responses.find(name)
    return Asked(**vars(found)) if found else None
