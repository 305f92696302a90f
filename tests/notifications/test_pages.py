"""The bell, the list of what somebody was told, and the page of channels."""

import re
from datetime import timedelta

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker
from portal.services.mirrors import releases
from portal.services.notifications import channels
from portal.services.search import paging
from portal.views import notifications
from tests import factories
from tests.browser import forget_password
from tests.notifications.conftest import send_to
from tests.notifications.test_telling import fail

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/notifications/"


def find_bell(page: str) -> str:
    found = re.search(r'<span class="vh">Notifications</span>(.*?)</a>', page, re.DOTALL)
    assert found is not None
    return " ".join(re.sub("<[^>]+>", " ", found[1]).split())


def add(person: models.User, count: int = 1, **values: object) -> list[models.Notification]:
    rows = [
        models.Notification(
            person=person, kind="failed", request_number=number, values={"failure": "402"}, events=[number], **values
        )
        for number in range(1, count + 1)
    ]
    return models.Notification.objects.bulk_create(rows)


def test_the_bell_counts_what_is_unread(tell, alice, bob, olga, sign_in):
    assert find_bell(sign_in(alice).get("/").text) == ""
    fail(alice, olga)
    tell()
    assert find_bell(sign_in(alice).get("/").text) == "1 unread"
    assert find_bell(sign_in(bob).get("/").text) == ""
    add(alice, 99)
    assert find_bell(sign_in(alice).get("/requests/").text) == "99+ unread"


def test_opening_one_marks_it_read_and_leads_there(tell, alice, olga, sign_in):
    [failed] = fail(alice, olga)
    [row] = tell()
    browser = sign_in(alice)
    page = browser.get(PAGE).text
    assert f"R-{failed.pk} failed: " in page
    assert "Mark all as read" in page
    assert browser.post(f"{PAGE}{row.pk}/").url == f"/requests/{failed.pk}/"
    page = browser.get(PAGE).text
    assert f'<a href="/requests/{failed.pk}/">R-{failed.pk} failed: ' in page
    assert "Mark all as read" not in page
    assert find_bell(page) == ""


def test_a_share_of_what_has_ended_says_so_and_leads_nowhere(sandbox, alice, bob, sign_in):
    row = factories.create_workstation(alice)
    [told] = add(bob)
    factories.update(told, kind="shared", workstation=row.uid)
    browser, words = sign_in(bob), "The workstation has ended since."
    assert words not in browser.get(PAGE).text
    assert browser.post(f"{PAGE}{told.pk}/").url == "/"
    with factories.unprotected():
        models.Workstation.objects.update(status="completed", ended_at=Now())
    assert words in browser.get(PAGE).text
    assert browser.post(f"{PAGE}{told.pk}/").url == PAGE


def test_all_are_marked_read_up_to_the_newest_that_was_shown(alice, sign_in):
    *_, shown, later = add(alice, 5)
    browser = sign_in(alice)
    assert browser.post(f"{PAGE}{shown.pk}/", {"all": "yes"}).url == PAGE
    assert find_bell(browser.get(PAGE).text) == "1 unread"
    assert models.Notification.objects.get(read_at=None) == later


def test_what_is_somebody_else_s_is_not_there(alice, bob, sign_in):
    [row] = add(alice)
    browser = sign_in(bob)
    assert "failed" not in browser.get(PAGE).text.partition("<main")[2].partition("By mail")[0]
    assert browser.post(f"{PAGE}{row.pk}/").status_code == 404
    assert browser.post(f"{PAGE}{row.pk}/", {"all": "yes"}).status_code == 404
    assert factories.reread(row).read_at is None


def test_new_ones_come_first_and_the_rest_in_pages(alice, sign_in, monkeypatch):
    monkeypatch.setattr(paging, "PAGE_SIZE", 3)
    monkeypatch.setattr(notifications, "_MOST_NEW", 2)
    add(alice, 4, read_at=Now())
    add(alice, 3)
    browser = sign_in(alice)
    page = browser.get(PAGE).text
    assert re.findall(r"R-(\d) failed: [^<]*</(?:b|a)>", page) == ["3", "2", "4", "3", "2"]
    older = re.findall(r'href="(\?before=\d+)"', page)[0]
    page = browser.get(PAGE + older).text
    assert re.findall(r"R-(\d) failed: [^<]*</(?:b|a)>", page) == ["1"]


def test_what_others_have_written_is_escaped(tell, sandbox, alice, olga, sign_in):
    stored = factories.create_workstation(alice)
    shown = {"type": "<script>alert(1)</script>"}
    releases.request_release(actor=olga, workstation=stored, reason="<b>Because</b>")
    (row,) = tell()
    factories.update(row, values=row.values | shown)
    page = sign_in(alice).get(PAGE).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "olga: &lt;b&gt;Because&lt;/b&gt;" in page


def test_one_of_a_kind_that_is_gone_is_still_shown(alice, sign_in):
    add(alice)
    models.Notification.objects.update(kind="former")
    assert sign_in(alice).get(PAGE).status_code == 200


# --- Channels ---


def test_administrators_see_what_was_sent_and_what_failed_without_secrets(tell, serve, root, olga, sign_in):
    receiver = serve()
    circuit_breaker.pause_key(actor=olga, account=accounts.get_current_account(), reason="x")
    tell()
    browser = sign_in(root)
    page = browser.get(f"{PAGE}channels/").text
    assert "json://127.0.0.1" in page
    assert "Waiting" in page
    send_to(receiver.channel)
    assert "Sent" in browser.get(f"{PAGE}channels/").text
    models.Notification.objects.exclude(channel="").update(
        sent_at=None, failure="HTTP 500", send_due_at=Now() + timedelta(minutes=1)
    )
    page = browser.get(f"{PAGE}channels/").text
    assert "(HTTP 500)" in page
    assert "Not sent yet" in page
    models.Notification.objects.exclude(channel="").update(send_due_at=None)
    page = browser.get(f"{PAGE}channels/").text
    assert "Given up" in page
    assert "secret" not in page


def test_a_test_goes_to_each_channel_once(serve, root, sign_in):
    first, second = serve(), serve()
    browser = sign_in(root)
    for _ in range(2):
        assert browser.post(f"{PAGE}channels/").url == f"{PAGE}channels/"
    assert models.Notification.objects.count() == 2
    for receiver in (first, second):
        send_to(receiver.channel)
        assert [taken["title"] for taken in receiver.taken] == ["A test of this channel"]
    browser.post(f"{PAGE}channels/")
    assert models.Notification.objects.filter(send_due_at__isnull=False).count() == 2
    forget_password(browser)
    assert channels.describe(url=first.channel) in browser.get(f"{PAGE}channels/").text
    assert browser.post(f"{PAGE}channels/").url.startswith("/accounts/confirm/")


def test_without_channels_the_page_says_so(root, sign_in):
    assert "There are no channels." in sign_in(root).get(f"{PAGE}channels/").text
