"""Answers that are written while they are sent: few at one time, for each holds a thread until its reader has it."""

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any, cast

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template import loader

_TRY_AGAIN = "10"  # seconds
_PLACES = threading.BoundedSemaphore(settings.WEB_THREADS // 4)  # of this process


def limit_streams[**P](view: Callable[P, HttpResponseBase]) -> Callable[P, HttpResponseBase]:
    """Let only a few answers of such views be under way at one time; beyond that they are 503, and nothing is done."""

    @wraps(view)
    def limited(*args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not _PLACES.acquire(blocking=False):
            return HttpResponse(loader.render_to_string("busy.html"), status=503, headers={"Retry-After": _TRY_AGAIN})
        place = _Place()
        try:
            response = view(*args, **kwargs)
        except BaseException:
            place.close()
            raise
        if isinstance(response, StreamingHttpResponse):
            response.streaming_content = _Pieces(response, place)
        else:
            place.close()
        return response

    return limited


class _Place:
    """One of the places, given back once."""

    def __init__(self) -> None:
        self._lock, self._is_held = threading.Lock(), True

    def close(self) -> None:
        with self._lock:
            if self._is_held:
                self._is_held = False
                _PLACES.release()


class _Pieces:
    """The pieces of an answer, and the place that it gives back when the server closes it: sent, or cut off.

    Not a generator: one that was never begun would not notice that it is closed.
    """

    def __init__(self, response: StreamingHttpResponse, place: _Place) -> None:
        self._pieces = iter(cast(Iterable[Any], response.streaming_content))
        self._place = place

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return cast(bytes, next(self._pieces))

    def close(self) -> None:
        self._place.close()
