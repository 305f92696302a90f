"""Events as they are stored, with what they changed."""

from collections import defaultdict
from collections.abc import Iterator

from portal import models

LOWEST = -(2**63)  # of all ids: anybody can insert a row below 1
_PAGE = 1000


def walk_events(*, after: int, until: int | None = None) -> Iterator[models.Event]:
    """Events with ids above `after` and not above `until`, in their order; read in pages, so in constant memory."""
    found = models.Event.objects.order_by("id")
    found = found if until is None else found.filter(id__lte=until)
    while page := list(found.filter(id__gt=after)[:_PAGE]):
        after, by_event = page[-1].pk, defaultdict(list)
        changes = models.Change.objects.filter(event_id__range=(page[0].pk, after))
        for change in changes.order_by("event_id", "position"):
            by_event[change.event_id].append(change)
        for event in page:
            event.changes = by_event[event.pk]
            yield event
