"""What people read, and what a screen reader says: in the portal's words and whole sentences, with what to do next."""

import re

import pytest

from portal import models
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


FRAMEWORK = ("This field", "Ensure this", "Please enter", "a valid", "Your password", "didn’t match")


def read(response) -> str:
    page = response.text.replace("&#x27;", "'")
    assert not [words for words in FRAMEWORK if words in page]
    return page


def test_a_refused_sign_in_says_what_to_do(client, alice):
    wrong = ["username or password is incorrect", "ask an administrator"]
    for name, password, words in (
        ("", "", ["Type your username.", "Type your password."]),
        ("alice", "wrong", wrong),
        ("a\x00", "b", []),
    ):
        page = read(client.post("/accounts/login/", {"username": name, "password": password}))
        assert all(text in page for text in words)


@pytest.mark.parametrize(
    ("old", "new", "again", "words"),
    [
        ("", "", "", ["Type your current password.", "Type the new password."]),
        ("wrong", "alice1234", "alice1234", ["not your current password", "too similar to the username"]),
        (factories.PASSWORD, "12345", "12345", ["entirely numeric", "at least 10 characters", "too common"]),
        (factories.PASSWORD, "four words in a row", "other words", ["The two passwords differ."]),
    ],
)
def test_a_password_that_is_not_taken_says_why(sign_in, alice, old, new, again, words):
    values = {"old_password": old, "new_password1": new, "new_password2": again}
    page = read(sign_in(alice).post("/accounts/password/", values))
    assert all(text in page for text in words)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("code", "is_told"), [("402", True), ("400", True), ("422", False)])
def test_where_somebody_else_has_to_act_the_page_says_whom_to_ask(sandbox, sign_in, alice, code, is_told):
    factories.set_policy(support_contact="Cloud desk <desk@team.example>")
    portal_request = factories.submit_and_settle(alice, workspace_uid=f"fail-{code}")

    page = sign_in(alice).get(f"/requests/{portal_request.pk}/").text

    assert ("Contact: Cloud desk &lt;desk@team.example&gt;" in page) is is_told


# --- Whole sentences ---

# No space is read where such a tag stands.
_INLINE = re.compile(r"</?(?:a|b|bdi|code|kbd|span|time|svg|use)\b[^>]*>")
PATHS = (
    *("/", "/key/", "/usage/", "/requests/new/", "/requests/", "/requests/?q=zzzz&status=FAILED", "/requests/?after=9"),
    *("/requests/?type=none", "/workstations/", "/workstations/?type=none", "/workspaces/", "/unknown/", "/people/"),
    *("/failures/", "/failures/422/", "/accounts/", "/notices/", "/requests/1/", "/requests/2/", "/requests/3/"),
)


def read_words(browser, path: str) -> str:
    text = browser.get(path).text.replace("&#x27;", "'")
    return " ".join(re.sub(r"<[^>]*>", "\n", _INLINE.sub("", text.partition("<body")[2])).split())


@pytest.fixture
def released(alice, olga) -> models.Workstation:
    rows.create_request(alice, status="FAILED", failure="422")
    rows.create_request(alice, status="QUEUED")
    return rows.create_workstation(rows.create_request(alice), uid="machine")


@pytest.mark.parametrize("name", ["alice", "olga", "anna"])
def test_no_space_stands_before_a_full_stop_or_a_comma(sign_in, alice, olga, anna, root, released, name):
    browser = sign_in(models.User.objects.get(username=name))
    for path in PATHS:
        assert not re.findall(r".{30}\w [.,;:](?=\s|$)", read_words(browser, path)), path


# --- What a screen reader says, and nobody sees ---
