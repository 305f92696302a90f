"""What people read when something is refused: in the portal's words, never the framework's, with what to do next."""

import pytest

from portal import models
from portal.sandbox import names
from portal.services.key import accounts
from portal.services.people import links
from tests import factories

pytestmark = pytest.mark.django_db

THE_FRAMEWORK_S = (
    "This field",
    "Ensure this",
    "Please enter",
    "a valid",
    "Your password",
    "must contain",
    "didn’t match",
)


def read(response) -> str:
    page = response.text.replace("&#x27;", "'")
    assert not [words for words in THE_FRAMEWORK_S if words in page]
    return page


@pytest.mark.parametrize(
    ("username", "password", "words"),
    [
        ("", "", ["Type your username.", "Type your password."]),
        ("alice", "wrong", ["username or password is incorrect", "ask an administrator"]),
    ],
)
def test_a_refused_sign_in_says_what_to_do(client, alice, username, password, words):
    page = read(client.post("/accounts/login/", {"username": username, "password": password}))
    assert all(text in page for text in words)


@pytest.mark.parametrize(
    ("old", "new", "again", "words"),
    [
        ("", "", "", ["Type your current password.", "Type the new password."]),
        ("wrong", "alice1234", "alice1234", ["not your current password", "too much like the username"]),
        (factories.PASSWORD, "12345", "12345", ["only digits", "at least 10 characters", "Everybody uses"]),
        (factories.PASSWORD, "four words in a row", "other words", ["The two passwords differ."]),
    ],
)
def test_a_password_that_is_not_taken_says_why(sign_in, alice, old, new, again, words):
    values = {"old_password": old, "new_password1": new, "new_password2": again}
    page = read(sign_in(alice).post("/accounts/password/", values))
    assert all(text in page for text in words)


def test_the_first_administrator_s_form_says_what_is_wrong(client):
    path = f"/setup/{links.create_setup_link()}/"
    page = read(client.post(path, {"username": "a b", "password": "short", "password_again": ""}))
    for words in ("A username has letters, digits", "at least 10 characters", "Type the password again."):
        assert words in page


def test_a_set_up_link_that_is_used_says_so(client, root):
    response = client.get("/setup/used/")
    assert response.status_code == 404
    page = read(response)
    assert "works once, for an hour" in page
    assert "manage.py setup_link" in page


def test_a_note_that_is_too_long_is_refused_and_not_cut(sign_in, alice):
    browser = sign_in(alice)
    assert "maxlength" not in read(browser.get("/requests/new/"))
    values = {"type": "python", "note": "n" * 501, "submission": "6f0c5f3e-7a53-4c62-9f6c-0d6c4d2f9f10"}
    page = read(browser.post("/requests/new/", values))
    assert "This has 501 characters. Shorten it to 500 or fewer." in page
    assert "n" * 501 in page
    assert not models.Request.objects.exists()


def test_a_filter_that_cannot_be_read_says_why(sign_in, alice):
    page = read(sign_in(alice).get("/requests/?status=LOST&since=soon"))
    assert "This is not in the list." in page
    assert "This is not a date." in page


def test_what_is_not_allowed_says_why_and_whom_to_ask(sign_in, alice):
    page = read(sign_in(alice).get("/admin/"))
    assert "open to auditors and operators" in page
    assert "ask an administrator" in page


@pytest.mark.parametrize("look", models.Account.BaselineScan)
def test_operators_are_warned_where_what_was_there_before_is_not_known(sign_in, olga, look):
    accounts.get_current_account()
    models.Account.objects.update(baseline_scan=look)
    assert ("other people's" in read(sign_in(olga).get("/unknown/"))) is (look == "FAILED")


def test_the_guide_says_which_rehearsals_everybody_feels_and_which_end_with_a_question(sign_in, alice):
    page = read(sign_in(alice).get("/failures/"))
    assert "pause requests for the whole team" in page
    rows = page.partition('id="simulate"')[2].split("<tr>")[2:]
    asking = {names.RESERVED[place].uid for place, row in enumerate(rows) if "the portal asks you" in row}
    assert asking == {*("fail-500", "fail-502", "fail-503-html"), *("hang", "reset", "truncate", "garbage", "drip")}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("uid", "status"), [("fail-502", "502"), ("fail-503-html", "503")])
def test_a_gateway_s_answer_is_not_called_silence(sandbox, sign_in, alice, uid, status):
    portal_request = factories.send_until_settled(factories.submit(alice, workspace_uid=uid))
    page = read(sign_in(alice).get(f"/requests/{portal_request.pk}/"))
    assert f"No response from AgentStation ({status})." in page
    assert "gateway responded instead" in page


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("code", "is_told"), [("402", True), ("400", True), ("422", False)])
def test_where_somebody_else_has_to_act_the_page_says_whom_to_ask(sandbox, sign_in, settings, alice, code, is_told):
    settings.PORTAL_SUPPORT_CONTACT = "Cloud desk <desk@team.example>"
    portal_request = factories.send_until_settled(factories.submit(alice, workspace_uid=f"fail-{code}"))

    page = sign_in(alice).get(f"/requests/{portal_request.pk}/").text

    assert ("Contact: Cloud desk &lt;desk@team.example&gt;" in page) is is_told
