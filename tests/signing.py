"""Events in great numbers, signed as the portal signs them, for tests that want a long audit log at once."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Model
from django.utils import timezone

from portal import models
from portal.db import numbers
from portal.services.audit import events

_AT_ONCE = 1000  # numbers: the database lets nobody take more


def take_numbers(count: int) -> int:
    """The first of so many numbers of events, which nobody else takes meanwhile."""
    last, left = 0, count
    while left:
        (*_, last), _ = numbers.take_event_numbers(count=min(left, _AT_ONCE))
        left -= min(left, _AT_ONCE)
    return last - count + 1


def store_events(told: Iterable[tuple[models.Event, Sequence[Model]]]) -> list[models.Event]:
    """Write events that have their times, each with what it says of its rows, as the instances are."""
    stored, kept, listed = [], [], list(told)
    for number, (event, rows) in enumerate(listed, start=take_numbers(len(listed))):
        described = events.describe_changes(changed=rows, gone=(), lists={})
        event.id, event.http_request = number, ""
        events.sign_event(event=event, described=described)
        kept += described
        stored.append(event)
    models.Change.objects.bulk_create(kept)
    return models.Event.objects.bulk_create(stored)


def write_event(**values: Any) -> models.Event:
    (event,) = store_events([(models.Event(**{"at": timezone.now()} | values), [])])
    return event
