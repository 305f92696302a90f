"""Requests that Schemathesis generates from the provider's OpenAPI file, made such as mean something."""

import random
from typing import Any

import schemathesis

from portal.sandbox import names

CHECKS: dict[str, Any] = {
    "checks": {
        # A workspace or workstation that was made up is not found: 422.
        "positive_data_acceptance": {"expected-statuses": ["2xx", "422"]},
        # The contract does not say that what it does not describe is refused.
        "negative_data_rejection": {"enabled": False},
    }
}
_TIMES = ["2021-04-07T10:30:00Z", "2030-01-01T00:00:00+02:00", "2025-12-31T23:59:59.5Z"]


def make_sound(case: schemathesis.Case) -> None:
    """Sound times, limits and no cursor; no reserved workspace.

    The file gives the first as any string or integer, and what the sandbox refuses of them has tests of its own;
    `hang` is no wish to be generated.
    """
    query, body = case.query, case.body
    choice = random.Random(repr(query))
    for name in {"before", "after"} & set(query or ()):
        query[name] = choice.choice(_TIMES)
    if "limit" in (query or ()):
        query["limit"] = choice.randint(1, 100)
    if "cursor" in (query or ()):
        del query["cursor"]
    if isinstance(body, dict) and names.is_reserved(str(body.get("workspace_id"))):
        del body["workspace_id"]
