"""Live parts of pages: what has changed since the page was made, and how often it asks."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal import models

_SHOWS_PAUSE, _SHOWED_PAUSE, _SHOWS_NONE = "paused", "went", "none"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part that asks for itself again, `pause` seconds apart at the least. Where it may change any moment, the first
    polls are `soon` seconds apart. It is awaited where somebody may watch the title and icon of another tab."""

    version: str
    pause: int
    is_awaited: bool = False
    soon: float = 0.0


def is_poll(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers


def read_version(request: HttpRequest, *facts: object, key: models.Key) -> str:
    """Its first word is what the notice says, so that the end of a pause can be said where the pause was shown."""
    state = key.pk, key.state, key.cause, key.paused_at, key.paused_until, key.operator_only
    digest = hashlib.blake2b(repr((state, facts)).encode(), digest_size=9).hexdigest()
    return f"{_find_notice(request, key=key)}.{digest}"


def render_news(
    request: HttpRequest, template: str, show: Callable[[], dict[str, Any]] = dict, *, version: str
) -> HttpResponse:
    """A page or its live part; 204 where the page that asks shows this version already. `show` reads what it needs."""
    if is_poll(request) and request.GET.get("seen") == version:
        return HttpResponse(status=204)
    return render(request, template, show())


def has_just_moved(request: HttpRequest, *, key: models.Key) -> bool:
    """Whether the page that asks has shown a pause which is over."""
    return _find_notice(request, key=key) == _SHOWED_PAUSE


def _find_notice(request: HttpRequest, *, key: models.Key) -> str:
    if key.is_paused or key.is_resuming:
        return _SHOWS_PAUSE
    shown = request.GET.get("seen", "").partition(".")[0] if is_poll(request) else ""
    return _SHOWED_PAUSE if shown in (_SHOWS_PAUSE, _SHOWED_PAUSE) else _SHOWS_NONE
