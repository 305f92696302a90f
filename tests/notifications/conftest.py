"""The stage for notifications: a job that has begun, a mail server, and a receiver of a channel."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from portal import models
from portal.services.audit import seals
from portal.services.notifications import delivery, telling
from portal.services.runtime import leases
from tests import factories
from tests.agentstation import server


@pytest.fixture(autouse=True)
def _begin(db) -> None:
    telling.read_position()


def tell_people() -> list[models.Notification]:
    """A round of the job. Returns all notifications, oldest first."""
    factories.acquire_lease(name="notify").run(telling.tell_people, seen=set())
    return list(models.Notification.objects.select_related("person").order_by("id"))


@pytest.fixture
def tell() -> Callable[[], list[models.Notification]]:
    return tell_people


@pytest.fixture
def seal() -> Callable[[], int]:
    return lambda: factories.acquire_lease(name="seal").run(seals.seal_events)


def move_back(**time: float) -> None:
    """As if all that was written so far had been written so much earlier."""
    age = timedelta(**time)
    with factories.unprotected():
        models.Event.objects.update(at=F("at") - age)
    names = ("created_at", "send_due_at", "sent_at", "read_at")
    models.Notification.objects.update(**{name: F(name) - age for name in names})


def send_mails(*, lease: leases.Lease | None = None) -> None:
    """What was told is due at once."""
    models.Notification.objects.filter(send_tries=0, send_due_at__isnull=False).update(send_due_at=F("created_at"))
    (lease or factories.acquire_lease(name="mail")).run(delivery.send_mails)


def tell_by_mail() -> None:
    tell_people()
    send_mails()


def send_to(url: str) -> None:
    models.Notification.objects.filter(send_tries=0, send_due_at__isnull=False).update(send_due_at=F("created_at"))
    factories.acquire_lease(name="notify-channel").run(delivery.send_to_channel, url=url)


class Receiver(server.Server):
    """Of a channel: a web server that keeps what it takes, or does what a test says instead."""

    def __init__(self, *handlers: server.Handler) -> None:
        self.taken: list[dict[str, Any]] = []
        super().__init__(*handlers, self.take)
        self.channel = f"json://127.0.0.1:{self.port}/secret-path"

    def take(self, connection: server.Connection) -> None:
        self.taken.append(json.loads(connection.read_request().partition(b"\r\n\r\n")[2]))
        connection.send(server.http(204))


@pytest.fixture
def serve(settings) -> Iterator[Callable[..., Receiver]]:
    settings.PORTAL_URL = "https://portal.example"
    with ExitStack() as stack:

        def serve(*handlers: server.Handler) -> Receiver:
            receiver = stack.enter_context(closing(Receiver(*handlers)))
            settings.PORTAL_NOTIFY_URLS = [*settings.PORTAL_NOTIFY_URLS, receiver.channel]
            return receiver

        yield serve
