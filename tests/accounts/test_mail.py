"""Sign-in links by mail: from administrators, and for who has forgotten the password. A real server takes the mails."""

import re
import threading
from datetime import timedelta
from email.message import EmailMessage

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import models
from portal.services.people import mail
from portal.services.reports import readiness
from portal.services.runtime import leases
from tests import factories
from tests.browser import Browser
from tests.notifications.conftest import send_mails

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "four words in a row"
CHOSEN = {"password": NEW, "password_again": NEW}
FORGOTTEN = "/accounts/forgotten/"
SEVERAL = "/people/new/several/"


@pytest.fixture(name="admin")
def _sign_in_root(root, sign_in) -> Browser:
    return sign_in(root)


@pytest.fixture(name="alice")
def _create_alice(db) -> models.User:
    return factories.create_user("alice", "Members", email="alice@team.example")


def find_path(text: str, *, origin: str = "https://portal.example") -> str:
    found = re.search(rf"{origin}(/join/[^\s<]+/)", text)
    assert found is not None, text
    return found[1]


def read(message: EmailMessage) -> str:
    return message.get_content()


def add(admin: Browser, **values: object) -> str:
    response = admin.post("/people/new/", {"username": "carol", "role": "administrator", **values})
    assert response.status_code == 200
    return response.text


def ask(client: Browser, name: str = "alice", **headers: str) -> None:
    response = client.post(FORGOTTEN, {"name": name}, **headers)
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/")


def list_events() -> list[tuple[str, str, str]]:
    verbs = ["make-link", "ask-link", "mail-failed", "use-link"]
    return list(models.Event.objects.filter(verb__in=verbs).order_by("pk").values_list("verb", "actor_name", "target"))


# --- From an administrator ---


def test_an_invitation_is_sent_by_a_worker_and_not_shown(admin, root, mails, client):
    factories.update(root, first_name="Rita Root")
    page = add(admin, email="carol@team.example")
    assert "A link is being sent to" in page
    assert "/join/" not in page
    ask(Browser(), "carol")  # whoever asks for another makes it nobody else's
    assert mails.connections == 0
    send_mails()
    [message] = mails.mails
    assert (message["From"], message["To"]) == ("portal@team.example", "carol@team.example")
    assert message["Subject"] == "Choose your password for the workstation portal"
    text, link = read(message), models.SignInLink.objects.get()
    assert "Rita Root invites you" in text
    assert "Your username is carol." in text
    assert f"until {link.valid_until:%-d %b %Y, %H:%M} UTC" in text
    assert "ignore it" in text
    assert client.post(find_path(text), CHOSEN).url == "/"
    assert factories.find_event("make-link").detail["by_mail"] is True
    assert [(verb, actor) for verb, actor, _ in list_events()] == [
        *(("ask-link", "root"), ("ask-link", "")),
        *(("make-link", "root"), ("use-link", "carol")),
    ]


@pytest.mark.parametrize(
    ("replies", "said", "has_link"),
    [
        ({}, "Taken by the mail server", True),
        ({"RCPT": "550 no"}, "Refused by the mail server (SMTPRecipientsRefused)", False),
        ({"DATA": ""}, "Not confirmed by the mail server (SMTPServerDisconnected)", True),
    ],
)
def test_the_person_s_page_says_what_became_of_the_mail_and_has_a_link_to_copy(
    admin, alice, mails, replies, said, has_link
):
    mails.replies, page = replies, f"/people/{alice.pk}/"
    assert "Mail with a link" not in admin.get(page).text
    assert admin.post(f"{page}link/").url == page
    shown = admin.get(page).text
    assert "A link is being sent to alice by mail." in shown
    assert "Being sent" in shown
    send_mails()
    assert said in " ".join(admin.get(page).text.split())
    assert models.SignInLink.objects.exists() == has_link
    assert find_path(admin.post(f"{page}link/", {"copy": ""}).text)
    assert "Mail with a link" not in admin.get(page).text


def test_a_link_to_copy_is_not_replaced_by_one_that_was_to_be_mailed(admin, alice, mails, client):
    admin.post(f"/people/{alice.pk}/link/")
    path = find_path(admin.post(f"/people/{alice.pk}/link/", {"copy": ""}).text)
    send_mails()
    assert mails.connections == 0
    assert client.get(path).status_code == 200


