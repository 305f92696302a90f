"""Events as they are stored, with what they changed."""

from collections import defaultdict
from collections.abc import Iterator

from portal import models
from portal.services.audit import canonical

LOWEST = -(2**63)  # of all ids: anybody can insert a row below 1
_PAGE = 1000
CHANGE = ("kind", "row_id", "act", "columns")


def walk_events(*, after: int, until: int | None = None) -> Iterator[canonical.Described]:
    """Events with ids above `after` and not above `until`, in their order; read in pages, so in constant memory."""
    found = models.Event.objects.order_by("id")
    found = found if until is None else found.filter(id__lte=until)
    while page := list(found.filter(id__gt=after)[:_PAGE].values()):
        after, by_event = page[-1]["id"], defaultdict(list)
        changes = models.Change.objects.filter(event_id__range=(page[0]["id"], after)).order_by("event_id", "position")
        for change in changes.values("event_id", *CHANGE):
            by_event[change.pop("event_id")].append(change)
        for event in page:
            yield event | {"at": canonical.convert_value(value=event["at"]), "changes": by_event[event["id"]]}
