"""What the check of the audit log has found: who sees the log is told on every page, and operators acknowledge it."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import models
from portal.services.audit import watch
from tests import factories
from tests.admin import rows
from tests.audit.conftest import tamper
from tests.audit.watching import check_hour_later

pytestmark = pytest.mark.django_db
LIST = "/admin/portal/finding/"


def page_of(finding: models.Finding, page: str = "change") -> str:
    return f"{LIST}{finding.pk}/{page}/"


def read_text(page: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", " ", page)).split())


@pytest.fixture
def finding(alice, monkeypatch) -> models.Finding:
    """What a check has found of a request that was changed outside the portal."""
    portal_request = factories.submit(alice)
    tamper("UPDATE portal_request SET type = 'max' WHERE id = %s", portal_request.pk)
    check_hour_later(monkeypatch)
    return models.Finding.objects.get()


# --- The banner ---

PAGES = ("/", "/requests/", "/key/", "/unknown/", "/accounts/", "/nowhere/", "/admin/", LIST, "/admin/portal/event/")
BANNER = 'aria-label="The audit log"'


@pytest.mark.parametrize("who", ["anna", "olga", "root"])
def test_whoever_sees_the_audit_log_is_told_on_every_page(who, finding, request, sign_in):
    browser = sign_in(request.getfixturevalue(who))
    for page in PAGES:
        words = browser.get(page).text
        assert "1 finding in the audit log is open." in words, page
        assert f'href="{LIST}?state=open"' in words, page
    rows.create_finding()
    assert "2 findings in the audit log are open." in browser.get("/").text
    for one in models.Finding.objects.all():
        watch.acknowledge_finding(actor=request.getfixturevalue(who), finding=one, reason="x")
    for page in PAGES:
        assert BANNER not in browser.get(page).text, page


def count_queries(browser, page: str) -> tuple[int, int]:
    """All of them, and those that ask for findings."""
    browser.get(page)
    with CaptureQueriesContext(connection) as queries:
        browser.get(page)
    return len(queries), sum("portal_finding" in query["sql"] for query in queries)


def test_it_costs_others_no_query_and_whoever_sees_it_one(alice, anna, sign_in):
    member, auditor = sign_in(alice), sign_in(anna)
    theirs = [page for page in PAGES if page != "/unknown/" and not page.startswith("/admin/")]
    before = [count_queries(member, page) for page in theirs]
    for number in range(5):
        rows.create_finding(what=f"request R-{number}")
    assert [count_queries(member, page) for page in theirs] == before
    assert {findings for _, findings in before} == {0}
    assert {count_queries(auditor, page)[1] for page in PAGES if page != LIST} == {1}
    assert count_queries(auditor, "/key/banner/")[1] == 0  # a part of a page
    assert BANNER not in member.get("/").text


def test_to_see_everything_alone_is_not_to_see_the_audit_log(finding, sign_in):
    guest = factories.create_user("guest")
    guest.user_permissions.set(Permission.objects.filter(codename="see_all"))
    browser = sign_in(guest)
    assert BANNER not in browser.get("/").text + browser.get("/admin/").text
    assert browser.get(LIST).status_code == browser.get(page_of(finding)).status_code == 403


# --- The pages ---


def test_the_list_says_what_was_found_and_who_acknowledged_it_and_why(finding, anna, olga, sign_in):
    browser = sign_in(anna)
    number = finding.what.partition("-")[2]
    text = read_text(browser.get(LIST).text)
    assert re.search(
        rf"Request R-{number} \d+ \w+ \d{{4}}, [\d:]+ row changed type has type \"max\": event \d+ left", text
    )
    watch.acknowledge_finding(actor=olga, finding=finding, reason="We tried it out.")
    other = rows.create_finding(what="event 5", words="was removed; it was of 2026-01-01 00:00:00.000000 UTC.")
    text = read_text(browser.get(LIST).text)
    assert re.search(r"left \"python\"\. \d+ \w+ \d{4}, [\d:]+ olga We tried it out\.", text)
    assert list(browser.get(LIST, {"state": "open"}).context["cl"].result_list) == [other]
    assert list(browser.get(LIST, {"state": "acknowledged"}).context["cl"].result_list) == [finding]
    assert list(browser.get(LIST, {"q": f"R-{number}"}).context["cl"].result_list) == [finding]


def test_its_page_leads_to_the_events_and_to_the_row_s_history(finding, alice, anna, sign_in):
    number = finding.what.partition("-")[2]
    submitted = models.Event.objects.get(verb="submit")
    page = sign_in(anna).get(page_of(finding)).text
    assert f'<a href="/admin/portal/event/{submitted.pk}/change/">{submitted}</a>' in page
    assert f'<a href="/admin/portal/request/{number}/history/">History of request R-{number}</a>' in page
    assert f'<a href="{page_of(finding, "history")}">History</a>' in page
    of_event = rows.create_finding(what=f"event {submitted.pk}", words="was changed, and event 77777777777777777777.")
    page = sign_in(anna).get(page_of(of_event)).text
    assert f'<a href="/admin/portal/event/{submitted.pk}/change/">' in page
    assert "History of" not in page


@pytest.mark.parametrize(
    ("what", "address"),
    [
        ("request R-7", "portal/request/7"),
        ("late response 3", "portal/lateresponse/3"),
        ("person 2", "portal/user/2"),
        ("group 1", "auth/group/1"),
        ("workstation type 12", "portal/workstationtype/12"),
    ],
)
def test_each_kind_of_row_has_a_history(what, address, anna, sign_in):
    page = sign_in(anna).get(page_of(rows.create_finding(what=what))).text
    assert f'<a href="/admin/{address}/history/">History of {what}</a>' in page


def test_lists_and_pages_of_many_findings_cost_as_much_as_of_one(anna, olga, sign_in):
    browser = sign_in(anna)
    rows.create_finding()
    few = count_queries(browser, LIST)
    for number in range(20):
        one = rows.create_finding(what=f"request R-{number}")
        watch.acknowledge_finding(actor=olga, finding=one, reason=f"Reason {number}.")
    assert count_queries(browser, LIST) == few
    assert "Reason 19." in browser.get(LIST).text


# --- Acknowledging ---


def test_operators_acknowledge_with_a_reason_and_auditors_look_on(finding, alice, anna, olga, sign_in):
    address, said = page_of(finding, "acknowledge"), {"reason": "The disk has failed."}
    assert f'action="{address}"' not in sign_in(anna).get(page_of(finding)).text
    assert "An operator acknowledges it." in sign_in(anna).get(page_of(finding)).text
    for person in (alice, anna):
        assert sign_in(person).post(address, said).status_code == 403
    browser = sign_in(olga)
    assert f'action="{address}"' in browser.get(page_of(finding)).text
    for nothing in ({}, {"reason": " "}, {"reason": "x" * 501}):
        assert page_of(finding) == browser.post(address, nothing).url
    assert "Say why" in browser.get(page_of(finding)).text
    assert watch.count_open() == 1

    response = browser.post(address, said, follow=True)

    assert "Noted" in response.text
    event = models.Event.objects.get(verb="acknowledge-finding")
    assert (event.actor_name, event.reason) == ("olga", "The disk has failed.")
    finding.refresh_from_db()
    assert finding.acknowledged_by == olga
    assert "Somebody has acknowledged" in browser.post(address, {"reason": "Again."}, follow=True).text
    assert models.Event.objects.filter(verb="acknowledge-finding").count() == 1
    page = browser.get(page_of(finding)).text
    assert f'action="{address}"' not in page
    assert "The disk has failed." in page
    assert browser.post(f"{LIST}999999/acknowledge/", said).status_code == 404
    assert browser.get(address).status_code == 405
