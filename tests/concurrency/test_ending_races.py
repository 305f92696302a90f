"""A workstation that a scan sees alive while a person says that it has ended."""

import threading
import time

import pytest
from django.db import connection, transaction

from portal import models
from portal.models.clock import Now
from portal.services.mirrors import missing
from tests import factories
from tests.concurrency import crowd

pytestmark = pytest.mark.django_db(transaction=True)


def await_lock() -> None:
    """Until somebody waits for a row that another transaction has locked."""
    for _ in range(3_000):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if cursor.fetchone():
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite locks no rows")
def test_nobody_ends_what_is_seen_alive_at_this_moment(sandbox, alice, olga, settings):
    settings.PORTAL_RECONCILE_GRACE = 0.0  # a day is over at once
    workstation = factories.create_workstation(alice)
    models.Workstation.objects.update(missing_since=Now(), missing_tick=1)
    refused: list[Exception] = []

    def declare() -> None:
        try:
            missing.declare_ended(actor=olga, workstation=workstation)
        except missing.NotMissing as error:
            refused.append(error)

    with transaction.atomic():
        missing.note_found(stored=models.Workstation.objects.select_for_update().get())
        declaring: threading.Thread = crowd.start(declare)
        await_lock()
    declaring.join()

    assert len(refused) == 1
    assert models.Workstation.objects.get().is_live
