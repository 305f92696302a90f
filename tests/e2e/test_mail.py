"""Sign-in links by mail, in Chromium: a mail server takes them, and people open what they got."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e import steps
from tests.e2e.conftest import QUICK, Portal
from tests.mailserver import MailServer


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


@pytest.fixture(scope="module")
def mailed(tmp_path_factory, server) -> Iterator[Portal]:
    portal = Portal(tmp_path_factory.mktemp("mailed"))
    yield portal.start(**QUICK, EMAIL_URL=server.url, PORTAL_URL=portal.printed)
    portal.end()


def take_link(server: MailServer) -> str:
    """That of the next mail."""
    assert server.has_mail.wait(30)
    server.has_mail.clear()
    found = re.search(r"http://\S+/join/\S+", server.mails.pop().get_content())
    assert found
    return found[0]


@pytest.mark.parametrize("has_javascript", [True, False])
def test_several_are_added_and_one_forgets_the_password(browser: Browser, mailed, server, has_javascript):
    name = "nora" if has_javascript else "otto"
    admin, person = (browser.new_context(java_script_enabled=has_javascript).new_page() for _ in range(2))
    if has_javascript:
        steps.create_administrator(admin, mailed.address, mailed.setup_link)
    else:
        steps.sign_in(admin, mailed.address)
    admin.goto(f"{mailed.address}/people/")
    admin.get_by_role("link", name="Add several").click()
    admin.get_by_label("People").fill(f"{name}, , {name}@team.example, member\n{name}-2, , , boss")
    admin.get_by_role("button", name="Add them all").click()
    expect(admin.locator(".summary")).to_contain_text("Line 2: “boss” is not a role.")
    admin.get_by_label("People").fill(f"{name}, , {name}@team.example, member\n{name}-2, , , auditor")
    admin.get_by_role("button", name="Add them all").click()
    expect(admin.get_by_role("heading", name="2 people added")).to_be_visible()
    expect(admin.locator("#sign-in-link")).to_contain_text(f"{name}-2 {mailed.printed}/join/")
    steps.join(person, mailed.address, take_link(server))

    person.context.clear_cookies()
    person.goto(f"{mailed.address}/accounts/login/")
    person.get_by_role("link", name="Forgot your password?").click()
    person.get_by_label("Username or e-mail address").fill(f"{name}@team.example")
    person.get_by_role("button", name="Send a link").click()
    expect(person.locator(".messages")).to_contain_text("If there is an account")
    steps.join(person, mailed.address, take_link(server))
    for page in (admin, person):
        page.context.close()
