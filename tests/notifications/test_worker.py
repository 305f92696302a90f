"""The whole way, by a worker as it is started: from what AgentStation answers to a mail and to a channel."""

from datetime import timedelta

import pytest

from portal import models
from portal.services.notifications import telling
from tests import factories
from tests.worker.running import await_row, await_that, run_worker

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_failure_is_mailed_and_the_pause_is_sent_to_the_channel(mails, serve, sandbox, monkeypatch, olga):
    monkeypatch.setattr(telling, "_COLLECTED", timedelta(0))
    receiver, alice = serve(), factories.create_user("alice", "Members", email="alice@team.example")
    sandbox.script({"name": "fail-402"})
    failed = factories.submit(alice)
    with run_worker():
        assert mails.has_mail.wait(60)
        await_that(lambda: len(receiver.taken) == 1)
        await_row(models.Notification.objects.filter(person=alice, sent_at__isnull=False))
    assert mails.mails[0]["Subject"].startswith(f"R-{failed.pk} failed: ")
    assert receiver.taken[0]["title"].startswith("Sending is paused: ")
    assert {row.kind for row in models.Notification.objects.filter(person=olga)} == {"paused"}
