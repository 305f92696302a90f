"""How long one stays signed in, where one is, what needs the password again, and what of it is in the audit log."""

import time
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone

from portal import models
from portal.services.people import sessions
from portal.web import sessionstore
from tests import factories
from tests.browser import Browser, forget_password

pytestmark = pytest.mark.django_db
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def sign_in(client: Browser, name: str = "alice", password: str = factories.PASSWORD):
    values = {"username": name, "password": password}
    return client.post("/accounts/login/", values, HTTP_USER_AGENT=AGENT, REMOTE_ADDR="203.0.113.9")


def begin(name: str = "alice") -> Browser:
    sign_in(browser := Browser(), name)
    return browser


def set_back(*, seen: float) -> None:
    models.Session.objects.update(seen_at=timezone.now() - timedelta(seconds=seen))


def get_seen() -> datetime:
    seen_at = models.Session.objects.get().seen_at
    assert seen_at is not None
    return seen_at


def test_the_key_of_a_session_is_not_in_the_database(client, alice):
    sign_in(client)
    key = client.cookies["sessionid"].value
    row = models.Session.objects.get()
    assert row.session_key == sessionstore.hash_key(key) != key
    assert (row.user, row.address, row.browser) == (alice, "203.0.113.9", AGENT)
    # What stands there is no key.
    client.cookies["sessionid"] = row.session_key
    assert client.get("/").status_code == 302


def test_whose_a_session_is_stands_in_what_is_signed_and_in_no_column(client, alice, root):
    sign_in(client)
    models.Session.objects.update(user=root)
    assert client.get("/").context["user"] == alice
    assert client.get("/admin/").status_code == 403


@pytest.mark.parametrize(
    ("who", "idle", "status"),
    [("alice", 3600, 200), ("alice", 4 * 3600 + 60, 302), ("anna", 1700, 200), ("anna", 1900, 302)],
)
def test_whoever_does_nothing_is_signed_out_sooner_where_everything_is_seen(client, alice, anna, who, idle, status):
    sign_in(client, who)
    set_back(seen=idle)
    assert client.get("/requests/").status_code == status
    assert models.Session.objects.filter(user__isnull=False).exists() == (status == 200)


def test_a_page_that_asks_by_itself_does_nothing(client, anna):
    sign_in(client, "anna")
    set_back(seen=1700)
    before = get_seen()
    assert client.get("/key/banner/", headers={"HX-Request": "true"}).status_code == 200
    assert get_seen() == before
    set_back(seen=1900)
    assert client.get("/key/banner/", headers={"HX-Request": "true"}).status_code == 401


def test_activity_is_written_once_a_minute(client, alice):
    sign_in(client)
    expires = models.Session.objects.get().expire_date
    for age, is_noted in ((50, False), (61, True), (-3600, True)):
        set_back(seen=age)
        before = get_seen()
        client.get("/")
        assert (get_seen() != before) == is_noted
    assert models.Session.objects.get().expire_date == expires, "it ends after twelve hours all the same"


def test_one_sees_where_one_is_signed_in_and_signs_out_elsewhere(alice, bob):
    here, there, others = begin(), begin(), begin("bob")
    forget_password(here)
    page = " ".join(here.get("/accounts/").text.split())
    assert page.count("<p> Firefox on Linux") == 2
    assert page.count("this browser") == 1
    assert "203.0.113.9" in page

    foreign = models.Session.objects.get(user=bob).session_key
    elsewhere = sessionstore.hash_key(there.cookies["sessionid"].value)
    here.post("/accounts/sessions/end/", {"session": [foreign, elsewhere]})
    assert [browser.get("/").status_code for browser in (here, there, others)] == [200, 302, 200]
    assert factories.find_event("end-sessions").detail == {"browsers": [f"203.0.113.9 {AGENT}"]}
    then, later = begin(), begin()
    assert "Sign out everywhere else" in here.get("/accounts/").text
    asked = here.post("/accounts/sessions/end/", {"session": "others"})
    assert asked.headers["Location"] == "/accounts/confirm/?next=%2Faccounts%2F"
    assert then.get("/").status_code == 200
    here.post("/accounts/confirm/", {"password": factories.PASSWORD})
    here.post("/accounts/sessions/end/", {"session": "others"})
    assert [browser.get("/").status_code for browser in (here, then, later, others)] == [200, 302, 302, 200]


def test_a_new_password_ends_all_other_sessions_and_is_recorded(alice):
    here, there = begin(), begin()
    new = "another long passphrase"
    values = {"new_password1": new, "new_password2": new}
    here.post("/accounts/password/", values | {"old_password": "wrong"})
    response = here.post("/accounts/password/", values | {"old_password": factories.PASSWORD})
    assert response["Location"] == "/accounts/password/changed/"
    assert [browser.get("/").status_code for browser in (here, there)] == [200, 302]
    alice.refresh_from_db()
    assert alice.check_password(new)
    assert len(sessions.list_sessions(person=alice)) == 1
    assert [event[:2] for event in read_events()[2:]] == [("sign-in-failed", ""), ("change-password", "alice")]


