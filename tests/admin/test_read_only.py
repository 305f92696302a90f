"""Every model opens for auditors, and nobody changes anything."""

import html
import itertools
import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.services.audit import rows as audited_rows
from tests.admin import rows
from tests.signing import write_event

pytestmark = pytest.mark.django_db


@pytest.fixture
def record(alice) -> dict[str, Model]:
    return rows.create_all(alice)


def url(name: str, page: str, *args: object) -> str:
    return reverse(f"admin:portal_{name}_{page}", args=args)


def test_list_and_page_open(record, browser, alice, root, sign_in):
    administrator = sign_in(root)
    for name, row in (record | {"user": alice}).items():
        listed = browser.get(url(name, "changelist"))
        shown = administrator.get(url(name, "change", row.pk))
        assert listed.status_code == shown.status_code == 200, name
        assert url(name, "change", row.pk) in listed.text, name
        for words in ('name="_save"', 'class="addlink"', "deletelink", "<style", " style="):
            assert words not in listed.text + shown.text, name
        assert alice.password.split("$")[2] not in listed.text + shown.text


def test_not_even_a_superuser_deletes_from_a_list(record, alice, root, sign_in):
    """That nobody adds, changes or deletes on a page is in the table of all addresses."""
    browser = sign_in(root)
    for name, row in (record | {"user": alice}).items():
        data = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes", "index": 0}
        browser.post(url(name, "changelist"), data)
        assert type(row).objects.filter(pk=row.pk).exists(), name


def test_an_address_of_no_row_is_no_error(record, browser):
    for name, key in itertools.product(record, ("99999999999999999999999", "nonsense", "9_99999")):
        assert browser.get(f"/admin/portal/{name}/{key}/change/").status_code == 302, (name, key)


def find_events_url(browser, name: str, row: Model) -> str:
    """Where the page of the row leads to its events."""
    page = browser.get(url(name, "change", row.pk)).text
    (link,) = re.findall(r'<a href="(/admin/portal/event/\?[^"]*)">Events</a>', page)
    return html.unescape(link)


def test_every_object_leads_to_its_events_and_its_history(record, browser):
    for name, row in record.items():
        link, history = find_events_url(browser, name, row), url(name, "history", row.pk)

        assert browser.get(link).status_code == 200, name
        if audited_rows.find_kind(row=row):
            assert f'<a href="{history}">History</a>' in browser.get(url(name, "change", row.pk)).text, name
            assert browser.get(history).status_code == 200, name
        else:
            assert browser.get(history).url == link, name
        assert browser.get(url(name, "history", 999_999)).status_code == 404, name


def test_the_models_above_are_all_that_the_admin_shows(record):
    assert {model._meta.model_name for model in admin.site._registry} == {*record, "user", "group"}


def test_events_are_of_just_that_object(record, alice, browser):
    workspace, look = record["workspace"], record["scan"]
    of_request = record["event"]
    rows.create_event(alice, target="request R-999", request_number=999)
    settled = rows.create_event(None, verb="reconcile", target="request R-5", at=look.begun_at + timedelta(seconds=1))
    rows.create_event(None, verb="reconcile", target="request R-6", at=look.begun_at - timedelta(seconds=1))
    expected = {
        "workspace": (workspace, [of_request]),
        "scan": (look, [settled]),
        "seal": (record["seal"], [of_request]),
    }

    for name, (row, events) in expected.items():
        assert list(browser.get(find_events_url(browser, name, row)).context["cl"].result_list) == events, name


def test_no_page_reads_the_ids_in_a_seal(record, browser):
    pages = [url(name, "change", record[name].pk) for name in ("seal", "event")]
    with CaptureQueriesContext(connection) as queries:
        for address in (url("seal", "changelist"), *pages, "/admin/", "/admin/portal/event/?seal=1"):
            assert browser.get(address).status_code == 200
    assert any("portal_seal" in query["sql"] for query in queries)
    assert not [query["sql"] for query in queries if '"portal_seal"."ids"' in query["sql"]]


def test_what_belongs_to_nobody_has_a_page(browser):
    gone = write_event(actor_id=987654, actor_name="gone", verb="new-verb", target="x", request_number=5)
    orphan, workspace = rows.create_workstation(None), rows.create_workspace(None)
    for name, row in (("event", gone), ("workstation", orphan), ("workspace", workspace)):
        assert browser.get(url(name, "change", row.pk)).status_code == 200, name
