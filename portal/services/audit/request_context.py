"""Where an act comes from: the HTTP request that is being answered, for the audit log."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(kw_only=True)
class Origin:
    """The address that an act came from, and the id of the HTTP request; both empty for what no page did."""

    address: str = ""
    http_request: str = ""
    is_counted: bool = False  # by the limit for acts of one person


_NOBODY = Origin()
_origin: ContextVar[Origin] = ContextVar("origin", default=_NOBODY)


def get_origin() -> Origin:
    """Where what is being done comes from."""
    return _origin.get()


@contextmanager
def acting_from(*, address: str, http_request: str) -> Iterator[None]:
    """Whatever is recorded within comes from there."""
    token = _origin.set(Origin(address=address, http_request=http_request))
    try:
        yield
    finally:
        _origin.reset(token)
