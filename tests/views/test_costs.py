"""What is asked of the database: how often, never the same twice, and no more where there are more rows.

By pages; by what sends a request, for which everybody else waits; and by a worker that has nothing to do.
"""

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts, credentials, steady_clock
from portal.services.mirrors import refreshing, releases
from portal.services.reconciliation import reconcile, timeouts
from portal.services.reports import usage
from portal.services.requests import batch, dispatch
from portal.services.runtime import clients, workers
from portal.services.search import paging
from portal.worker import dispatcher
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db
POLL = {"HX-Request": "true"}
_FRAME = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT")


def list_queries(act) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        response = act()
    assert getattr(response, "status_code", 200) in (200, 302)
    return [query["sql"] for query in queries if not query["sql"].startswith(_FRAME)]


def check_cost(act, *, most: int) -> None:
    queries = list_queries(act)
    assert len(queries) <= most, "\n".join(queries)
    assert max(Counter(queries).values()) == 1, "the same was asked twice"


# The outcome and the failure of its attempt, and what is then in the request.
STATES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "ready": ("SUCCEEDED", "", {"status": "SUCCEEDED", "ended_at": Now(), "took": 1}),
    "failed": ("FAILED", "422", {"status": "FAILED", "failure": "422", "ended_at": Now(), "took": 1}),
    "queued again": ("FAILED", "503", {"status": "QUEUED", "next_attempt_at": Now()}),
    "unknown": ("UNKNOWN", "no-answer", {"status": "UNKNOWN", "failure": "no-answer", "was_unknown": True}),
}


@pytest.mark.parametrize(
    ("state", "most"),
    # Of what waits while no worker runs, who can start one, and the support contact.
    [("queued", 8), ("sending", 7), ("ready", 7), ("failed", 6), ("queued again", 9), ("unknown", 7)],
)
@pytest.mark.parametrize("path", ["/requests/{}/", "/requests/{}/live/"])
def test_the_page_of_a_request_looks_at_the_data_once(sign_in, alice, anna, state, most, path):
    portal_request = factories.submit(alice)
    if state != "queued":
        factories.claim()
    if state in STATES:
        outcome, failure, values = STATES[state]
        models.Attempt.objects.update(outcome=outcome, failure=failure, ended_at=Now())
        models.Request.objects.update(**values)
    if state == "ready":
        space = rows.create_workspace(alice, account=portal_request.account)
        rows.create_workstation(portal_request, account=portal_request.account, workspace=space)
    for person in (alice, anna):
        browser = sign_in(person)
        check_cost(lambda browser=browser: browser.get(path.format(portal_request.pk), headers=POLL), most=most)


@pytest.mark.parametrize(("workspace", "more"), [("", 0), ("space", 2), ("nobody-s", 2)])
def test_asking_for_a_workstation_costs_the_session_the_choices_and_the_rows(sign_in, alice, workspace, more):
    models.Workspace.objects.create(account=accounts.get_current_account(), owner=alice, uid="space")
    browser = sign_in(alice)
    factories.submit(alice)  # the first one makes the row of the settings
    check_cost(lambda: browser.get("/requests/new/"), most=8)
    values = factories.fill_form(workspace_id=workspace)
    wake = connection.vendor == "postgresql"  # where the workers are told
    check_cost(lambda: browser.post("/requests/new/", values), most=10 + more + wake)


