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
from tests import factories
from tests.admin import rows

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
    assert len(first) == history._PER_PAGE
    assert len(many) == len(few) <= 12
    assert "time zone: Zone/98 → Zone/99" in first[0]
    assert len(read(alice, p=2)) == len(read(alice, p="last")) - 97 == 3
    page = browser.get(url(alice)).text
    assert 'href="?p=2"' in page
    assert 'role="button"' not in page  # a link is no button, which the space bar would press


def test_who_may_not_see_events_sees_no_history(alice, root, sign_in):
    guest = factories.create_user("guest")
    guest.user_permissions.set(Permission.objects.filter(codename__in=("see_all", "view_request")))
    portal_request = rows.create_request(alice, note="For Friday.")
    rows.create_attempt(portal_request)
    rows.create_event(root, verb="close", request_number=portal_request.pk, target="request", reason="secret")
    shown = sign_in(guest).get(url(portal_request, "change")).text
    assert "For Friday." in shown
    assert not [words for words in ("secret", "credits are used up") if words in shown]
    assert sign_in(guest).get(url(portal_request)).status_code == 403
