"""Live parts: what a poll costs, when it gets a response, and when there are no more."""

import re
from datetime import timedelta
from functools import partial
from html import unescape

import pytest
from django.utils import timezone

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts
from portal.services.requests import fair_queue, submissions
from portal.services.runtime import workers
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db

POLL = {"HX-Request": "true"}


@pytest.fixture
def workstation(alice) -> models.Workstation:
    account = accounts.get_current_account()
    portal_request = rows.create_request(alice, account=account)
    return rows.create_workstation(portal_request, account=account, uid="machine", raw="{}")


def read_line(response) -> str:
    """The answer on one line, whatever the lines of its templates, with nothing between a title and its tags."""
    return " ".join(response.text.split()).replace("<title> ", "<title>").replace(" </title>", "</title>")


def read_poll(response, *, place: str = "live") -> str:
    """Where the part asks next; empty where it does not."""
    element = re.search(rf'<div id="{place}".*?>', read_line(response))
    assert element, "the live part is missing"
    address = re.search(r'data-hx-get="(.+?)" data-hx-trigger="poll"', element[0])
    return unescape(address[1]) if address else ""


def pause_key() -> None:
    models.Key.objects.update(state="PAUSED", cause="402", paused_at=Now(), operator_only=True)


def resume_key() -> None:
    models.Key.objects.update(state="RESUMING", paused_at=None, operator_only=False)


def change_request() -> None:
    portal_request = models.Request.objects.get()
    submissions.cancel_request(actor=portal_request.requester, portal_request=portal_request)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        *((path, change_request) for path in ("/", "/requests/", "/requests/{number}/")),
        *(("/key/", partial(workers.note_worker, name="w")), ("/failures/", pause_key)),
    ],
)
def test_a_poll_without_news_is_empty_and_one_with_news_brings_the_part(
    sign_in, alice, django_assert_max_num_queries, path, change
):
    number = factories.submit(alice).pk
    browser = sign_in(alice)
    place = "pause" if path == "/failures/" else "live"
    poll = read_poll(browser.get(path.format(number=number)), place=place)
    with django_assert_max_num_queries(7):
        quiet = browser.get(poll, headers=POLL)
    assert (quiet.status_code, quiet.content) == (204, b"")

    change()
    news = browser.get(poll, headers=POLL)
    assert news.status_code == 200
    assert f'id="{place}"' in news.text
    assert "<html" not in news.text
    again = read_poll(news, place=place)
    assert not again or browser.get(again, headers=POLL).status_code == 204


def test_a_workstation_s_poll_brings_news_until_it_has_ended(sign_in, alice, workstation):
    browser = sign_in(alice)
    poll = read_poll(browser.get("/workstations/machine/"))
    assert browser.get(poll, headers=POLL).status_code == 204
    models.Workstation.objects.update(refreshed_at=Now() + timedelta(minutes=1))
    assert browser.get(poll, headers=POLL).status_code == 200

    models.Workstation.objects.update(raw='{"status": "odd"}', status="odd")
    news = browser.get(poll, headers=POLL)
    assert "<title>odd: Python, workstation machine – Workstations</title>" in read_line(news)
    factories.end_workstations()
    ended = browser.get(read_poll(news), headers=POLL)
    assert read_poll(ended) == ""
    assert "icons/off" in ended.text


def test_news_bring_the_title_and_the_icon_and_what_has_ended_leaves_the_notice_of_a_pause_to_ask(sign_in, alice):
    number = factories.submit(alice).pk
    browser = sign_in(alice)
    page = browser.get(f"/requests/{number}/")
    assert read_poll(page, place="pause") == ""
    assert f"<title>Queued: Python, R-{number} – Workstations</title>" in read_line(page)
    assert '<link rel="icon" id="icon" href="/static/icons/busy.svg" type="image/svg+xml">' in page.text
    change_request()
    news = browser.get(read_poll(page), headers=POLL)
    assert f"<head> <title>Cancelled: Python, R-{number} – Workstations</title> </head>" in read_line(news)
    assert re.search(r' id="icon" href="/static/icons/off.svg"[^>]* data-hx-swap-oob="outerMorph">', read_line(news))
    for ended in (news, browser.get(f"/requests/{number}/")):
        assert read_poll(ended) == ""
        assert read_poll(ended, place="pause").startswith("/key/banner/")
    assert read_poll(browser.get("/requests/")) == ""


