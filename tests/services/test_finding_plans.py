"""How PostgreSQL finds requests: no question walks through the table, whatever is asked together."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import models
from portal.services.search import finding, periods
from tests import plans
from tests.admin import rows

ROWS = 3_000
FEW = 120  # more than have what is looked for, or lie near the ends of a period

pytestmark = [pytest.mark.django_db, plans.on_postgresql]

# One of each kind, none of them fitting anything near the newest end.
SINGLE: list[dict[str, object]] = [
    {"status": "FAILED"},
    {"type": "voip"},
    {"failure": "402"},
    {"requester__in": True},
    {"created_at__gte": True},
    {"created_at__lt": True},
    {"was_unknown": True},
    {"took__gt": 70.0},
    {"words": ["green"]},
    {"pk": 1},
]


@pytest.fixture
def filters(alice, bob, monkeypatch) -> dict[str, Any]:
    """Many requests, of which only early ones have what is looked for; and what the filters of SINGLE need of them."""
    monkeypatch.setattr(periods, "NEIGHBOURS", 20)
    account, start = rows.create_account(), timezone.now() - timedelta(days=300)

    def make(number: int) -> models.Request:
        is_rare = 1200 < number < 1260
        created_at = start + timedelta(minutes=number)
        return models.Request(
            account=account,
            requester=alice if is_rare else bob,
            submission=uuid4(),
            type="voip" if is_rare else "python",
            status="FAILED" if is_rare else "SUCCEEDED",
            failure="402" if is_rare else "",
            was_unknown=1210 <= number < 1250,
            note="green" if is_rare else "brown",
            created_at=created_at,
            ended_at=created_at + timedelta(seconds=100 if is_rare else 10),
            took=100 if is_rare else 10,
        )

    made = models.Request.objects.bulk_create([make(number) for number in range(ROWS)])
    models.SearchEntry.objects.bulk_create(models.SearchEntry(request=one, words=one.note) for one in made)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return {
        "requester__in": [alice.pk],
        "created_at__gte": start + timedelta(minutes=1190),
        "created_at__lt": start + timedelta(minutes=1270),
        "pk": made[1220].pk,
    }


def list_questions(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one, other in itertools.combinations_with_replacement(SINGLE, 2):
        asked = {**one, **other}
        yield {name: values.get(name, value) for name, value in asked.items()}


def test_no_question_walks_past_what_does_not_fit(filters):
    plans.forbid_walks()
    for asked in list_questions(filters):
        for part in (
            finding.Slice(limit=51),
            finding.Slice(limit=51, newest_first=False),
            finding.Slice(limit=51, below=filters["pk"] + 30),
        ):
            with CaptureQueriesContext(connection) as queries:
                lookups = {name: value for name, value in asked.items() if name != "words"}
                assert finding.find_requests(lookups=lookups, words=asked.get("words", ()), part=part), asked
            check_plan(queries[-1]["sql"], asked)


def check_plan(sql: str, asked: dict[str, Any]) -> None:
    for node in plans.list_nodes(sql, analyze=True):
        assert node["Node Type"] != "Seq Scan", sql
        if "words" in asked:
            continue  # by what it guesses of the words it looks through texts, of which there are few here
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        assert removed * node["Actual Loops"] <= FEW, f"{node}: {sql}"
        # A bitmap names rows that are gone too, those of other tests.
        assert node["Node Type"] == "Bitmap Index Scan" or node["Actual Rows"] * node["Actual Loops"] <= FEW, (
            f"{node}: {sql}"
        )
