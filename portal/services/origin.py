"""Where an act comes from: the address of the HTTP request that is being answered, for the record."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_address: ContextVar[str] = ContextVar("address", default="")


def get_address() -> str:
    """The address, empty for what the portal does by itself."""
    return _address.get()


@contextmanager
def acting_from(*, address: str) -> Iterator[None]:
    """Whatever is recorded within comes from this address."""
    token = _address.set(address)
    try:
        yield
    finally:
        _address.reset(token)
