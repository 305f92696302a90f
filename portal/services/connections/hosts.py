"""The hosts that browsers may reach workstations at."""

from urllib.parse import SplitResult, urlsplit

from django.conf import settings

_PLAIN = {"127.0.0.1", "localhost"}  # of this machine: without TLS


def list_sources() -> list[str]:
    """The sources of a Content-Security-Policy's connect-src."""
    return [f"{scheme}://{host}" for host in settings.PORTAL_CONNECTION_HOSTS for scheme in _choose_schemes(host)]


def is_known(*, address: str, is_url: bool) -> bool:
    """Whether the address is at one of the hosts, by their schemes; without a scheme it is a host with its port."""
    try:
        parts = urlsplit(address if is_url else f"//{address}")
        return any(_matches(parts, host, is_url=is_url) for host in settings.PORTAL_CONNECTION_HOSTS)
    except ValueError:
        return False


def _choose_schemes(host: str) -> tuple[str, str]:
    return ("ws", "http") if host.partition(":")[0] in _PLAIN else ("wss", "https")


def _matches(parts: SplitResult, host: str, *, is_url: bool) -> bool:
    name, _, port = host.lower().partition(":")
    own = parts.hostname or ""
    is_below = name.startswith("*.") and own.endswith(name[1:])
    has_port = not is_url or port == "*" or (parts.port or None) == (int(port) if port else None)
    return (own == name or is_below) and has_port and (not is_url or parts.scheme in _choose_schemes(host))
