"""Sign-in links by mail, in Chromium: a mail server takes them, and people open what they got."""

import re

from playwright.sync_api import Browser, expect

from tests.e2e import steps
from tests.mailserver import MailServer


def take_link(mails: MailServer) -> str:
    """That of the next mail."""
    assert mails.has_mail.wait(30)
    mails.has_mail.clear()
    found = re.search(r"http://\S+/join/\S+", mails.mails.pop().get_content())
    assert found
    return found[0]


def test_several_are_added_and_one_without_javascript_forgets_the_password(browser: Browser, portal, people, mails):
    admin = browser.new_context(storage_state=people["ada"]).new_page()
    person = browser.new_context(java_script_enabled=False).new_page()
    steps.open_proved(admin, f"{portal.address}/people/new/several/")
    admin.get_by_label("People").fill("nora, , nora@team.example, member\notto, , , boss")
    admin.get_by_role("button", name="Add them all").click()
    expect(admin.locator(".summary")).to_contain_text("Line 2: “boss” is not a role.")
    admin.get_by_label("People").fill("nora, , nora@team.example, member\notto, , , auditor")
    admin.get_by_role("button", name="Add them all").click()
    expect(admin.get_by_role("heading", name="2 people added")).to_be_visible()
    expect(admin.locator("#sign-in-link")).to_contain_text(f"otto {portal.printed}/join/")
    steps.join(person, portal.address, take_link(mails))

    person.context.clear_cookies()
    person.goto(f"{portal.address}/accounts/login/")
    person.get_by_role("link", name="Forgot your password?").click()
    person.get_by_label("Username or e-mail address").fill("nora@team.example")
    person.get_by_role("button", name="Send a link").click()
    expect(person.locator(".messages")).to_contain_text("If there is an account")
    steps.join(person, portal.address, take_link(mails))
    for page in (admin, person):
        page.context.close()
