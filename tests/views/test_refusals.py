"""What somebody is refused is in the audit log, but nobody fills it by trying again and again."""

import pytest
from django.db.models import F

from portal import models
from portal.services.limits import limits
from tests import factories
from tests.browser import Browser

pytestmark = pytest.mark.django_db


def list_refusals() -> list[tuple[str, str, int]]:
    rows = factories.list_events("refused").order_by("id")
    return [(event.actor_name, event.target, event.detail["status"]) for event in rows]


def test_what_a_member_may_not_do_or_see_is_recorded(alice, bob, sign_in):
    theirs = factories.submit(bob)
    browser = sign_in(alice)
    assert browser.post("/key/resume/").status_code == 403
    assert browser.get(f"/requests/{theirs.pk}/").status_code == 404
    assert browser.post(f"/requests/{theirs.pk}/cancel/").status_code == 404
    assert list_refusals() == [
        ("alice", "POST /key/resume/", 403),
        ("alice", f"GET /requests/{theirs.pk}/", 404),
        ("alice", f"POST /requests/{theirs.pk}/cancel/", 404),
    ]


def test_a_form_without_its_token_is_recorded(alice):
    browser = Browser(enforce_csrf_checks=True)
    factories.sign_in(browser, alice)
    browser.cookies["csrftoken"] = "x" * 32
    response = browser.post("/requests/new/", {"type": "python"})
    assert (response.status_code, "Go back" in response.text) == (403, True)
    assert list_refusals() == [("alice", "POST /requests/new/", 403)]


def test_the_token_of_a_link_an_address_that_leads_nowhere_and_who_is_signed_out_are_not(client, alice, sign_in):
    assert client.get("/requests/1/").status_code == 302
    assert [sign_in(alice).get(path).status_code for path in ("/nowhere/", "/setup/some-token/")] == [404, 404]
    assert list_refusals() == [("alice", "GET /setup/.../", 404)]


def test_after_ten_in_a_minute_the_others_are_counted(alice, sign_in, settings):
    settings.PORTAL_LIMITS = True
    browser = sign_in(alice)
    for _ in range(13):
        assert browser.post("/key/resume/").status_code == 403
    assert len(list_refusals()) == 11
    models.Limit.objects.update(at=F("at") - limits.MINUTE)
    for _ in range(11):
        browser.post("/key/resume/")
    assert factories.list_events("refused").latest("id").detail == {"status": 403, "left_out": 2}
