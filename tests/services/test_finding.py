"""Finding requests: each filter and all pairs against plain Python, and the texts that are kept of them."""

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import agentstation, failures, models
from portal.db.connection import execute
from portal.services.mirrors import mirror
from portal.services.requests import lifecycle
from portal.services.search import finding, paging
from tests import factories, plans
from tests.admin import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def many(alice, bob) -> list[models.Request]:
    """Sixty requests in which each property meets each other; all but every third have an attempt that failed."""
    start = timezone.now() - timedelta(days=30)
    made = []
    kinds = itertools.cycle([("SUCCEEDED", ""), ("FAILED", "402"), ("FAILED", "no-answer"), ("CANCELLED", "")])
    for number, (status, failure) in zip(range(60), kinds, strict=False):
        created_at = start + timedelta(hours=number * 12)
        portal_request = rows.create_request(
            (alice, bob)[number // 7 % 2],
            status=status,
            failure=failure,
            type=("python", "voip", "max")[number % 3],
            note=("green apples", "Äpfel und Birnen", "100% sure_thing", 'it\'s "quoted"')[number % 4],
            was_unknown=number % 3 == 0,
            created_at=created_at,
            ended_at=created_at + timedelta(seconds=(0.5, 20, 90, 7300)[number // 5 % 4]),
        )
        if not portal_request.was_unknown:
            rows.create_attempt(portal_request, error="Payment required", message="")
        made.append(portal_request)
    return made


def _took(portal_request: models.Request) -> float:
    assert portal_request.ended_at is not None
    return (portal_request.ended_at - portal_request.created_at).total_seconds()


def list_single(made: list[models.Request]) -> list[tuple[dict[str, Any], Callable[[models.Request], bool]]]:
    alice, middle = made[0].requester, made[30].created_at
    return [
        ({"status": "FAILED"}, lambda r: r.status == "FAILED"),
        ({"status": "SUCCEEDED"}, lambda r: r.status == "SUCCEEDED"),
        ({"type": "voip"}, lambda r: r.type == "voip"),
        ({"failure": "402"}, lambda r: r.failure == "402"),
        ({"requester__in": [alice.pk]}, lambda r: r.requester == alice),
        ({"created_at__gte": middle}, lambda r: r.created_at >= middle),
        ({"created_at__lt": middle}, lambda r: r.created_at < middle),
        ({"was_unknown": True}, lambda r: r.was_unknown),
        ({"took__gt": 0.2}, lambda r: _took(r) > 0.2),
        ({"took__gt": 70.0}, lambda r: _took(r) > 70),
        ({"took__gt": 7300.0}, lambda r: _took(r) > 7300),
        ({"words": ["apple"]}, lambda r: "apple" in r.note),
        ({"words": ["ÄPFEL"]}, lambda r: "Äpfel" in r.note),
        ({"words": ["0% sure_t"]}, lambda r: "0% sure_t" in r.note),
        ({"words": ['s "quo']}, lambda r: "quoted" in r.note),
        ({"words": ["payment", "green"]}, lambda r: "green" in r.note and not r.was_unknown),
        ({"pk": made[5].pk}, lambda r: r == made[5]),
    ]


def find_all(values: dict[str, Any], **part: Any) -> list[int]:
    lookups = {name: value for name, value in values.items() if name != "words"}
    return finding.find_requests(lookups=lookups, words=values.get("words", ()), part=paging.Slice(**part))


def test_every_filter_alone_and_in_pairs_finds_what_it_says(many):
    single = list_single(many)
    for one, other in itertools.combinations_with_replacement(single, 2):
        if one is not other and set(one[0]) & set(other[0]):
            continue
        values = one[0] | other[0]
        expected = [r.pk for r in many if one[1](r) and other[1](r)]
        assert find_all(values, newest_first=False) == expected, values
        assert find_all(values) == expected[::-1], values


def test_a_part_begins_and_ends_where_it_says(many):
    of_failed = {"status": "FAILED"}
    for values in ({}, of_failed, of_failed | {"type": "voip"}, {"words": ["payment"]}):
        found = find_all(values)
        low, high = found[-3], found[2]
        between = [number for number in found if low < number < high]
        assert find_all(values, above=low, below=high) == between
        assert find_all(values, above=low, below=high, newest_first=False) == between[::-1]
        assert find_all(values, below=high, limit=2) == between[:2]
        assert find_all(values, above=low, below=low) == []


def test_nothing_is_looked_for_where_nothing_can_be(many, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert find_all({"status": "SUCCEEDED", "failure": "402"}) == []
        assert find_all({"requester__in": []}) == []
    assert find_all({"created_at__gte": timezone.now() + timedelta(days=1)}) == []
    assert find_all({"created_at__lt": many[0].created_at}) == []


def test_a_type_that_the_contract_does_not_have_is_found_by_its_exact_name(alice):
    names = ["default", "Default", "default2", "max", "MAX", "Büro 🖥️", "it's %s", "x" * 200, "🖥" * 200]
    made = {name: rows.create_request(alice, type=name, status="CANCELLED").pk for name in names}
    for name, number in made.items():
        assert find_all({"type": name}) == [number]
        assert find_all({"type": name, "status": "CANCELLED"}) == [number]
        assert find_all({"type": name, "requester__in": [alice.pk]}) == [number]
        assert find_all({"type": name, "status": "QUEUED"}) == []
    assert find_all({"type": "nobody's", "status": "CANCELLED"}) == []


def test_how_long_a_request_took_is_known_with_its_end(alice):
    portal_request = rows.create_request(alice, status="QUEUED", created_at=rows.NOW - timedelta(hours=1))
    assert portal_request.took is None
    lifecycle.move_request(portal_request=portal_request, status=models.Request.Status.CANCELLED)
    portal_request.refresh_from_db()
    assert portal_request.took == pytest.approx(_took(portal_request), abs=0.001)


def test_that_an_outcome_was_unknown_stays_known(alice):
    states = models.Request.Status
    portal_request = rows.create_request(alice, status="SENDING")
    assert find_all({"was_unknown": True}) == []
    for status in (states.UNKNOWN, states.CANCELLED):
        lifecycle.move_request(portal_request=portal_request, status=status, failure=failures.NO_ANSWER)
        assert find_all({"was_unknown": True}) == [portal_request.pk]


# --- The texts follow whatever happens ---


def read_words(portal_request: models.Request) -> list[str]:
    return models.SearchEntry.objects.get(request=portal_request).words.split()


@pytest.mark.django_db(transaction=True)
def test_a_request_is_found_by_what_came_of_it(sandbox, alice):
    done = factories.submit_and_send(alice, note="Äpfel", workspace_name="Store Room")
    refused = factories.submit_and_send(alice, note="Birnen", workspace_uid="fail-422")
    station = models.Workstation.objects.select_related("workspace").get(request=done)
    assert station.workspace is not None
    for word in ("äpfel", "ÄPFEL", "Store Room", station.uid, station.workspace.uid):
        assert find_all({"words": [word]}) == [done.pk]
    for word in ("birnen", refused.workspace_uid, refused.attempts.get().error):
        assert find_all({"words": [word]}) == [refused.pk]
    assert find_all({"words": ["alice"]}) == []


def test_what_is_said_twice_is_kept_once_and_capitals_are_folded(alice):
    portal_request = rows.create_request(alice, note="Straße")
    for _ in range(3):
        attempt = rows.create_attempt(portal_request, error="Gateway", message="gone")
    assert read_words(portal_request) == ["strasse", "gateway", "gone"]
    rows.create_late_response(attempt, message="sorry, late")
    workspace = rows.create_workspace(alice, uid="Space-2")
    rows.create_workstation(None, uid="Station-1", made_for=portal_request, workspace=workspace)
    assert find_all({"words": ["SORRY, LATE"]}) == [portal_request.pk]


def test_a_workspace_that_is_learned_of_later_finds_the_request(alice):
    portal_request = rows.create_request(alice)
    stored = rows.create_workstation(portal_request, uid="station-1")
    seen = {"id": "station-1", "type": "python", "status": "active", "workspace": {"id": "space-9"}}
    with transaction.atomic():
        mirror.store_workstation(stored=stored, workstation=agentstation.Workstation.from_dict(seen))
    assert find_all({"words": ["space-9"]}) == [portal_request.pk]


# --- How PostgreSQL finds them: no question walks through the table, whatever is asked together ---

ROWS = 3_000
FEW = 120  # more than have what is looked for, or lie near the ends of a period

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
    monkeypatch.setattr(finding, "NEIGHBOURS", 20)
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
    execute("ANALYZE")
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


@plans.on_postgresql
def test_no_question_walks_past_what_does_not_fit(filters):
    plans.forbid_walks()
    for asked in list_questions(filters):
        for part in (
            paging.Slice(limit=51),
            paging.Slice(limit=51, newest_first=False),
            paging.Slice(limit=51, below=filters["pk"] + 30),
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
