"""Sends notifications by mail and to the team's channels: at least once, and tried again for a day where that fails.

All mail leaves by one job, that with sign-in links too. No transaction is open meanwhile. Each channel has a job of its
own, and who is slow is waited for a bounded time.
"""

import email.policy
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F
from django.template.loader import render_to_string
from django.utils import timezone

from portal import models
from portal.db import clock, release_connection
from portal.models.clock import Now
from portal.services.key import database_moved, steady_clock
from portal.services.notifications import channels, choices, messages
from portal.services.people import invitations, mail, policy
from portal.services.runtime import leases

_MOST = 50  # sent at once
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 3600.0  # seconds before the next try; each pause is twice as long as the last
_TRIED_FOR = timedelta(days=1)
_LATE = timedelta(hours=1)  # what should have been sent before is no news: no worker ran, or the database went back


class _Mail(EmailMessage):
    """Its head has lines as long as they may be: a link that is broken into encoded words would be none."""

    def message(self, *, policy: Any = email.policy.default) -> Any:
        return super().message(policy=policy.clone(max_line_length=998))


def send_mails() -> None:
    """Mail sign-in links, then notifications. Each mail is tried by itself."""
    invitations.send_asked()
    if not (rows := _take_due(channel="")):
        return
    decided = policy.read_policy()
    wanted = [(row, one) for row in rows if (one := row.person) and _is_wanted(row, person=one, decided=decided)]
    sent = [row for row, _person in wanted]
    _drop([row for row in rows if row not in sent], why="not wanted")
    mails = [_write_mail(row, person=person) for row, person in wanted]
    _record([(row, outcome.failure) for row, outcome in zip(sent, mail.send(mails=mails), strict=False)])


def send_to_channel(*, url: str) -> None:
    """What is not tried in time stays due."""
    rows = _take_due(channel=channels.make_fingerprint(url=url))
    if not rows:
        return
    texts = [messages.describe(row=row) for row in rows]
    release_connection()
    failures = channels.send(url=url, messages=[(text.line, _write_body(text)) for text in texts])
    _record([*zip(rows, failures, strict=False)])


def settle_late(*, watched: steady_clock.SteadyClock) -> None:
    """Drop what is late, and so what is for a channel that is gone. `watched`: the clock that this job keeps; what it
    has stepped makes nothing late."""
    watched.observe(token=leases.get_lease().token)
    due = models.Notification.objects.filter(send_due_at__isnull=False)
    if watched.step:
        step, interval = (timedelta(seconds=seconds) for seconds in (watched.step, watched.interval))
        with leases.transaction():
            before = due.exclude(created_at__range=(Now() - interval, Now()))
            before.update(send_due_at=F("send_due_at") + step)
        watched.forget_step()
    if watched.steady_seconds:
        _drop(due.filter(send_due_at__lt=Now() - _LATE), why="too late")


def test_channels() -> None:
    """Have a test sent to each channel; one that waits is not repeated."""
    waiting = models.Notification.objects.filter(kind=messages.TEST, send_due_at__isnull=False)
    names = {channels.make_fingerprint(url=url) for url in settings.PORTAL_NOTIFY_URLS}
    for channel in names - {*waiting.values_list("channel", flat=True)}:
        models.Notification.objects.create(channel=channel, kind=messages.TEST, send_due_at=Now())


def _take_due(*, channel: str) -> list[models.Notification]:
    """What is to be sent now. Nothing of a database that may be a copy, or an older state of itself."""
    due = models.Notification.objects.filter(channel=channel, send_due_at__range=(Now() - _LATE, Now()))
    rows = list(due.select_related("person").order_by("send_due_at", "id")[:_MOST])
    return rows if rows and database_moved.may_tell() else []


def _is_wanted(row: models.Notification, *, person: models.User, decided: models.Policy) -> bool:
    is_known = row.kind in messages.MESSAGES and messages.wants_mail(person=person, kind=row.kind, decided=decided)
    return is_known and person.is_active and mail.can_reach(person=person)


def _drop(rows: Iterable[models.Notification], *, why: str) -> None:
    numbers = [row.pk for row in rows]
    if numbers:
        with leases.transaction():
            models.Notification.objects.filter(pk__in=numbers).update(send_due_at=None, failure=why)


def _record(tried: Sequence[tuple[models.Notification, str]]) -> None:
    if not tried:
        return
    now = clock.read_clock()
    for row, failure in tried:
        pause = min(_FIRST_PAUSE * 2**row.send_tries, _LONGEST_PAUSE)
        is_given_up = not failure or now - row.created_at > _TRIED_FOR
        row.send_due_at = None if is_given_up else now + timedelta(seconds=pause)
        row.sent_at, row.failure, row.send_tries = None if failure else now, failure[:100], row.send_tries + 1
    with leases.transaction():
        models.Notification.objects.bulk_update(
            [row for row, _failure in tried], ["send_due_at", "sent_at", "failure", "send_tries"]
        )


def _write_body(text: messages.Text) -> str:
    return "\n\n".join(filter(None, (text.reason, f"{settings.PORTAL_URL}{text.path}")))


def _write_mail(row: models.Notification, *, person: models.User) -> EmailMessage:
    with timezone.override(person.zone):
        text = messages.describe(row=row)
    link = settings.PORTAL_URL + choices.make_path(person=person, kind=row.kind)
    shown = {"text": text, "body": _write_body(text), "label": messages.describe_kind(kind=row.kind), "link": link}
    body = render_to_string("mail/notification.txt", shown)
    # RFC 8058: mail programs offer to stop these with one press.
    headers = {
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": f"<{link}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    return _Mail(text.line, body, to=[person.email], headers=headers)
