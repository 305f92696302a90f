"""The hosts that browsers may reach workstations at."""

import re
from urllib.parse import urlsplit

from django.conf import settings

_PLAIN = {"127.0.0.1", "localhost"}  # of this machine: without TLS
# What browsers and Python read alike, and what may stand in a line of code or of a shell: no quotes, no spaces, no
# backslashes, no name before the host.
_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]!$&*+,;=%-]+", re.ASCII)
_PLACE = re.compile(r"([a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE)


def list_sources() -> list[str]:
    """The sources of a Content-Security-Policy's connect-src."""
    return [f"{scheme}://{host}" for host in settings.PORTAL_CONNECTION_HOSTS for scheme in _choose_schemes(host)]


def is_known(*, address: str, is_url: bool) -> bool:
    """Whether the address is at one of the hosts, by their schemes; without a scheme it is a host and its port."""
    try:
        parts = urlsplit(address if is_url else f"//{address}")
    except ValueError:
        return False
    place = _PLACE.fullmatch(parts.netloc if is_url else address)
    if place is None or not _URL.fullmatch(address):
        return False
    name, port = place[1].lower(), int(place[2]) if place[2] else None
    if (port is None and not is_url) or (port is not None and not 0 < port < 65536):
        return False
    return any(
        _matches(host, name=name, port=port, is_url=is_url) and (not is_url or parts.scheme in _choose_schemes(host))
        for host in settings.PORTAL_CONNECTION_HOSTS
    )


def _choose_schemes(host: str) -> tuple[str, str]:
    return ("ws", "http") if host.partition(":")[0] in _PLAIN else ("wss", "https")


def _matches(host: str, *, name: str, port: int | None, is_url: bool) -> bool:
    """Without a port, a host of the setting means that of its scheme; of an address that is no URL, any."""
    wanted, _, its_port = host.lower().partition(":")
    is_named = name == wanted or (wanted.startswith("*.") and name.endswith(wanted[1:]))
    if its_port == "*" or (not its_port and not is_url):
        return is_named
    return is_named and port == (int(its_port) if its_port else None)
