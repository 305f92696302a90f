"""What an issuer that people sign in with may keep the portal waiting for."""

from typing import Any

from portal import agentstation

_LONGEST = 10  # seconds


def bound_session(*, session: Any) -> None:
    """Bound the one exchange of an HTTP session, in time and to 1 MiB; more is an OSError."""
    agentstation.bound(session=session, total_timeout=_LONGEST)