def test_what_is_asked_for_while_a_mail_is_sent_is_mailed_too(admin, alice, mails, client):
    def ask_again() -> None:
        mails.before_mail = lambda: None
        admin.post(f"/people/{alice.pk}/link/")
        connection.close()

    admin.post(f"/people/{alice.pk}/link/")
    mails.before_mail = ask_again
    for _ in range(3):
        send_mails()
    first, second = (find_path(read(message)) for message in mails.mails)
    assert (client.get(first).status_code, client.get(second).status_code) == (404, 200)


def test_who_is_locked_out_meanwhile_gets_none(admin, alice, mails):
    admin.post(f"/people/{alice.pk}/link/")
    factories.update(alice, is_active=False)
    send_mails()
    assert (mails.connections, models.User.objects.get(pk=alice.pk).link_asked_at) == (0, None)


def test_links_begin_with_the_portal_s_address_whatever_host_is_asked_for(admin, alice, mails, settings):
    response = admin.post("/people/new/", {"username": "carol", "role": "administrator"}, HTTP_HOST="localhost")
    assert find_path(response.text)
    ask(Browser(), HTTP_HOST="localhost")
    send_mails()
    assert find_path(read(mails.mails[0]))
    assert "://localhost" not in read(mails.mails[0])
    del settings.MAILERS
    settings.PORTAL_URL = ""
    response = admin.post("/people/new/", {"username": "dora", "role": "administrator"})
    assert find_path(response.text, origin="http://testserver")


def test_an_administrator_s_link_for_a_forgotten_password_is_sent_and_valid_for_an_hour(admin, alice, mails):
    admin.post(f"/people/{alice.pk}/link/")
    send_mails()
    assert "root made a link for a new password for alice" in read(mails.mails[0])
    left = models.SignInLink.objects.get().valid_until - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    models.SignInLink.objects.all().delete()
    ask(Browser())
    send_mails()
    assert "Somebody asked for a new password for alice" in read(mails.mails[1])


def test_what_sql_wrote_puts_nothing_into_the_head(admin, alice, root, mails):
    people, eve = models.User.objects, "\r\nBcc: eve@evil.example"
    people.filter(pk=root.pk).update(first_name=f"R{eve}")
    people.filter(pk=alice.pk).update(username=f"a{eve}\r\n\r\nhello", first_name=f"A{eve}")
    admin.post(f"/people/{alice.pk}/link/")
    send_mails()
    [message] = mails.mails
    assert message["Bcc"] is None
    assert message["Subject"] == "Choose your password for the workstation portal"
    assert message["To"] == "alice@team.example"
    for email in (f"c@team.example{eve}", "c@team.example, eve@evil.example"):
        people.filter(pk=alice.pk).update(email=email)
        admin.post(f"/people/{alice.pk}/link/")
        send_mails()
        assert "Refused by the mail server (ValueError)" in " ".join(admin.get(f"/people/{alice.pk}/").text.split())
    assert len(mails.mails) == 1


# --- Somebody has forgotten the password ---


def test_who_has_forgotten_the_password_gets_a_link_once_and_for_an_hour(alice, mails, client):
    assert FORGOTTEN in client.get("/accounts/login/").text
    page = client.post(FORGOTTEN, {"name": " "}).text
    assert "Type your username or your e-mail address." in page
    assert re.search(r"<title>\s*Error:", page)
    ask(client, "ALICE@team.example")
    assert "If there is an account" in client.get("/accounts/login/").text
    assert mails.connections == 0  # a worker's part
    send_mails()
    send_mails()
    [message] = mails.mails
    assert message["To"] == "alice@team.example"
    assert "Somebody asked for a new password for alice" in read(message)
    path = find_path(read(message))
    assert client.post(path, CHOSEN).url == "/"
    assert Browser().get(path).status_code == 404
    assert list_events() == [
        ("ask-link", "", "user alice"),
        ("make-link", "", "user alice"),
        ("use-link", "alice", "user alice"),
    ]
    assert factories.find_event("ask-link").address == "127.0.0.1"
    alice.refresh_from_db()
    assert (alice.check_password(NEW), alice.link_asked_at) == (True, None)


