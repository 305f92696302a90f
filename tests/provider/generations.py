"""The generations of the provider: which types each takes, and what its list of types says."""

from collections.abc import Mapping, Sequence
from typing import Any

from portal.sandbox import items, workstation_types

DEFAULT = "default"  # the only type of the newer generation
SOFTWARE = ["ssh", "terminal", "vnc", "desktop", "chromium"]
# Each with its types: those of the contract with a list of them, the newer one, and those of the contract without.
BY_NAME: Mapping[str, Sequence[str]] = {"nine": items.TYPES, DEFAULT: (DEFAULT,), "none": items.TYPES}


def list_default() -> dict[str, Any]:
    """The newer generation's list, which has a second one within its data."""
    described = workstation_types.describe(DEFAULT, "A desktop with a browser and a terminal.", SOFTWARE)
    return {"object": "list", "data": {"object": "list", "data": [described]}}
