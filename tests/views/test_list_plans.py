"""How PostgreSQL answers the admin's filters and members' lists: none walks past the many rows that do not fit."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import models
from portal.models.clock import Now
from portal.services.audit import seals
from portal.services.key import accounts
from portal.services.mirrors import releases
from portal.services.search import finding
from tests import factories, plans
from tests.admin import rows
from tests.signing import store_events

MANY, FIRST, LAST = 2_500, 100, 130
LIVE = (109, 119, 129)
FEW = 5  # workstations of hers; thirty have no request
NEAR = 50
MOST_ROWS = 1_200  # that a page of fifty may read beside its own
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
pytestmark = [pytest.mark.django_db, plans.on_postgresql]


def at(number: int) -> datetime:
    return BEGIN + timedelta(minutes=number)


def make_event(number: int, *, actor: models.User | None) -> models.Event:
    return models.Event(
        at=at(number),
        verb="adopt" if actor else "claim",
        target=f"request R-{number}",
        actor_id=actor.pk if actor else None,
        actor_name=actor.username if actor else "",
    )


@pytest.fixture(scope="module", autouse=True)
def vacuumed(django_db_setup, django_db_blocker) -> None:
    """A bitmap of an index has its dead entries too, and each test that was rolled back has left some."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("VACUUM")