def test_pages_cost_the_same_queries_at_any_number_of_rows(sign_in, alice, olga):
    lists = ("", "?status=CANCELLED", "?status=CANCELLED&type=max", "?q=demo&longer=0")
    paths = [f"/requests/{query}" for query in lists]
    paths += ["/", "/workstations/", "/workspaces/", "/key/", "/failures/", "/usage/?days=90"]
    tried = rows.create_request(alice)
    paths += [f"/requests/{tried.pk}/"]
    more = ("unknown/", "admin/", "admin/portal/event/", f"admin/portal/request/{tried.pk}/change/")
    by_person = {alice: paths, olga: [*paths, *(f"/{path}" for path in more)]}
    browsers, account = {sign_in(person): paths for person, paths in by_person.items()}, accounts.get_current_account()
    lease = factories.acquire_lease(name="usage")

    def count_queries() -> list[int]:
        models.DailyCount.objects.all().delete()
        lease.run(usage.count_days)
        return [len(list_queries(partial(browser.get, path))) for browser, paths in browsers.items() for path in paths]

    def add_rows(count: int) -> None:
        unknown = {"status": "UNKNOWN", "failure": "no-answer", "type": "max", "note": "demo", "account": account}
        for number in range(count):
            made = rows.create_request(alice, type="max", note="demo")
            rows.create_workstation(made, workspace=rows.create_workspace(alice), status="active")
            rows.create_request(alice, type="max", status="CANCELLED", note="demo")
            asked = rows.create_request(alice, operator_note="?" * (number % 2), **unknown)
            rows.create_attempt(asked, outcome="UNKNOWN", failure="no-answer")
            rows.create_workstation(None, account=account, made_for=asked, listed_tick=10**6)
            factories.create_past_request(alice, timezone.now() - timedelta(days=number))
            rows.create_late_response(rows.create_attempt(tried))
            rows.create_event(alice, verb="evidence", request_number=tried.pk, target=f"request {tried.label}")

    add_rows(4)
    count_queries()
    few = count_queries()
    add_rows(paging.PAGE_SIZE // 2 + 1)
    assert count_queries() == few


# --- Sending a request ---


@pytest.fixture
def client(sandbox):
    return clients.make_client()


@pytest.fixture
def used(client, alice, transactional_db):
    factories.create_workstation(alice)


def deliver(calls, client) -> list[batch.Delivery]:
    return [batch.Delivery(call=call, result=dispatch.send_call(call=call, client=client)) for call in calls]


# The look without a lock, and eight under it.
_CLAIM = 1 + 8


def count_claim(*, most: int) -> int:
    claimed: list[dispatch.Call] = []
    queries = list_queries(lambda: claimed.extend(factories.claim_requests(worker="w", most=most)))
    assert len(claimed) == most
    return len(queries)


def test_a_claim_takes_the_same_for_one_and_for_all_and_one_more_for_who_has_more_waiting(used, alice, bob):
    factories.submit_for(*(alice, bob) * 7)
    assert [count_claim(most=1), count_claim(most=2)] == [_CLAIM] * 2
    assert count_claim(most=8) <= _CLAIM + 2


def test_a_claim_of_what_was_told_of_takes_no_look_and_may_come_too_late(used, alice):
    account = factories.submit(alice).account
    counts = []
    for _ in range(2):
        present = batch.Batch(brought=[], most=1, account=account)
        queries = list_queries(partial(batch.commit_batch, batch=present, worker="w"))
        counts.append((len(present.claimed), len(queries)))
    assert counts[0] == (1, _CLAIM - 1)
    assert counts[1][0] == 0


def test_what_is_told_of_right_after_the_account_was_left_is_claimed(used, alice):
    worker = dispatcher.Dispatcher(name="w", size=2, client=clients.make_client())
    former = models.Account.objects.create(base_url="https://former.example", retired_at=Now())
    models.Key.objects.create(account=former)
    factories.submit(alice)
    worker._last = batch.Batch(brought=[], most=0, account=former)
    claimed = []
    for _ in range(2):
        worker.wake(is_notified=True)
        worker._commit_batch()
        claimed.append(worker._calls.qsize())
    assert claimed == [0, 1]


def test_a_claim_with_a_paused_key_reads_and_locks_no_request(used, alice):
    factories.submit(alice)
    models.Key.objects.update(state="PAUSED", cause="401", paused_at=Now(), operator_only=True)
    queries = list_queries(partial(factories.claim_requests, worker="w", most=1))
    assert not [sql for sql in queries if sql.startswith('SELECT "portal_request"')]


def test_a_result_is_recorded_in_few_statements_and_further_ones_of_a_batch_in_fewer(used, alice, client, monkeypatch):
    monkeypatch.setattr(batch, "LONGEST", 60.0)
    factories.submit_for(*[alice] * 6)
    one, *brought = deliver(factories.claim_requests(worker="w", most=6), client)
    assert len(list_queries(partial(factories.record, one.call, one.result))) <= 11 + workers.can_notify()
    assert alice.requests.filter(status="SUCCEEDED").count() == 2
    counts = []
    for part in (brought[:1], brought[1:]):
        present = batch.Batch(brought=part, most=0)
        counts.append(len(list_queries(partial(batch.commit_batch, batch=present, worker="w"))))
        assert present.recorded == part
    assert (counts[1] - counts[0]) / 3 <= 7


def test_a_worker_that_has_nothing_to_do_asks_seldom(used, client):
    models.Workstation.objects.update(refresh_due_at=Now() + timedelta(minutes=1))
    factories.reconcile_once(factories.acquire_lease(name="reconcile"))
    workers.note_worker(name="w")
    lease, steady = factories.acquire_lease(name="job"), steady_clock.SteadyClock()
    for most, do in (
        (1, lambda: batch.commit_batch(batch=batch.Batch(brought=[], most=8), worker="w")),
        (1, releases.claim_release),
        (1, lambda: workers.note_worker(name="w")),
        (1, lambda: lease.run(refreshing.refresh_workstations, client=client)),
        (1, lambda: lease.run(credentials.probe_key, client=client)),
        (11, lambda: lease.run(reconcile.reconcile_requests, client=client, steady=steady)),
        (11, lambda: lease.run(timeouts.expire_overdue, watched=steady)),
    ):
        with CaptureQueriesContext(connection) as queries:
            assert not do()
        assert len(queries) <= most, [query["sql"] for query in queries]