@pytest.mark.parametrize("change", [{}, {"email": ""}, {"is_active": False}, {"password": "!none"}, {"username": "al"}])
def test_whom_no_link_may_reach_gets_the_same_answer_at_the_same_cost_and_no_mail(alice, mails, change):
    answers = []
    for name in ("nobody", "alice"):
        browser = Browser()
        browser.get(FORGOTTEN)
        factories.update(alice, **change)
        with CaptureQueriesContext(connection) as queries:
            response = browser.post(FORGOTTEN, {"name": name})
        page = re.sub(r'(value|content)="[^"]{20,}"', "", browser.get("/accounts/login/").text)
        answers.append((response.status_code, response["Location"], len(queries), page))
    assert answers[0] == answers[1]
    send_mails()
    assert len(mails.mails) == (not change)


def test_nobody_s_mailbox_is_flooded(alice, mails):
    for number in range(3):  # from many addresses, and by both names
        for name in ("alice", "alice@team.example"):
            ask(Browser(), name, REMOTE_ADDR=f"203.0.113.{number}")
            send_mails()
    assert len(mails.mails) == 1
    models.SignInLink.objects.update(valid_until=F("valid_until") - timedelta(minutes=5))
    ask(Browser())
    send_mails()
    assert len(mails.mails) == 2


def test_asking_is_slowed_down_as_signing_in_is(alice, mails, client):
    for _ in range(5):
        ask(client, "nobody")
    response = client.post(FORGOTTEN, {"name": "nobody"})
    assert response.status_code == 429
    assert "Too many tries" in response.text
    assert client.post("/accounts/login/", {"username": "nobody", "password": "wrong"}).status_code == 429


def test_a_newer_link_and_a_changed_password_end_the_one_that_was_mailed(admin, alice, mails, client, sign_in):
    ask(client)
    send_mails()
    assert client.get(first := find_path(read(mails.mails[0]))).status_code == 200
    admin.post(f"/people/{alice.pk}/link/")
    send_mails()
    assert client.get(first).status_code == 404
    assert client.get(second := find_path(read(mails.mails[1]))).status_code == 200
    admin.post(f"/people/{alice.pk}/details/", {"email": "al@team.example"})
    assert client.get(second).status_code == 404, "it was sent to another address"
    admin.post(f"/people/{alice.pk}/link/")
    send_mails()
    typed = {"old_password": factories.PASSWORD, "new_password1": NEW, "new_password2": NEW}
    assert sign_in(alice).post("/accounts/password/", typed).status_code == 302
    assert client.get(find_path(read(mails.mails[2]))).status_code == 404


def test_what_could_not_be_sent_is_seen_and_may_be_asked_for_again(admin, alice, mails, client):
    mails.replies = {"RCPT": "550 no"}
    ask(client)
    send_mails()
    assert list_events()[-1] == ("mail-failed", "", "user alice")
    assert "could not be mailed to: alice" in " ".join(admin.get("/people/").text.split())
    assert any("could not be mailed" in warning for warning in readiness.find_warnings())
    assert not models.SignInLink.objects.exists()
    mails.replies = {}
    ask(client)
    send_mails()
    assert len(mails.mails) == 1


def test_a_link_dies_by_no_silence_of_the_mail_server_and_what_was_not_tried_is_tried_again(alice, mails, monkeypatch):
    """The server takes the mail and hangs up, or answers its end too late: who has it may use it."""
    factories.create_user("bob", "Members", email="bob@team.example")
    for name in ("alice", "bob"):
        ask(Browser(), name)
    monkeypatch.setattr(mail, "LONGEST", 0.3)
    monkeypatch.setattr(mail, "PATIENCE", 0.3)
    release = threading.Event()
    mails.before_mail = release.wait
    send_mails()
    assert models.SignInLink.objects.count() == 2
    waiting = models.User.objects.filter(link_asked_at__isnull=False)
    assert [person.username for person in waiting] == ["bob"]
    assert [target for verb, _, target in list_events() if verb == "mail-failed"] == ["user alice"]
    release.set()
    assert mails.has_ended.wait(10)
    assert Browser().get(find_path(read(mails.mails[0]))).status_code == 200
    send_mails()
    assert [message["To"] for message in mails.mails] == ["alice@team.example", "bob@team.example"]


