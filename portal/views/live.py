"""Live parts of pages: what has changed since the page was made, and how often it asks."""

import hashlib
from dataclasses import dataclass

from django.http import HttpRequest

from portal import models

_SHOWS_HOLD, _SHOWED_HOLD, _SHOWS_NONE = "held", "went", "open"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part that asks for itself again. `pause`: seconds between two polls at the least.

    `is_awaited`: somebody may wait for it in another tab, whose title and icon tell; it asks from there too.
    `is_soon`: it may change any moment; the first polls come sooner than `pause` says.
    """

    version: str
    pause: int
    is_awaited: bool = False
    is_soon: bool = False


def is_poll(request: HttpRequest) -> bool:
    """Whether a live part asks, and no page."""
    return "HX-Request" in request.headers


def read_version(request: HttpRequest, *facts: object, key: models.Key) -> str:
    """Differs wherever what the part shows differs: the facts, and the hold of the key, whose notice comes with it.

    Its first word tells what the notice says, so that the end of a hold can be said where the hold was shown.
    """
    state = key.pk, key.state, key.cause, key.held_at, key.held_until, key.operator_only
    digest = hashlib.blake2b(repr((state, facts)).encode(), digest_size=9).hexdigest()
    return f"{_find_notice(request, key=key)}.{digest}"


def is_seen(request: HttpRequest, version: str) -> bool:
    """Whether the page that asks shows this version already."""
    return is_poll(request) and request.GET.get("seen") == version


def has_just_moved(request: HttpRequest, *, key: models.Key) -> bool:
    """Whether the page that asks has shown a hold which is over."""
    return _find_notice(request, key=key) == _SHOWED_HOLD


def _find_notice(request: HttpRequest, *, key: models.Key) -> str:
    if key.is_held:
        return _SHOWS_HOLD
    shown = request.GET.get("seen", "").partition(".")[0] if is_poll(request) else ""
    return _SHOWED_HOLD if shown in (_SHOWS_HOLD, _SHOWED_HOLD) else _SHOWS_NONE
