"""Answers that are written while they are sent: few at one time, for each holds a thread until its reader has it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template import loader

_TRY_AGAIN = "10"  # seconds
_PLACES = min(settings.WEB_THREADS // 4, settings.WEB_CONNECTIONS // 2)  # of this process
HELD = Counter[object]()  # of these, by the person


def limit_streams[**P](view: Callable[P, HttpResponseBase]) -> Callable[P, HttpResponseBase]:
    """Let only a few answers of such views be under way at one time; beyond that they are 503, and nothing is done."""

    @wraps(view)
    def limited(*args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        # Not always the first value: the view may be a method.
        person = next((value.user.pk for value in args if isinstance(value, HttpRequest)), None)
        place = _Place.take(person=person)
        if place is None:
            return HttpResponse(loader.render_to_string("busy.html"), status=503, headers={"Retry-After": _TRY_AGAIN})
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
    """One of the places, given back once. One person has half of them at most, but for the only one."""

    _lock = threading.Lock()

    def __init__(self, person: object) -> None:
        self._person, self._is_held = person, True

    @classmethod
    def take(cls, *, person: object) -> "_Place | None":
        with cls._lock:
            if HELD.total() >= _PLACES or HELD[person] >= max(1, _PLACES // 2):
                return None
            HELD[person] += 1
            return cls(person)

    def close(self) -> None:
        with self._lock:
            if self._is_held:
                self._is_held = False
                HELD[self._person] -= 1


class _Pieces:
    """The pieces of a response, and the place that it gives back when the server closes it: sent, or cut off.

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
