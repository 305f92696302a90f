"""Sentences that are true at the moment at which they are read."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from portal import models
from portal.models.clock import Now
from portal.services.audit import nightly
from portal.services.key import accounts
from tests import factories
from tests.admin import rows
from tests.browser import read
from tests.services.test_running import set_limits

pytestmark = pytest.mark.django_db


def have(person: models.User, **values: object) -> models.Workstation:
    portal_request = factories.submit(person)
    succeeded = {"status": "SUCCEEDED", "ended_at": Now(), "took": 1}
    models.Request.objects.filter(pk=portal_request.pk).update(**succeeded)
    return rows.create_workstation(portal_request, account=portal_request.account, **values)


def test_a_request_whose_workstation_has_ended_is_not_called_ready(sign_in, alice):
    ended, browser = have(alice, ended_at=Now()), sign_in(alice)
    detail = f"/requests/{ended.request_id}/"
    for path in ("/", "/requests/", detail):
        page = browser.get(path).text
        assert "<bdi>Ended</bdi>" in page, path
        assert "<bdi>Ready</bdi>" not in page, path
    assert 'data-request-status="succeeded"' in browser.get(detail).text
    have(alice)
    assert "<bdi>Ready</bdi>" in browser.get("/requests/").text


def test_one_count_of_what_runs_is_on_all_pages(sign_in, alice, bob, olga):
    have(alice, uid="machine"), have(bob), have(bob, ended_at=Now())
    factories.submit(alice)
    rows.create_workstation(None, account=accounts.get_current_account(), listed_tick=10**6)
    browser = sign_in(olga)
    assert browser.get("/usage/").context["live"] == 3
    assert {one.label: one.value for one in browser.get("/").context["overview"]["now"]}["Running"] == 3
    assert "3 workstations run now." in read(browser.get("/limits/"))
    status = read(browser.get("/key/"))
    assert "no request here is linked to them" in status
    mine = read(sign_in(alice).get("/workstations/machine/"))
    assert (status.count("billed"), mine.count("billed")) == (1, 1), "nothing is, by the sandbox"


def test_what_is_full_offers_what_can_be_released_above_the_form(sign_in, alice, bob):
    mine, others, browser = have(alice), have(bob), sign_in(alice)
    waiting = factories.submit(alice)
    set_limits(person=3)
    assert "/release/" not in browser.get("/requests/new/").text
    set_limits(person=2)
    above = browser.get("/requests/new/").text.partition('action="/requests/new/"')[0]
    release = f"/workstations/{mine.uid}/release/"
    shown = [f'action="{path}"' in above for path in (release, f"/requests/{waiting.pk}/cancel/", others.uid)]
    assert shown == [True, True, False]
    assert "Release requested. The files stay in the workspace." in read(browser.post(release, follow=True))
    mine.refresh_from_db()
    assert mine.release_requested_at
    assert release not in browser.get("/requests/new/").text


def test_a_check_says_when_it_was_of_how_many_and_how_many_are_newer(sign_in, anna, alice):
    factories.submit(alice)
    factories.acquire_lease(name="check").run(nightly.check_log)
    number, browser = models.LogCheck.objects.get().counts["events"], sign_in(anna)
    newer = models.Event.objects.count() - number
    page = " ".join(read(browser.get("/audit-log/")).split())
    assert f"all {number} events, every seal and every audited row were as the portal wrote them. {newer} event" in page
    assert "Intact at" in page


def test_what_is_usual_is_not_the_slowest_of_five_and_said_in_minutes(sign_in, alice, olga):
    for took in (65, 65, 65, 65, 640):
        begun = timezone.now() - timedelta(seconds=took)
        rows.create_request(alice, status="SUCCEEDED", created_at=begun, ended_at=begun + timedelta(seconds=took))
    day = sign_in(olga).get("/").context["overview"]["day"]
    assert "1 min 05 s" in {one.value for one in day}


def test_who_is_to_confirm_reads_why_and_who_waits_for_a_pause_how_long(sign_in, alice):
    browser = sign_in(alice)
    assert "Somebody else could use this browser while you are away" in read(browser.get("/accounts/confirm/"))
    accounts.get_current_account()
    models.Key.objects.update(state="PAUSED", cause="429", paused_at=Now(), paused_until=Now() + timedelta(seconds=90))
    left = re.search(r'data-left="([0-9]+)"', browser.get("/").text)
    assert left
    assert 60 < int(left[1]) <= 90


def test_a_time_that_has_moved_says_so(sign_in, alice):
    portal_request, words = factories.submit(alice), "the request was sent again"
    models.Request.objects.update(status="UNKNOWN", failure="no-answer", was_unknown=True)
    shown = []
    for number in (1, 2):
        rows.create_attempt(portal_request, number=number, outcome="UNKNOWN", failure="no-answer", ended_at=Now())
        shown.append(words in read(sign_in(alice).get(f"/requests/{portal_request.pk}/")))
    assert shown == [False, True]
