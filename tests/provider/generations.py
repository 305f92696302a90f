"""The generations of the provider: which types each takes, and what its list of types says."""

from collections.abc import Mapping, Sequence
from typing import Any

from portal.sandbox import items, workstation_types

DEFAULT = "default"  # the only type of the newer generation
NINE = tuple(name for name in items.TYPES if name != DEFAULT)
# Each with its types: those of the contract with a list of them, the newer one, and those of the contract without.
BY_NAME: Mapping[str, Sequence[str]] = {"nine": NINE, DEFAULT: (DEFAULT,), "none": NINE}


def list_types(name: str) -> dict[str, Any]:
    """The list of a generation; the newer one's has a second one within its data."""
    types = [one for one in workstation_types.list_types()["data"] if one["id"] in BY_NAME[name]]
    listed: dict[str, Any] = {"object": "list", "data": types}
    return {"object": "list", "data": listed} if name == DEFAULT else listed