@pytest.fixture
def record(alice, bob, monkeypatch) -> dict[str, object]:
    """Many rows of each kind, of which thirty early ones are unlike the rest."""
    monkeypatch.setattr(finding, "NEIGHBOURS", NEAR)
    account = rows.create_account()
    rare = [FIRST <= number < LAST for number in range(MANY)]

    def make(model, describe):
        return model.objects.bulk_create([model(**describe(number, rare[number])) for number in range(MANY)])

    requests = make(models.Request, lambda number, is_rare: {
        "account": account, "requester": alice if FIRST - FEW <= number < LAST else bob,
        "submission": uuid4(), "type": "python",
        "status": "FAILED" if number % 2 else "CANCELLED", "failure": "422" if number % 2 else "",
        "created_at": at(number), "ended_at": at(number), "took": 0,
    })  # fmt: skip
    make(models.SearchEntry, lambda number, is_rare: {
        "request": requests[number], "words": "unusual" if is_rare else "the rest",
    })  # fmt: skip
    spaces = make(models.Workspace, lambda number, is_rare: {
        "account": account, "owner": alice if number in LIVE else bob, "uid": f"space-{number}",
        "status": "archived" if is_rare else "active", "first_seen_at": at(number),
    })  # fmt: skip
    make(models.Workstation, lambda number, is_rare: {
        "account": account, "uid": f"station-{number}", "request": None if is_rare else requests[number],
        "workspace": spaces[number], "type": "voip" if is_rare else ("max", "python")[number % 2],
        "status": "errored" if is_rare else ("completed", "stopped")[number % 2],
        "ended_at": None if number in LIVE else at(number), "first_seen_at": at(number),
    })  # fmt: skip
    make(models.Attempt, lambda number, is_rare: {
        "request": requests[number], "number": 1, "worker": "machine:1", "claimed_at": at(number),
        "deadline_at": at(number), "ended_at": at(number), "outcome": "UNKNOWN" if is_rare else "FAILED",
        "failure": "no-answer" if is_rare else ("422", "429")[number % 2],
    })  # fmt: skip
    store_events((make_event(number, actor=alice if rare[number] else None), []) for number in range(MANY))
    make(models.File, lambda number, is_rare: {
        "workspace": spaces[number], "uid": f"file-{number}", "name": "rare.txt" if is_rare else "notes.txt",
        "first_seen_at": at(number),
    })  # fmt: skip
    make(models.Log, lambda number, is_rare: {
        "workspace": spaces[number], "uid": f"log-{number}", "type": "crash" if is_rare else "system",
        "level": "error" if is_rare else "info", "first_seen_at": at(number),
    })  # fmt: skip
    # What is not sealed yet is counted for each page of the admin.
    assert factories.acquire_lease(name="seal").run(seals.seal_events)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL default_statistics_target = 1000")  # of all rows, where a sample is chosen by lot
        cursor.execute("ANALYZE")
        # So few rows are sooner read and joined from end to end.
        for way in ("seqscan", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    return {"alice": alice.pk, "space": spaces[FIRST].pk, "early": quote(str(at(LAST))), "soon": quote(str(at(FIRST)))}


QUESTIONS = [
    *("attempt/?outcome__exact=UNKNOWN", "attempt/?failure=no-answer", "attempt/?outcome__exact=UNKNOWN&failure=429"),
    *("attempt/?claimed_at__lt={early}", "attempt/?outcome__exact=UNKNOWN&claimed_at__lt={early}"),
    "attempt/?failure=422&claimed_at__gte={soon}&claimed_at__lt={early}",
    *("event/?verb=adopt", "event/?verb=claim&actor=person", "event/?verb=adopt&actor=portal"),
    *("event/?verb=checking", "event/?verb=sending", "event/?verb=sending&actor=person", "event/?verb=upkeep"),
    *("event/?verb=checking&at__lt={early}", "event/?verb=checking&since=2025-01-01&until=2025-01-01"),
    *("event/?q=nobody", "event/?q=alice", "event/?q=alice+adopt"),
    *("event/?at__lt={early}", "event/?verb=claim&at__gte={soon}&at__lt={early}", "event/?actor=person&verb=adopt"),
    *("workstation/?status=errored", "workstation/?type=voip", "workstation/?type=max&status=completed"),
    *("workstation/?life=live", "workstation/?orphan=yes", "workstation/?workspace={space}"),
    *("workstation/?first_seen_at__lt={early}", "workstation/?type=python&first_seen_at__lt={early}"),
    *("workspace/?status=archived", "workspace/?owner={alice}", "workspace/?status=active&owner={alice}"),
    *("workspace/?first_seen_at__lt={early}", "log/?level=error", "log/?q=crash", "log/?level=info&workspace={space}"),
    *("log/?first_seen_at__lt={early}", "file/?q=rare.txt", "file/?q=file-7", "file/?first_seen_at__lt={early}"),
    *("request/?created_at__lt={early}", "request/?status__exact=FAILED&created_at__lt={early}"),
    "request/?requester={alice}&created_at__gte={soon}",
    *("request/", "request/?o=0", "request/?p=2", "attempt/?q=R-5", "attempt/?key=3f9a77c0d1e2"),
    *("event/?person=alice&q=adopt", "event/?person=a&verb=submit", "event/?q=R-5"),
    *("workstation/?q=station-1", "request/?q=unusual", "attempt/?q=unusual", "workstation/?q=unusual"),
]


STATIONS = ("/workstations/", "/workstations/?show=ended", "/workstations/?show=all")
SPACES = ("/workspaces/", "/workspaces/?show=in-use", "/workspaces/?show=unused")
OWN = ("/", *SPACES, f"/workstations/station-{FIRST - 1}/", f"/workspaces/space-{LAST - 1}/")


def list_periods() -> Iterator[str]:
    """Of less than a page, with those that run."""
    for since, until in ((FIRST, LAST), (MANY - 10, MANY - 5)):
        period = f"/workstations/?since={at(since):%Y-%m-%dT%H:%M}&until={at(until):%Y-%m-%dT%H:%M}"
        yield from (f"{period}{more}" for more in ("", "&person=alice", "&type=voip", "&type=max"))


ASKED = {
    "anna": [f"/admin/portal/{question}" for question in QUESTIONS],
    "alice": [*OWN, STATIONS[2]],
    "bob": ["/", "/usage/", *STATIONS, *SPACES, "/requests/", "/requests/?status=QUEUED"],  # of many of his own
    "olga": [
        *(*STATIONS, *(f"{address}&person=alice" for address in STATIONS[1:]), *list_periods(), *SPACES),
        *("/unknown/", "/key/", "/usage/", "/failures/402/"),
    ],
}


def check_queries(queries: CaptureQueriesContext, what: str) -> None:
    asked = [query["sql"].strip() for query in queries if "portal_" in query["sql"]]
    assert asked, what
    for sql in (sql for sql in asked if sql.startswith(("SELECT", "WITH"))):
        cost = max(map(count_node, plans.list_nodes(sql, analyze=True)))
        assert cost <= MOST_ROWS, (what, cost, sql)


@pytest.mark.parametrize("name", ASKED)
def test_no_list_walks_past_what_does_not_fit(record, anna, olga, sign_in, name):
    browser = sign_in(models.User.objects.get(username=name))
    for address in ASKED[name]:
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(address.format(**record)).status_code == 200
        check_queries(queries, address)


def test_a_claim_and_a_look_at_what_is_live_walk_past_nothing_that_has_ended(record, alice, settings):
    settings.AGENTSTATION_BASE_URL = (account := rows.create_account()).base_url
    factories.update(account, baseline_scan="DONE")
    fingerprint = accounts.fingerprint_key(account=account)
    models.Credential.objects.create(account=account, fingerprint=fingerprint, accepted_at=Now())
    wanted = rows.create_request(alice, status="QUEUED")
    settings.PORTAL_CALLS_PER_MINUTE = 10
    newest = models.Workstation.objects.filter(account=account).live().latest("pk")
    releases.request_release(actor=alice, workstation=newest)
    with CaptureQueriesContext(connection) as queries:
        assert releases.claim_release()
        [call] = factories.claim_requests(worker="machine:1", most=1)
        due = models.Workstation.objects.live().filter(account=account, refresh_due_at__lte=Now())
        assert list(due.order_by("refresh_due_at")[:20])
    assert wanted.attempts.get().pk == call.attempt_id
    check_queries(queries, "claim")


def count_node(node) -> int:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return int((node["Actual Rows"] + removed) * node["Actual Loops"])