def test_what_a_worker_that_dies_had_in_hand_is_sent_by_the_next(alice, mails, client):
    def take_lease() -> None:
        models.Lease.objects.update(token=F("token") + 1)
        connection.close()

    ask(client)
    mails.before_mail = take_lease
    with pytest.raises(leases.LeaseLost):
        send_mails()
    mails.before_mail = lambda: None
    send_mails()
    first, second = (find_path(read(message)) for message in mails.mails)
    assert (client.get(first).status_code, client.get(second).status_code) == (404, 200)


@pytest.mark.parametrize("odd", ["\n", "\r", "\u2028", "\x85", "\x1b"])
def test_without_a_mail_server_who_adds_somebody_sees_that_and_a_name_is_one_line(admin, odd):
    assert "Nothing was mailed" in add(admin, email="carol@team.example")
    page = admin.post("/people/new/", {"username": "dora", "role": "administrator", "name": f"Do{odd}ra"}).text
    assert "A name is one line." in page
    assert not models.User.objects.filter(username="dora").exists()


# --- Several at once ---


def test_several_are_added_and_those_with_an_address_get_mail(admin, mails):
    Group.objects.create(name="Guests")
    mails.replies = {"RCPT TO:<CAROL@": "550 no"}
    lines = [
        "carol, Carol Liddell, carol@team.example, Member",
        "",
        'dora,"Doe, Dora",,Operators',
        "emil\t\temil@team.example\tguests",
        "fay, , fay@team.example, administrator",
    ]
    page = admin.post(SEVERAL, {"people": "\n".join(lines)}).text
    assert "4 people added" in page
    assert re.findall(r"(\w+) https://portal.example/join/", page) == ["dora"]
    assert re.findall(r"<bdi>([^<]+)</bdi></a>, ", page) == ["Carol Liddell (carol)", "emil", "fay"]
    send_mails()
    assert [message["To"] for message in mails.mails] == [f"{name}@team.example" for name in ("emil", "fay")]
    assert mails.connections == 2, "after who is refused the others have a new one"
    dora, emil, fay = (models.User.objects.get(username=name) for name in ("dora", "emil", "fay"))
    assert dora.get_full_name() == "Doe, Dora"
    assert [group.name for group in emil.groups.all()] == ["Guests"]
    assert fay.is_superuser
    Group.objects.create(name="Administrator")
    admin.post(SEVERAL, {"people": "gina,,,administrator"})
    assert not models.User.objects.get(username="gina").is_superuser, "a group that is called so makes none"
    assert {actor for verb, actor, _ in list_events() if verb != "mail-failed"} == {"root"}


def test_each_wrong_line_is_named_and_nobody_is_added(admin, alice, mails):
    lines = ["alice,,,member", "bob,,,member", "carol", "dora,,,boss", "Bob,,,member", "e f,,nomail,member"]
    for people, why in ((" \n ", "Type a line for each person."), ("a,,,member\n" * 201, "These are 201 people.")):
        assert why in admin.post(SEVERAL, {"people": people}).text
    page = admin.post(SEVERAL, {"people": "\n" + "\n".join(lines)}).text
    errors = re.findall(r"<li>\s*<a[^>]*>Line (\d+): ([^<]+)</a>", page)
    assert [(int(number), why.split(".")[0]) for number, why in errors] == [
        (2, "Somebody has this name already"),
        (4, "Write username, name, e-mail and role, with commas between them"),
        (5, "“boss” is not a role"),
        (6, "An earlier line has this username"),
        (7, "A username has letters, digits and @ "),
        (7, "This is no e-mail address"),
    ]
    assert "Nobody was added yet" in page
    assert models.User.objects.count() == 2
    assert mails.connections == 0


def test_who_is_signed_in_asks_for_themselves_and_keeps_nobody_else_from_anything(mails, alice, bob, admin, sign_in):
    browser, victim = sign_in(bob), sign_in(alice)
    statuses = [browser.post(FORGOTTEN, {"name": name}).status_code for name in ["alice"] * 8 + ["x", "y", "z"]]
    assert statuses == [302] * 10 + [429]
    assert victim.post("/accounts/confirm/", {"password": factories.PASSWORD}).status_code == 302
    assert factories.find_event("sign-in-blocked").target == models.name_target(bob)


def test_who_is_signed_in_asks_as_often_as_they_may_change_anything(mails, alice, sign_in, use_up):
    use_up(alice, "act", 30)
    assert sign_in(alice).post(FORGOTTEN, {"name": "bob"}).status_code == 429
