"""The page of a request in the admin has its life, step by step as its own page says it, and beside it all columns."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.services.reports import timeline
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


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


def test_it_says_to_nobody_more_than_they_may_see(alice, olga, sign_in):
    guest = factories.create_user("guest")
    guest.user_permissions.set(Permission.objects.filter(codename__in=("see_all", "view_request")))
    asked = rows.create_request(alice, note="For Friday.")
    rows.create_attempt(asked)
    rows.create_event(olga, verb="close", request_number=asked.pk, target=f"request {asked.label}", reason="secret")
    page = sign_in(guest).get(f"/admin/portal/request/{asked.pk}/change/").text
    assert "For Friday." in page
    assert "secret" not in page
    assert "credits are used up" not in page


def test_it_costs_the_same_however_much_happened(alice, browser):
    asked = rows.create_request(alice)

    def count() -> int:
        rows.create_late_response(rows.create_attempt(asked))
        rows.create_event(alice, verb="evidence", request_number=asked.pk, target=f"request {asked.label}")
        browser.get(f"/admin/portal/request/{asked.pk}/change/")
        with CaptureQueriesContext(connection) as queries:
            browser.get(f"/admin/portal/request/{asked.pk}/change/")
        return len(queries)

    few = count()
    for _ in range(3):
        last = count()
    assert last == few <= 16
