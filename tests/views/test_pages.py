"""Workstations, workspaces, key, guide, set-up, sign-in, health, errors."""

import pytest

from portal import failures, models
from portal.sandbox import names
from portal.services.key import accounts
from portal.services.people import links
from portal.templatetags import ui
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def workstation(alice) -> models.Workstation:
    account = accounts.get_current_account()
    workspace = rows.create_workspace(alice, account=account, uid="space")
    rows.create_file(workspace, name="<b>a</b>", url="javascript:alert(1)", size=1_500_000)
    rows.create_file(workspace, name="n" * 10_000, url="https://files.example/n", size=-1)
    rows.create_file(workspace, name="c", url="data:text/html,x", size=None)
    rows.create_log(workspace, level="screaming")
    values = {"account": account, "workspace": workspace, "raw": '{"status": "<script>"}'}
    return rows.create_workstation(factories.submit(alice), uid="machine", **values)


@pytest.mark.parametrize(
    ("url", "is_link"),
    [
        *(
            ("https://files.example/a%20b?c=d#e", True),
            ("HTTP://127.0.0.1:8001/a@b", True),
            ("https://[::1]:8001", True),
        ),
        *(("https://me:secret@files.example/a", False), (r"https://evil.example\@files.example/", False)),
        *(("https://\u202eelpmaxe.live/", False), ("https://files.example/\u202etxt.exe", False)),
        *(("https://f\u0456les.example/", False), ("https:///a", False), ("javascript:alert(1)", False)),
    ],
)
def test_an_address_that_may_mislead_is_no_link(url, is_link):
    assert ui.is_web_url(url) is is_link


@pytest.mark.parametrize("path", ["/workstations/machine/", "/workstations/machine/live/", "/workspaces/space/"])
def test_what_the_provider_says_is_shown_as_it_came_and_never_runs(sign_in, workstation, alice, path):
    page = sign_in(alice).get(path).text
    assert "&lt;b&gt;a&lt;/b&gt;" in page
    assert 'href="javascript:' not in page
    assert 'href="data:' not in page
    assert 'href="https://files.example/n"' in page
    assert "noopener noreferrer" in page
    assert "screaming" in page
    assert "1.5 MB" in page
    assert "1500000" in page.replace(",", "")
    assert "<script>" not in page.replace("<script src", "")


def test_an_operator_gives_back_what_is_somebody_else_s_and_says_why(sign_in, workstation, alice, olga):
    page, release = "/workstations/machine/", "/workstations/machine/release/"
    assert 'name="reason"' in sign_in(olga).get(page).text
    assert 'name="reason"' not in sign_in(alice).get(page).text
    assert "Say why" in sign_in(olga).post(release, follow=True).text
    sign_in(olga).post(release, {"reason": "Alice has left."})
    event = factories.find_event("request-release")
    assert (event.actor_name, event.reason) == ("olga", "Alice has left.")
    shown = sign_in(alice).get(page).text
    assert all(words in shown for words in ("requested by olga", "olga</bdi> released it", "Alice has left."))


def test_the_guide_leads_to_every_failure_and_the_rehearsals(sign_in, alice, settings):
    browser = sign_in(alice)
    page = browser.get("/failures/").text
    assert all(f"/failures/{code}/" in page for code in failures.CATALOGUE)
    assert all(name.uid in page for name in names.RESERVED)
    assert browser.get("/failures/999/").status_code == 404
    settings.USING_SANDBOX = False
    page = browser.get("/failures/").text
    assert "hang-made" not in page
    assert "sandbox" not in page


def test_the_set_up_link_makes_the_administrator_and_signs_them_in(client, alice, settings):
    path = f"/setup/{links.create_setup_link()}/"
    assert client.get(path).status_code == 200
    good = {"username": "root", "password": factories.PASSWORD, "password_again": factories.PASSWORD}
    assert "Somebody has this name already." in client.post(path, good | {"username": "alice"}).text
    assert client.post(path, good).url == "/"
    assert settings.BROWSER_COOKIE in client.cookies
    assert "signed in as the administrator" in client.get("/").text
    assert client.get(path).status_code == 404
    assert client.get("/setup/nonsense/").status_code == 404


@pytest.mark.parametrize(("chosen", "kept"), [("dark", "dark"), ("pink", None)])
def test_the_theme_is_kept(client, chosen, kept):
    response = client.post("/theme/", {"theme": chosen, "next": "/key/"})
    assert response.url == "/key/"
    assert (response.cookies["theme"].value if kept else response.cookies.get("theme")) == kept


def test_after_the_theme_comes_a_page_of_ours(client):
    odd = ("https://evil.example/", "//evil.example", "/\\evil.example", "home", "nowhere", "a\x00b", "\x00", "")
    for target, shown in [*((one, "/") for one in odd), ("/\x00/", "/%00/")]:
        assert client.post("/theme/", {"theme": "dark", "next": target}).url == shown


def test_what_is_not_there_is_said(sign_in, alice):
    for path in ("/nowhere/", "/requests/0/", "/requests/99999999999999999999/", "/requests/x/"):
        response = sign_in(alice).get(path)
        assert response.status_code == 404
        assert "<h1" in response.text
