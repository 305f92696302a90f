"""Answers that are written while they are sent: few at one time, for each holds a thread until its reader has it."""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template import loader

from portal import models
from portal.services.search import exporting

_TRY_AGAIN = "10"  # seconds
_PLACES = min(settings.WEB_THREADS // 4, settings.WEB_CONNECTIONS // 2)  # of this process
_LOCK = threading.Lock()
HELD = Counter[object]()  # of these, by the person


def limit_streams[**P](view: Callable[P, HttpResponseBase]) -> Callable[P, HttpResponseBase]:
    """Let only a few answers of such views be under way at one time; beyond that they are 503, and nothing is done."""

    @wraps(view)
    def limited(*args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        # Not always the first value: the view may be a method.
        person = next((value.user.pk for value in args if isinstance(value, HttpRequest)), None)
        place = _take_place(person=person)
        if place is None:
            return HttpResponse(loader.render_to_string("busy.html"), status=503, headers={"Retry-After": _TRY_AGAIN})
        with place:
            response = view(*args, **kwargs)
            if isinstance(response, StreamingHttpResponse):
                # The server closes it: sent, or cut off. A generator that was never begun would not notice.
                place.callback(response.close)
                response.close = place.pop_all().close  # type: ignore[method-assign]
        return response

    return limited


def send_rows(*, actor: models.User, kind: str, form: str, **wanted: Any) -> StreamingHttpResponse:
    """A file of rows, written while it is sent; taking it is recorded. `wanted`: as `exporting.export_rows` has it."""
    pieces = exporting.export_rows(actor=actor, kind=kind, form=form, **wanted)
    headers = {"Content-Disposition": f'attachment; filename="{kind}.{form}"'}
    return StreamingHttpResponse(pieces, content_type=exporting.CONTENT_TYPES[form], headers=headers)


def _take_place(*, person: object) -> ExitStack | None:
    """One of the places, given back once. One person has half of them at most, but for the only one."""
    with _LOCK:
        if HELD.total() >= _PLACES or HELD[person] >= max(1, _PLACES // 2):
            return None
        HELD[person] += 1
    place = ExitStack()
    place.callback(_give_back, person)
    return place


def _give_back(person: object) -> None:
    with _LOCK:
        HELD[person] -= 1
