"""What people read, and what a screen reader says: in the portal's words and whole sentences, with what to do next."""

import re

import pytest
from django.utils.html import strip_tags

from portal import models
from portal.sandbox import names
from portal.services.key import accounts
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


def test_the_first_administrator_s_form_says_what_is_wrong_and_a_used_link_too(client):
    path = f"/setup/{factories.create_setup_link()}/"
    page = read(client.post(path, {"username": "a b", "password": "short", "password_again": ""}))
    said = ("A username has letters, digits", "at least 10 characters", "Type the password again.")
    assert not [words for words in said if words not in page]
    factories.create_user("root", is_superuser=True)
    response = client.get(path)
    assert response.status_code == 404
    assert not [words for words in ("works once, for an hour", "manage.py setup_link") if words not in read(response)]


def test_what_is_not_allowed_says_why_and_whom_to_ask(sign_in, alice):
    page = read(sign_in(alice).get("/admin/"))
    assert "open to auditors and operators" in page
    assert "ask an administrator" in page


def test_operators_are_warned_where_what_was_there_before_is_not_known(sign_in, olga):
    accounts.get_current_account()
    for look in models.Account.BaselineScan:
        models.Account.objects.update(baseline_scan=look)
        assert ("other people's" in read(sign_in(olga).get("/unknown/"))) is (look == "FAILED")


def test_the_guide_says_which_rehearsals_everybody_feels_and_which_end_with_a_question(sign_in, alice):
    page = read(sign_in(alice).get("/failures/"))
    assert "pause requests for the whole team" in page
    listed = page.partition('id="simulate"')[2].split("<tr>")[2:]
    asking = {names.RESERVED[place].uid for place, row in enumerate(listed) if "the portal asks you" in row}
    assert asking == {*("fail-500", "fail-502", "fail-503-html"), *("hang", "reset", "truncate", "garbage", "drip")}


@pytest.mark.django_db(transaction=True)
def test_a_gateway_s_answer_is_not_called_silence(sandbox, sign_in, alice):
    for uid, status in (("fail-502", "502"), ("fail-503-html", "503")):
        portal_request = factories.submit_and_settle(alice, workspace_uid=uid)
        page = read(sign_in(alice).get(f"/requests/{portal_request.pk}/"))
        assert f"No response from AgentStation ({status})." in page
        assert "gateway responded instead" in page


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("code", "is_told"), [("402", True), ("400", True), ("422", False)])
def test_where_somebody_else_has_to_act_the_page_says_whom_to_ask(sandbox, sign_in, settings, alice, code, is_told):
    settings.PORTAL_SUPPORT_CONTACT = "Cloud desk <desk@team.example>"
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


def test_its_requester_reads_who_released_it_and_why_in_a_sentence_of_its_own(sign_in, alice, olga, released):
    sign_in(olga).post("/workstations/machine/release/", {"reason": "Idle since this morning"})
    factories.end_workstations()
    page = read_words(sign_in(alice), f"/requests/{released.request_id}/")
    assert "Workstation released by olga" in page
    assert "Its files stay in the workspace. Reason: Idle since this morning" in page


@pytest.mark.django_db(transaction=True)
def test_who_sends_it_again_is_said_to_have_chosen_so(sandbox, sign_in, alice, anna):
    unknown = factories.submit_and_settle(alice, workspace_uid="reset")
    factories.ask_people(unknown)
    sign_in(alice).post(f"/requests/{unknown.pk}/not-created/")
    assert "alice chose to send it again" in read_words(sign_in(alice), f"/requests/{unknown.pk}/")
    event = factories.find_event("not-created")
    for path in ("/admin/portal/event/", f"/admin/portal/event/{event.pk}/change/"):
        assert f"alice chose to send {unknown.label} again" in read_words(sign_in(anna), path)


def test_to_auditors_what_has_ended_is_not_active(sign_in, anna, released):
    factories.end_workstations()
    page = read_words(sign_in(anna), "/admin/portal/workstation/").partition("machine")[2]
    assert "active" not in page.partition("workspace")[0]
    assert "ended" in page


# --- What a screen reader says, and nobody sees ---


def hear(html: str) -> str:
    return " ".join(strip_tags(html).replace("&#x27;", "'").split())


def list_links(html: str) -> dict[str, str]:
    """Where each link leads, by what it is called."""
    found = re.findall(r'<a\s[^>]*?href="([^"]*)"[^>]*>(.*?)</a>', html, re.DOTALL)
    return {hear(words): link for link, words in found}


def read_title(html: str) -> str:
    found = re.search(r"<title>(.*?)</title>", html, re.DOTALL)
    assert found
    return hear(found[1])


def test_a_step_that_is_still_to_come_says_so(sign_in, alice, bob, root):
    waiting, ready = factories.submit(alice), rows.create_request(alice)
    browser = sign_in(alice)
    assert "Workstation ready (not yet)" in hear(browser.get(f"/requests/{waiting.pk}/").text)
    assert "(not yet)" not in hear(browser.get(f"/requests/{ready.pk}/").text)
    assert "Last sign-in Never" in hear(sign_in(root).get(f"/people/{bob.pk}/").text)


def test_links_on_the_home_page_say_which_workstation(sign_in, alice):
    labels = {}
    for uid in ("one", "two"):
        portal_request = rows.create_request(alice)
        labels[uid] = portal_request.label
        rows.create_workstation(portal_request, uid=uid)
    links = list_links(sign_in(alice).get("/").text)
    for uid, label in labels.items():
        assert links[f"Python {label}"] == f"/workstations/{uid}/"
        assert links[f"Details {label}"] == f"/workstations/{uid}/"
        assert links[f"Terminal {label} (opens in a new tab)"] == f"/workstations/{uid}/terminal/"


def test_a_log_is_opened_by_its_type_and_time(sign_in, alice):
    workspace = rows.create_workspace(alice, uid="hers")
    rows.create_log(workspace, type="boot", created_at=rows.NOW)
    timeless = rows.create_log(workspace, type="setup")
    names = " ".join(list_links(sign_in(alice).get("/workspaces/hers/").text))
    assert re.search(r"Open log boot, \d+ \w+ \d{4}, [\d:]+ UTC \(opens in a new tab\)", names)
    assert f"Open log setup, {timeless.uid} (opens" in names


@pytest.mark.parametrize("path", ["/requests/?longer=soon", "/usage/?since=soon", f"/people/?name={'n' * 151}"])
def test_the_title_of_a_list_says_that_a_filter_was_refused_which_is_named_and_linked(sign_in, root, path):
    browser = sign_in(root)
    page = browser.get(path).text
    assert read_title(page).startswith("Error: ")
    assert not read_title(browser.get(path.partition("?")[0]).text).startswith("Error")
    if "longer" in path:
        assert "These filters can't be used: Duration over." in hear(page)
        assert list_links(page)["Duration over"] == "#id_longer"


@pytest.mark.parametrize("status", ["QUEUED", "UNKNOWN"])
def test_a_request_that_was_not_closed_says_so_first(sign_in, alice, olga, status):
    portal_request = rows.create_request(alice, status=status, failure="no-answer" if status == "UNKNOWN" else "")
    page = sign_in(olga).post(f"/requests/{portal_request.pk}/close/", {"reason": ""}).text
    assert read_title(page).startswith("Error: ")
    assert 'role="alert"' in page
    assert list_links(page)["Say why: the reason is kept in the audit log."] == "#id_reason"
