"""Makes notifications of events. The audit log is the outbox: an event is in the transaction of what it tells of.

The position moves only up to what is sealed, for numbers are committed out of order. Another worker may look again at
what lies after it; it is told once, for a notification keeps the events that it stands for.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache

from django.conf import settings

from portal import models
from portal.db import clock, places
from portal.services.audit import seals
from portal.services.notifications import channels, messages
from portal.services.notifications.messages import Fact, Who
from portal.services.people import mail, people, policy
from portal.services.runtime import leases

_LATE = timedelta(hours=1)  # nobody is told of what is older
_TOGETHER = timedelta(minutes=10)  # in which the same cause is told once
_COLLECTED = timedelta(seconds=10)  # before the first is sent, so that a storm is one message with its count
_MOST = 5000  # events in one round


def tell_people(*, seen: set[int]) -> None:
    """Tell people, and channels, of what has happened since the last round.

    `seen`: events after the position, which this process has looked at and kept in mind from one round to the next.
    """
    # First how far all is sealed: what is committed from now on lies behind that.
    sealed, told_id = seals.find_sealed(), read_position().told_id or 0
    found = models.Event.objects.filter(verb__in=sorted(messages.VERBS), id__gt=told_id)
    numbers = set(found.filter(at__gt=clock.read_clock() - _LATE).values_list("pk", flat=True))
    new = sorted(numbers - seen)[:_MOST]
    if new or (numbers and sealed >= min(numbers)):
        told_id = max(told_id, min([sealed, *new[_MOST - 1 :]]))
        with leases.transaction():
            _tell(new)
            models.StreamPosition.objects.filter(told_id__lt=told_id).update(told_id=told_id)
    seen |= {*new}
    seen -= {number for number in seen if number <= told_id}


def read_position() -> models.StreamPosition:
    """At its first use nobody is told of what was before."""
    rows = models.StreamPosition.objects
    position = rows.first() or rows.get_or_create(pk=1, defaults={"place": places.read_place().name})[0]
    if position.told_id is None:
        position.told_id = models.Event.objects.order_by("-id").values_list("id", flat=True).first() or 0
        position.save(update_fields=["told_id"])
    return position


def _tell(new: Sequence[int]) -> None:
    events, rows = models.Event.objects.in_bulk(new), models.Request.objects.select_related("requester")
    requests = rows.in_bulk({event.request_number for event in events.values()} - {None})
    telling = _Telling(now=clock.read_clock())
    for event in map(events.__getitem__, new):
        telling.tell(Fact(event=event, portal_request=requests.get(event.request_number or 0)))
    telling.save()


class _Telling:
    """One round: what was told already, and what is told now."""

    def __init__(self, *, now: datetime) -> None:
        self._now, self._told, self._decided = now, set[tuple[str, int]](), policy.read_policy()
        self._open = dict[tuple[int | None, str, str, str], models.Notification]()
        # What an event is added to began ten minutes before it at most.
        for row in models.Notification.objects.filter(created_at__gt=now - _LATE - _TOGETHER).order_by("id"):
            self._told |= {(row.kind, number) for number in row.events}
            if row.created_at > now - _TOGETHER:
                self._open[row.person_id, row.channel, row.kind, row.cause] = row
        self._find_permitted = cache(_find_permitted)
        self._new, self._changed = list[models.Notification](), dict[int, models.Notification]()

    def tell(self, fact: Fact) -> None:
        """Note whom the event concerns, once for each kind of notification."""
        for kind, message in messages.MESSAGES.items():
            is_new = (kind, fact.event.pk) not in self._told
            if fact.event.verb in message.verbs and is_new and message.when(fact):
                for person in self._find_people(message.who, fact):
                    if person.is_active and person.pk != fact.event.actor_id:
                        is_sent = mail.can_reach(person=person) and messages.wants_mail(
                            person=person, kind=kind, decided=self._decided
                        )
                        self._add(kind, fact, person=person, is_sent=is_sent)
                is_sent = messages.is_for_channels(kind=kind, decided=self._decided)
                for url in settings.PORTAL_NOTIFY_URLS if is_sent else ():
                    self._add(kind, fact, channel=channels.make_fingerprint(url=url), is_sent=True)

    def save(self) -> None:
        """Write all notifications in two statements."""
        models.Notification.objects.bulk_create(self._new, batch_size=500)
        models.Notification.objects.bulk_update(self._changed.values(), ["events", "values", "read_at"], batch_size=500)

    def _find_people(self, who: Who, fact: Fact) -> Iterable[models.User]:
        if who is Who.OWNER:
            return [fact.portal_request.requester] if fact.portal_request else []
        if who is Who.SHARED_WITH:
            return models.User.objects.filter(username=fact.event.detail.get("person"))
        return self._find_permitted(who)

    def _add(
        self, kind: str, fact: Fact, *, is_sent: bool, person: models.User | None = None, channel: str = ""
    ) -> None:
        """Add to what was told of the same cause just now, which a person may read again; else begin another."""
        event, values = fact.event, fact.read_values()
        cause = messages.MESSAGES[kind].cause.format(**values)[:200]
        key = (person.pk if person else None, channel, kind, cause)
        if row := self._open.get(key):
            row.events, row.read_at = [*row.events, event.pk], None
            row.values = row.values | {"targets": sorted({*row.values.get("targets", ()), event.target})}
            if row.pk:
                self._changed[row.pk] = row
            return
        target, _space, uid = event.target.partition(" ")
        self._open[key] = models.Notification(
            person=person,
            channel=channel,
            kind=kind,
            cause=cause,
            request_number=event.request_number,
            workstation=uid if target == "workstation" else "",
            values=values | {"targets": [event.target]},
            events=[event.pk],
            created_at=self._now,
            send_due_at=self._now + _COLLECTED if is_sent else None,
        )
        self._new.append(self._open[key])


def _find_permitted(who: Who) -> list[models.User]:
    codenames = ("close_request",) if who is Who.OPERATORS else ("see_all", "view_event")
    first, *_, last = [people.list_permitted(codename=codename) for codename in (*codenames, codenames[-1])]
    return list(first.filter(pk__in=last.values("pk")))
