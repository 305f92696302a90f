"""The history of an object, which is what events have changed about it; and the life of a request, step by step."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal import models
from portal.admin.base import history
from portal.models.event import Verb
from portal.services import audit
from portal.services.reports import timeline
from tests import factories
from tests.admin import rows
from tests.browser import count_queries

pytestmark = pytest.mark.django_db


def url(row: Model, page: str = "history") -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.pk])


def read_lines(page: str) -> list[str]:
    """Each line of the history as one reads it, from the top."""
    lines = re.findall("<tr>(.*?)</tr>", page.partition("<tbody>")[2], re.DOTALL)
    return [" ".join(unescape(re.sub("<[^>]*>", "", line.replace("<li>", " "))).split()) for line in lines]


@pytest.fixture
def read(browser):
    def read(row: Model, **query: object) -> list[str]:
        response = browser.get(url(row), query)
        assert response.status_code == 200
        return read_lines(response.text)

    return read


def touch(person: models.User, times: int) -> None:
    """Change the person so many times, each with its event."""
    for number in range(times):
        person.time_zone = f"Zone/{number}"
        with transaction.atomic():
            person.save(update_fields=["time_zone"])
            audit.record(Verb.SET_TIME_ZONE, person, by=person)


def explain(sql: str) -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {'' if connection.vendor == 'postgresql' else 'QUERY PLAN '}{sql}")
        return str(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_a_request_s_history_is_what_events_changed_newest_first(sandbox, alice, read, browser):
    portal_request = factories.submit(alice, note="Confidential.", workspace_uid="fail-422")
    factories.send_once()

    answered, claimed, submitted = read(portal_request)

    assert re.search(r"\d\d:\d\d:\d\d \d+ submit alice added", submitted)
    assert "requester: alice" in submitted
    assert "type: python" in submitted
    assert "note: kept as a digest" in submitted
    assert "ended at" not in submitted
    assert re.search(r"\d+ claim the portal status: queued → sending$", claimed)
    assert "failure: – → 422 status: sending → failed" in answered
    assert re.search(r"ended at: – → \d+ \w+ \d{4}, \d\d:\d\d:\d\d", answered)
    event = factories.find_event("claim")
    assert "status: queued → sending" in browser.get(url(event, "change")).text
    page = browser.get(url(portal_request)).text
    for event in models.Event.objects.filter(request_number=portal_request.pk):
        assert url(event, "change") in page
    assert f'href="{url(alice, "change")}">alice</a>' in page
    (stored,) = models.Change.objects.filter(kind="request", act="ADDED")
    assert stored.columns["note"][1] not in page


def test_a_person_s_history_tells_what_an_administrator_changed(root, alice, read, sign_in):
    browser, page = sign_in(root), f"/people/{alice.pk}/"
    browser.post(f"{page}role/", {"role": Group.objects.get(name="Auditors").pk})
    for name in ("Alicia", "Alice", ""):
        browser.post(f"{page}details/", {"name": name})
    browser.post(f"{page}deactivate/")

    locked, emptied, renamed, named, changed = read(alice)

    assert re.search(r"\d+ change-person root ", changed)
    assert "groups: Members → Auditors" in changed
    assert "first name: set (kept as a digest)" in named
    assert "first name: changed (kept as a digest)" in renamed
    assert "first name: emptied" in emptied
    assert "active: yes → no" in locked


def test_the_history_of_what_is_gone_stays(root, sign_in):
    group = Group.objects.create(name="Guests")
    browser = sign_in(root)
    page, address = url(group), url(group, "delete")
    assert browser.get(page).status_code == 200
    assert browser.post(address, {"post": "yes"}).status_code == 302
    (line,) = read_lines(browser.get(page).text)
    assert line.endswith("delete-group root removed")
    for unknown in ("999999", "99999999999999999999999", "nonsense", "²"):
        assert browser.get(f"/admin/auth/group/{unknown}/history/").status_code == 404


def test_a_hundred_changes_are_on_a_page_and_each_page_costs_the_same(alice, read, browser):
    touch(alice, 3)
    browser.get(url(alice))
    with CaptureQueriesContext(connection) as few:
        assert len(read_lines(browser.get(url(alice)).text)) == 3
    touch(alice, history._PER_PAGE)
    with CaptureQueriesContext(connection) as many:
        first = read_lines(browser.get(url(alice)).text)
    asked = [query["sql"] for query in many if "portal_change" in query["sql"]]
    assert len(first) == history._PER_PAGE
    assert len(many) == len(few) <= 12
    assert "time zone: Zone/98 → Zone/99" in first[0]
    assert len(read(alice, p=2)) == len(read(alice, p="last")) - 97 == 3
    page = browser.get(url(alice)).text
    assert 'href="?p=2"' in page
    assert 'role="button"' not in page  # a link is no button, which the space bar would press
    plans = [explain(sql) for sql in asked]
    assert len(plans) == 2
    assert all("change_by_row" in plan for plan in plans), plans


def test_whoever_sees_the_audit_log_sees_it_and_nobody_else(alice, root, sign_in, browser):
    assert "No event records a change to it." in browser.get(url(alice)).text
    group = Group.objects.get(name="Members")
    page = browser.get(url(group)).text
    assert "History of Members" in page
    assert 'href="/admin/auth/' not in page.replace('href="/admin/auth/"', "")
    assert f'href="{url(group, "change")}"' in sign_in(root).get(url(group)).text
    rights = ("see_all", "view_request")
    guest = factories.create_user("guest")
    guest.user_permissions.set(Permission.objects.filter(codename__in=rights))
    portal_request = rows.create_request(alice, note="For Friday.")
    rows.create_attempt(portal_request)
    rows.create_event(root, verb="close", request_number=portal_request.pk, target="request", reason="secret")
    shown = sign_in(guest).get(url(portal_request, "change")).text
    assert "For Friday." in shown
    assert not [words for words in ("secret", "credits are used up") if words in shown]
    assert sign_in(guest).get(url(portal_request)).status_code == 403


# --- The life of a request ---


def test_the_steps_are_those_of_the_requests_own_page(alice, olga, browser):
    asked = rows.create_request(alice, note="For Friday.", created_at=rows.NOW)
    first = rows.create_attempt(asked, outcome="UNKNOWN", failure="no-answer", http_status=None, error="", message="")
    rows.create_attempt(asked)
    rows.create_late_response(first, message="sorry")
    target = f"request {asked.label}"
    rows.create_event(olga, verb="adopt", reason="It is hers.", request_number=asked.pk, target=target)
    page = browser.get(f"/admin/portal/request/{asked.pk}/change/").text
    shown = unescape(page.split('<section class="timeline"')[1].split("</section>")[0])
    steps = timeline.list_steps(request_history=timeline.read_request_history(portal_request=asked))
    assert re.findall("<h3>(.*?)</h3>", shown) == [step.title for step in steps]
    assert re.search(r"Attempts that count:\s*</label>.*?0 of 4", page, re.DOTALL)
    assert '<td class="field-attempts_made">2</td>' in browser.get("/admin/portal/request/").text
    for words in ("credits are used up", "sorry", "olga: It is hers.", "It took 1 s."):
        assert words in " ".join(re.sub("<[^>]*>", " ", shown).split())


def test_it_costs_the_same_however_much_happened(alice, browser):
    asked = rows.create_request(alice)

    def add_rows(count: int) -> int:
        for _ in range(count):
            rows.create_late_response(rows.create_attempt(asked))
            rows.create_event(alice, verb="evidence", request_number=asked.pk, target=f"request {asked.label}")
        return count_queries(lambda: browser.get(f"/admin/portal/request/{asked.pk}/change/"))

    add_rows(1)
    assert add_rows(1) == add_rows(3) <= 16
