"""What pages ask of the database: how often, and not what they have asked before."""

from collections import Counter
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts
from portal.services.search import paging
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db

POLL = {"HX-Request": "true"}
_FRAME = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT")


def list_queries(act) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        assert act().status_code in (200, 302)
    return [query["sql"] for query in queries if not query["sql"].startswith(_FRAME)]


def check_cost(act, *, most: int) -> None:
    queries = list_queries(act)
    assert len(queries) <= most, "\n".join(queries)
    assert max(Counter(queries).values()) == 1, "the same was asked twice"


@pytest.fixture
def portal_request(alice) -> models.Request:
    return factories.submit(alice)


# The outcome and the failure of its attempt, and what is then in the request.
STATES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "ready": ("SUCCEEDED", "", {"status": "SUCCEEDED", "ended_at": Now(), "took": 1}),
    "failed": ("FAILED", "422", {"status": "FAILED", "failure": "422", "ended_at": Now(), "took": 1}),
    "queued again": ("FAILED", "503", {"status": "QUEUED", "next_attempt_at": Now()}),
    "unknown": ("UNKNOWN", "no-answer", {"status": "UNKNOWN", "failure": "no-answer", "was_unknown": True}),
}


@pytest.mark.parametrize(
    ("state", "most"),
    # Of what waits while no worker runs, who can start one.
    [("queued", 9), ("sending", 8), ("ready", 8), ("failed", 7), ("queued again", 10), ("unknown", 8)],
)
@pytest.mark.parametrize(("path", "bell"), [("/requests/{}/", 1), ("/requests/{}/live/", 0)])
def test_the_page_of_a_request_looks_at_the_data_once(sign_in, alice, anna, portal_request, state, most, path, bell):
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
        check_cost(lambda browser=browser: browser.get(path.format(portal_request.pk), headers=POLL), most=most + bell)


@pytest.mark.parametrize(("workspace", "more"), [("", 0), ("space", 2), ("nobody-s", 2)])
def test_asking_for_a_workstation_costs_the_session_the_choices_and_the_rows(sign_in, alice, workspace, more):
    models.Workspace.objects.create(account=accounts.get_current_account(), owner=alice, uid="space")
    browser = sign_in(alice)
    factories.submit(alice)  # the first one makes the row of the settings
    values = factories.fill_form(workspace_id=workspace)
    wake = connection.vendor == "postgresql"  # where the workers are told
    check_cost(lambda: browser.post("/requests/new/", values), most=10 + more + wake)


def test_the_form_asks_once_for_each_thing_that_it_offers(sign_in, alice, portal_request):
    rows.create_workspace(alice, account=accounts.get_current_account())
    browser = sign_in(alice)
    check_cost(lambda: browser.get("/requests/new/"), most=9)


def test_pages_cost_the_same_queries_at_any_number_of_rows(sign_in, alice, olga):
    lists = ("", "?status=CANCELLED", "?status=CANCELLED&type=max", "?q=demo&longer=0")
    paths = [f"/requests/{query}" for query in lists]
    paths += ["/", "/workstations/", "/workspaces/", "/key/", "/failures/"]
    browsers = [sign_in(person) for person in (alice, olga)]

    def count_queries() -> list[int]:
        return [len(list_queries(partial(browser.get, path))) for browser in browsers for path in paths]

    def add_rows(count: int) -> None:
        for _ in range(count):
            made = rows.create_request(alice, type="max", note="demo")
            rows.create_workstation(made, workspace=rows.create_workspace(alice), status="active")
            rows.create_request(alice, type="max", status="CANCELLED", note="demo")

    add_rows(2)
    count_queries()
    few = count_queries()
    add_rows(paging.PAGE_SIZE)
    assert count_queries() == few
