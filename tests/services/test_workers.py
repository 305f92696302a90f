"""What is known of workers, and for how long."""

from datetime import timedelta

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.runtime import workers

pytestmark = pytest.mark.django_db


def test_a_worker_that_was_not_seen_for_a_week_is_forgotten():
    for name in ("old", "new"):
        workers.note_worker(name=name)
    models.Worker.objects.filter(name="old").update(seen_at=Now() - timedelta(days=8))
    workers.prune_workers()
    assert list(models.Worker.objects.values_list("name", flat=True)) == ["new"]