@pytest.mark.parametrize("path", ["/", "/requests/", "/requests/{number}/", "/workstations/machine/", "/key/"])
def test_a_pause_comes_with_the_part_that_the_page_has_and_its_end_is_said(sign_in, alice, workstation, path):
    number = factories.submit(alice).pk
    models.Worker.objects.create(name="one", seen_at=timezone.now() + timedelta(days=1))
    browser = sign_in(alice)
    page = browser.get(path.format(number=number))
    assert "data-late" in page.text

    pause_key()
    held = browser.get(read_poll(page), headers=POLL)
    assert "Requests are paused for the whole team" in held.text
    assert 'id="pause" aria-live="polite" data-hx-swap-oob="outerMorph"' in read_line(held)

    models.Key.objects.update(cause="401")
    other_cause = browser.get(read_poll(held), headers=POLL)
    assert "API key rejected" in other_cause.text

    resume_key()
    resuming = browser.get(read_poll(other_cause), headers=POLL)
    assert "Resuming: the next request tests" in resuming.text
    models.Key.objects.update(state="ACTIVE", cause="")
    over = browser.get(read_poll(resuming), headers=POLL)
    assert "Requests are being sent again" in over.text
    assert browser.get(read_poll(over), headers=POLL).status_code == 204
    assert "Requests are being sent again" not in browser.get(path.format(number=number)).text


def test_the_history_keeps_the_rows_that_it_shows(sign_in, alice, bob):
    first, of_bob = factories.submit(alice), factories.submit(bob)
    browser = sign_in(alice)
    poll = read_poll(browser.get("/requests/?status=QUEUED"))
    factories.submit(alice)
    assert browser.get(poll, headers=POLL).status_code == 204

    submissions.cancel_request(actor=alice, portal_request=first)
    news = browser.get(poll, headers=POLL)
    assert [row.pk for row in news.context["rows"]] == [first.pk]
    assert "Cancelled" in news.text
    odd = browser.get("/requests/live/", {"numbers": f"x,{of_bob.pk},\u0663,{'9' * 30},-1,"}, headers=POLL)
    assert list(odd.context["rows"]) == []


def read_soon(browser, number: int) -> float:
    """Seconds between a page's first polls; 0 where they come no sooner than the others."""
    text = browser.get(f"/requests/{number}/").text
    found = re.search(r' id="live"[^>]* data-soon="([0-9.]+)"', text)
    assert found or " data-soon" not in text
    return float(found[1]) if found else 0


def test_what_is_about_to_change_asks_soon(sign_in, alice, settings):
    settings.PORTAL_CALLS_IN_FLIGHT = 1
    first, second = factories.submit(alice).pk, factories.submit(alice).pk
    browser = sign_in(alice)
    assert [read_soon(browser, number) for number in (first, second)] == [0.3, 0]
    pause_key()
    assert not read_soon(browser, first)
    resume_key()
    models.Request.objects.filter(pk=first).update(next_attempt_at=Now())
    assert not read_soon(browser, first)
    factories.claim()
    assert read_soon(browser, first) == 0.3
    models.Request.objects.filter(pk=first).update(status="UNKNOWN", failure="no-answer", was_unknown=True)
    assert [read_soon(browser, number) for number in (first, second)] == [0, 0.3]
    assert all(" data-soon" not in browser.get(path).text for path in ("/", "/requests/", "/key/"))


def test_a_position_counts_though_the_requests_before_it_have_been_claimed_meanwhile(alice):
    factories.submit(alice)
    factories.claim()
    # 15 places are free, and one call began just now.
    assert fair_queue.count_soon(key=models.Key.objects.get()) == (1, 16)


def test_signed_out_a_poll_is_told_where_to_sign_in_and_come_back(client, workstation):
    headers = POLL | {"HX-Current-URL": "http://testserver/requests/?status=QUEUED"}
    target = "/accounts/login/?next=/requests/%3Fstatus%3DQUEUED"
    for page in ("", "requests/", f"requests/{workstation.request_id}/", "workstations/machine/", "key/"):
        response = client.get(f"/{page}live/", headers=headers)
        assert (response.status_code, response["HX-Redirect"]) == (401, target)
