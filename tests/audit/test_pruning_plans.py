"""How PostgreSQL finds what may go: in a large record no question of the duty walks through a table."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import models
from portal.services.audit import seals
from portal.services.retention import prune
from portal.services.runtime import leases
from tests import factories, plans
from tests.admin import rows
from tests.audit.conftest import count_usage
from tests.signing import store_events

ROWS = 3_000
LARGE = {*plans.LARGE, *(f"portal_{name}" for name in ("lateresponse", "change", "seal", "tombstone"))}

pytestmark = [pytest.mark.django_db, plans.on_postgresql]


@pytest.fixture(name="lease")
def make_record(alice, settings, monkeypatch) -> leases.Lease:
    """Many requests, each with an attempt and an event; ten of them are old enough to go."""
    settings.PORTAL_KEEP_DAYS = 30
    account, now = rows.create_account(), timezone.now()
    settings.AGENTSTATION_BASE_URL = account.base_url
    monkeypatch.setattr(seals, "BATCH", 10)
    made = models.Request.objects.bulk_create(
        models.Request(
            account=account,
            requester=alice,
            submission=uuid4(),
            type="python",
            status="SUCCEEDED",
            created_at=now - timedelta(days=90 if number < 10 else 1, seconds=ROWS - number),
            ended_at=now - timedelta(days=90 if number < 10 else 1, seconds=ROWS - number),
            took=0,
        )
        for number in range(ROWS)
    )
    own: dict[int, list[Model]] = {}
    for request in made[:600]:
        own[request.pk] = [rows.create_attempt(request, claimed_at=request.created_at, deadline_at=request.created_at)]
        ended_at = request.created_at + timedelta(seconds=9)
        own[request.pk].append(rows.create_workstation(request, ended_at=ended_at))
    store_events(
        (
            models.Event(verb="submit", target=str(request), request_number=request.pk, at=request.created_at),
            [request, *own.get(request.pk, [])],
        )
        for request in made
    )
    factories.acquire_lease(name="seal").run(seals.seal_events)
    with factories.unprotected():
        models.Seal.objects.filter(number=1).update(made_at=now - timedelta(days=90))
    count_usage()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    plans.forbid_walks()
    return factories.acquire_lease(name="prune")


def test_no_question_of_the_duty_walks_through_a_table(lease):
    with CaptureQueriesContext(connection) as queries:
        assert [lease.run(prune.prune_old) for _ in range(3)] == [10, 10, 0]
    statements = [query["sql"] for query in queries if re.match("SELECT|DELETE|UPDATE", query["sql"])]
    assert len(statements) > 20
    assert [sql for sql in statements if plans.list_walked(sql) & LARGE] == []
