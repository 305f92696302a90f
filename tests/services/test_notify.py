"""Whom a notification wakes: who has nothing to do by it does not look."""

import pytest
from django.db import connection

from portal import models
from portal.db import open_connection
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker
from portal.services.mirrors import releases
from portal.services.runtime import workers
from portal.worker import process
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite notifies nobody")
def test_a_notification_says_what_there_is_to_do(sandbox, alice):
    workstation = factories.create_workstation(alice)
    models.Key.objects.update(state="PAUSED", cause="401", paused_at=Now(), operator_only=True)
    with open_connection() as opened:
        opened.execute(f"LISTEN {workers.CHANNEL}")
        factories.submit(alice)
        releases.request_release(actor=alice, workstation=workstation)
        circuit_breaker.resume_key(actor=alice, account=accounts.get_current_account())
        told = [notice.payload for notice in opened.notifies(timeout=10, stop_after=3)]
    assert told == [workers.Work.REQUESTS, workers.Work.RELEASES, workers.Work.ANY]


@pytest.mark.parametrize(
    ("work", "woken"),
    [
        (workers.Work.REQUESTS, (True, False)),
        (workers.Work.RELEASES, (False, True)),
        (workers.Work.ANY, (True, True)),
        ("what a later version tells of", (True, True)),
    ],
)
def test_whoever_has_something_to_do_is_woken(sandbox, transactional_db, work, woken):
    worker = process.Process(sender_count=1)
    worker._wake(work)
    assert (worker._dispatcher._wake_up.is_set(), worker._releases._wake_up.is_set()) == woken
