"""What people do on pages, step by step, in any browser."""

from playwright.sync_api import Page, expect

PASSWORD = "correct horse battery staple"


def choose_password(page: Page, again: str = PASSWORD) -> None:
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=password_again]", again)
    page.click("main button[type=submit]")


def await_home(page: Page, address: str) -> None:
    """Or the overview, which is an auditor's first page."""
    page.wait_for_url(lambda url: url in (f"{address}/", f"{address}/overview/"))


def create_administrator(page: Page, address: str, link: str) -> None:
    """ada, through the link that `make run` printed, which then leads nowhere."""
    page.goto(link)
    page.fill("[name=username]", "ada")
    choose_password(page, "something else entirely")
    expect(page.get_by_text("The two passwords differ.").first).to_be_visible()
    choose_password(page)
    await_home(page, address)
    response = page.goto(link)
    assert response
    assert response.status == 404


def open_proved(page: Page, address: str) -> None:
    """What asks for the password of whoever last typed it some minutes ago."""
    page.goto(address)
    if "/accounts/confirm/" in page.url:
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_url(address)


def add_person(page: Page, address: str, username: str, role: str) -> str:
    """The link for somebody whom an administrator adds."""
    open_proved(page, f"{address}/people/new/")
    page.fill("[name=username]", username)
    page.get_by_role("radio", name=role, exact=True).check()
    page.click("main form button[type=submit]")
    return page.locator("#sign-in-link").inner_text()


def join(page: Page, address: str, link: str) -> None:
    page.goto(link)
    choose_password(page)
    await_home(page, address)


def sign_in(page: Page, address: str, username: str = "ada") -> None:
    page.goto(f"{address}/accounts/login/")
    page.fill("[name=username]", username)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    await_home(page, address)


def visit_neighbour(page: Page, *, printed: str, address: str, neighbour: tuple[str, list[str]]) -> None:
    """Come back by the address that was printed, then look at another port: that one is not given the session."""
    page.goto(f"{printed}/requests/?search=ada")
    expect(page).to_have_url(f"{address}/requests/?search=ada")
    other, cookies = neighbour
    page.goto(other)
    page.goto(other.replace("127.0.0.1", "localhost"))
    assert len(cookies) >= 2
    assert set(cookies) == {""}


def request(page: Page, address: str, *, type: str = "python", workspace: str = "") -> None:
    page.goto(f"{address}/requests/new/")
    page.check(f"[name=type][value={type}]")
    if workspace:
        page.check('[name=place][value="+other"]')
        page.fill("[name=workspace_id]", workspace)
    page.click("main form button[type=submit]")


def await_status(page: Page, status: str) -> None:
    expect(page.locator("#live")).to_have_attribute("data-request-status", status, timeout=60_000)


def release(page: Page) -> None:
    """On the page of a workstation."""
    page.locator("summary", has_text="Release").click()
    page.get_by_role("button", name="Release").click()


def resume(page: Page, address: str) -> None:
    """As an operator, where the key is paused."""
    page.goto(f"{address}/key/")
    button = page.get_by_role("button", name="Resume sending")
    if button.count():
        button.click()
        expect(page.locator(".messages")).to_contain_text("You have resumed sending")


def open_key(page: Page, address: str) -> None:
    """Resume it and let one request succeed: only then does a failure count as it does on an ordinary day."""
    resume(page, address)
    if page.get_by_role("heading", name="Requests are being sent", exact=True).count() == 0:
        request(page, address)
        await_status(page, "succeeded")
