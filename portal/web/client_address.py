"""Where an HTTP request comes from. A proxy is believed only where PORTAL_TRUSTED_PROXY names it."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest

type Address = IPv4Address | IPv6Address


def find_address(request: HttpRequest) -> str:
    """The address of the person's machine; of the proxy where that does not say; empty where there is none."""
    address = _read_address(str(request.META.get("REMOTE_ADDR", "")))
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    while hops and is_trusted_proxy(address) and (hop := _read_address(hops.pop().strip())):
        address = hop
    return str(address or "")


def find_network(request: HttpRequest) -> str:
    """What one person has at least: an address, of IPv6 a network of 64 bits. Empty for a trusted proxy's own."""
    address = _read_address(find_address(request))
    if address is None or is_trusted_proxy(address):
        return ""
    return str(IPv6Network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address)


def is_trusted(request: HttpRequest) -> bool:
    """Whether a trusted proxy sends the HTTP request, so that its headers are believed."""
    return is_trusted_proxy(_read_address(str(request.META.get("REMOTE_ADDR", ""))))


def is_trusted_proxy(address: Address | None) -> bool:
    return address is not None and any(address in network for network in settings.PORTAL_TRUSTED_PROXY)


def _read_address(text: str) -> Address | None:
    """An address without a zone; one of IPv4 as such, also where it came in an address of IPv6."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return None if address.scope_id else address.ipv4_mapped or address
    return address