def test_sessions_that_are_over_are_deleted(alice, bob):
    begin()
    begin("bob")
    models.Session.objects.filter(user=bob).update(expire_date="2020-01-01T00:00:00Z")
    factories.acquire_lease(name="sessions", holder="me", seconds=60).run(sessions.prune_sessions)
    assert models.Session.objects.get().user == alice


def test_sessions_are_over_by_the_database_s_clock(alice, monkeypatch):
    begin()
    ahead = timezone.now() + timedelta(days=400)
    monkeypatch.setattr(timezone, "now", lambda: ahead)
    factories.acquire_lease(name="sessions", holder="me", seconds=60).run(sessions.prune_sessions)
    assert models.Session.objects.exists()


@pytest.fixture
def admin(client, root):
    """An administrator's browser, eleven minutes after the password was typed."""
    sign_in(client, "root")
    session = client.session
    session["proved"] = time.time() - 660
    session.save()
    return client


def test_changing_people_and_groups_needs_the_password_again(admin, alice):
    group = Group.objects.get(name="Members")
    for path in (
        *("/people/new/", "/people/new/several/", "/settings/", "/admin/auth/group/add/"),
        *(f"/admin/auth/group/{group.pk}/change/", f"/admin/auth/group/{group.pk}/delete/"),
    ):
        for ask in (admin.get, admin.post):
            assert ask(path).url.startswith("/accounts/confirm/?next="), path
    for act in ("details", "role", "link", "deactivate", "activate", "factors/reset", "sign-out"):
        assert admin.post(f"/people/{alice.pk}/{act}/").url.startswith("/accounts/confirm/?next="), act
    action = {"action": "delete_selected", "_selected_action": [group.pk], "post": "yes"}
    admin.post("/admin/auth/group/", action)  # the list has no actions
    assert Group.objects.filter(pk=group.pk).exists()
    # To look costs nothing.
    for path in (f"/admin/portal/user/{alice.pk}/change/", "/admin/portal/event/", "/requests/"):
        assert admin.get(path).status_code == 200


def test_the_password_leads_back_and_is_enough_for_ten_minutes(admin, alice):
    path = f"/people/{alice.pk}/"
    confirm = admin.get(path).url
    assert "not your password" in admin.post(confirm, {"password": "wrong"}).text
    assert admin.post(confirm, {"password": ""}).status_code == 200
    key = admin.cookies["sessionid"].value
    assert admin.post(confirm, {"password": factories.PASSWORD}).url == path
    assert admin.cookies["sessionid"].value != key
    assert admin.get(path).status_code == 200
    assert models.Event.objects.filter(verb="sign-in-failed", target="user root").count() == 1


def test_the_page_that_asks_again_leads_nowhere_else_and_is_not_to_be_guessed_at(admin):
    values = {"password": factories.PASSWORD, "next": "https://elsewhere.example/"}
    assert admin.post("/accounts/confirm/", values).url == "/accounts/"
    values["next"] = "http://testserver/key/"
    assert admin.post("/accounts/confirm/", values, secure=True).url == "/accounts/"
    statuses = [admin.post("/accounts/confirm/", {"password": "wrong"}).status_code for _ in range(12)]
    assert statuses == [200] * 10 + [429] * 2


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a trigger of a session's own is SQLite's")
@pytest.mark.django_db(transaction=True)
def test_a_page_can_be_read_where_nothing_can_be_written(client, alice):
    sign_in(client)
    set_back(seen=61)
    with connection.cursor() as cursor:
        body = "BEGIN SELECT RAISE(ABORT, 'full'); END"
        cursor.execute(f"CREATE TEMP TRIGGER full BEFORE UPDATE ON portal_session {body}")
        try:
            assert client.get("/requests/").status_code == 200
        finally:
            cursor.execute("DROP TRIGGER full")


# --- The audit log ---


def read_events() -> list[tuple[str, str, str, str]]:
    rows = models.Event.objects.exclude(verb="first-key").order_by("pk")
    return list(rows.values_list("verb", "actor_name", "target", "address"))


def test_signing_in_and_out_is_recorded(client, alice):
    assert sign_in(client, "alice").status_code == 302
    assert client.get("/accounts/logout/").url == "/"
    assert "You are signed out." in client.post("/accounts/logout/", follow=True).text
    assert read_events() == [
        ("sign-in", "alice", "user alice", "203.0.113.9"),
        ("sign-out", "alice", "user alice", "127.0.0.1"),
    ]


def test_who_is_turned_away_is_recorded_and_a_name_that_nobody_has_is_not_kept(client, alice):
    factories.update(alice, is_active=False)
    for username, password in (("alice", "wrong"), ("alice", factories.PASSWORD), (factories.PASSWORD, "alice")):
        assert sign_in(client, username, password).status_code == 200
    assert sign_in(client, "", "").status_code == 200
    assert read_events() == [
        ("sign-in-failed", "", "user alice", "203.0.113.9"),
        ("sign-in-failed", "", "a name that nobody has", "203.0.113.9"),
    ]


def test_who_is_deactivated_is_signed_out_with_the_next_page(alice):
    browser = begin()
    factories.update(alice, is_active=False)
    assert browser.get("/").headers["Location"] == "/accounts/login/?next=/"
