"""What a screen reader says and nobody sees: names with the row they belong to, states, and titles of refused forms."""

import re

import pytest
from django.utils.html import strip_tags

from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


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


def test_a_step_that_is_still_to_come_says_so(sign_in, alice):
    waiting, ready = factories.submit(alice), rows.create_request(alice, status="SUCCEEDED", ended_at=rows.NOW)
    browser = sign_in(alice)
    assert "Workstation ready (not yet)" in hear(browser.get(f"/requests/{waiting.pk}/").text)
    assert "(not yet)" not in hear(browser.get(f"/requests/{ready.pk}/").text)


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
def test_the_title_of_a_list_says_that_a_filter_was_refused(sign_in, root, path):
    browser = sign_in(root)
    assert read_title(browser.get(path).text).startswith("Error: ")
    assert not read_title(browser.get(path.partition("?")[0]).text).startswith("Error")


def test_a_refused_filter_is_named_and_linked(sign_in, alice):
    page = sign_in(alice).get("/requests/?longer=soon").text
    assert "These filters can't be used: Duration over." in hear(page)
    assert list_links(page)["Duration over"] == "#id_longer"


@pytest.mark.parametrize("status", ["QUEUED", "UNKNOWN"])
def test_a_request_that_was_not_closed_says_so_first(sign_in, alice, olga, status):
    portal_request = rows.create_request(alice, status=status, failure="no-answer" if status == "UNKNOWN" else "")
    page = sign_in(olga).post(f"/requests/{portal_request.pk}/close/", {"reason": ""}).text
    assert read_title(page).startswith("Error: ")
    assert 'role="alert"' in page
    assert list_links(page)["Say why: the reason is kept in the audit log."] == "#id_reason"


def test_a_person_who_never_signed_in_has_no_dash_for_a_time(sign_in, root, bob):
    assert re.search(r"Last sign-in Never", hear(sign_in(root).get(f"/people/{bob.pk}/").text))
