"""The portal behind nginx as docs/proxy.md configures it: strangers who stop keep no page waiting."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos import stage
from tests.e2e.conftest import ARGUMENTS, CHROMIUM
from tests.e2e.proxied import NGINX, PROGRAMS, Proxied
from tests.web.clients import HOST, PATIENCE, Client

MANY = 120
AT_ONE_ADDRESS = 40  # fewer than nginx takes of one


@pytest.fixture(scope="module")
def proxied(tmp_path_factory) -> Iterator[Proxied]:
    assert Path(NGINX).exists(), "nginx is missing; on Debian: apt install nginx-light"
    running = Proxied(tmp_path_factory.mktemp("proxied"))
    try:
        running.start()
        yield running
    finally:
        running.end_all()


@pytest.fixture(scope="module")
def session(proxied) -> str:
    """Of an administrator, who has an export of three megabytes."""
    return proxied.fill()


@pytest.fixture
def through_nginx(proxied) -> Callable[..., Client]:
    return lambda **values: Client(proxied.tls_port, tls=proxied.tls, **values)


@pytest.fixture(autouse=True)
def _close_connections() -> Iterator[None]:
    yield
    while Client.opened:
        Client.opened.pop().close()


FIELDS = ("X-Forwarded-Proto: https", "Connection: close")  # nginx says the first by itself


def ask(client: Client, path: str, *fields: str, method: str = "GET") -> str:
    return client.send_head(path, *FIELDS, *fields, method=method).read_all()


def read_status(response: str) -> int:
    return int(response.split(" ")[1])


PROTECTIONS = [
    "content-security-policy: default-src 'none'; frame-ancestors 'none'",
    "strict-transport-security: max-age=31536000",
    "x-content-type-options: nosniff",
]


def is_protected(response: str) -> bool:
    """What nginx says by itself, and each answer to a program, has these once."""
    lines = response.partition("\r\n\r\n")[0].lower().split("\r\n")
    return sorted(one for one in lines if one.startswith(("content-security", "strict", "x-content"))) == PROTECTIONS


ISSUER_CODE = "/accounts/oidc/acme/login/callback/?code=not-to-be-logged"

# --- The link comes first: there is one only until there is an administrator ---


def test_the_token_of_the_link_is_in_no_log(proxied, through_nginx, browser):
    link = proxied.manage("setup_link")
    path = re.search(r"/setup/(\S+)/", link)
    assert path is not None
    options = [*ARGUMENTS, f"--host-resolver-rules=MAP {HOST} 127.0.0.1"]
    another = browser.browser_type.launch(executable_path=CHROMIUM, args=options)
    page = another.new_context(ignore_https_errors=True).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.all_headers().get("referer", "")))
    address = f"https://{HOST}:{proxied.tls_port}"
    page.goto(address + path[0], wait_until="networkidle")
    assert page.get_by_role("heading").inner_text() == "Create the first administrator"
    another.close()
    assert len(asked) > 2
    assert set(asked) <= {"", f"{address}/"}
    assert read_status(ask(Client(proxied.http_port), path[0])) == 301

    proxied.ask_database("ALTER TABLE portal_signinlink RENAME TO away")
    try:
        assert read_status(ask(through_nginx(), path[0])) == 503
    finally:
        proxied.ask_database("ALTER TABLE away RENAME TO portal_signinlink")
    assert read_status(ask(through_nginx(), path[0][:-1])) == 301
    assert read_status(ask(through_nginx(), f"{path[0]}more/")) == 404
    another_link = "/join/12.not-to-be-logged/"
    assert read_status(ask(through_nginx(), another_link)) == 404
    for odd in ("/%6aoin/12.not-to-be-logged/", "/join%2F12.not-to-be-logged", "/./join//12.not-to-be-logged/"):
        assert read_status(ask(through_nginx(), odd)) in (301, 404)
    for program_path in ("/v1/workstations?token=wsp_not-to-be-logged", "/api/requests?token=wsp_not-to-be-logged"):
        assert read_status(ask(through_nginx(), program_path)) == 401
    proxied.end("portal")
    for link_path in (path[0], another_link, "/notifications/unsubscribe/not-to-be-logged/", ISSUER_CODE):
        response = ask(through_nginx(), link_path)
        assert (read_status(response), is_protected(response)) == (502, True)
    proxied.start_portal()

    logs = proxied.read_logs()
    assert logs.count("GET /setup/...") > 8
    assert "ERROR django.request: " in logs
    assert "GET /join/..." in logs
    assert path[1] not in logs
    assert "not-to-be-logged" not in logs


# --- Strangers ---


def stop_in_the_head(through_nginx, session: str, address: str) -> Client:
    return through_nginx(address=address).send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Pro")


def stop_in_the_body(through_nginx, session: str, address: str) -> Client:
    fields = (*FIELDS, f"Cookie: __Host-csrftoken={'a' * 32}", "Content-Length: 100")
    kind = "Content-Type: application/x-www-form-urlencoded"
    return through_nginx(address=address).send_head("/theme/", *fields, kind, method="POST").send("theme=da")


def stop_reading_an_export(through_nginx, session: str, address: str) -> Client:
    return send_form(through_nginx(address=address, window=4096), "/requests/export.csv", session=session)


def send_form(client: Client, path: str, *, session: str) -> Client:
    """A form without fields, by somebody who is signed in."""
    token = "a" * 32
    cookies = f"Cookie: __Host-sessionid={session}; __Host-csrftoken={token}"
    fields = (cookies, f"X-CSRFToken: {token}", f"Origin: https://{HOST}", "Content-Length: 0")
    return client.send_head(path, *FIELDS, *fields, method="POST")


@pytest.mark.parametrize("stop", [stop_in_the_head, stop_in_the_body, stop_reading_an_export])
def test_many_who_stop_keep_no_page_waiting(through_nginx, session, stop):
    stopped = [stop(through_nginx, session, f"127.0.0.{10 + number // AT_ONE_ADDRESS}") for number in range(MANY)]

    if stop is stop_reading_an_export:
        responses = {read_status(client.read()) for client in stopped}
        assert responses == {200, 503}
    page = ask(through_nginx(), "/accounts/login/")
    health = ask(through_nginx(), "/healthz")

    assert (read_status(page), read_status(health)) == (200, 200)
    assert len(stopped) == MANY


def test_an_export_comes_whole(through_nginx, session):
    for _ in range(MANY):  # whoever stopped before gives a place back as soon as the server sees that they have left
        file = send_form(through_nginx(), "/requests/export.csv", session=session).read_all()
        if read_status(file) != 503:
            break
    assert read_status(file) == 200
    assert len(file) > 6000 * 500
    assert file.endswith("\r\n0\r\n\r\n")  # by this end a client knows that it was not cut off


# --- What is refused ---


def test_files_and_what_is_too_long_are_refused(through_nginx):
    files = ("Content-Type: multipart/form-data; boundary=b", "Content-Length: 5000")
    response = through_nginx().send_head("/accounts/login/", *FIELDS, *files, method="POST").send("x" * 5000).read_all()
    assert (read_status(response), "The portal doesn't accept files" in response) == (415, True)
    long = through_nginx().send_head("/accounts/login/", *FIELDS, "Content-Length: 200000000", method="POST")
    refused = long.read()
    assert (read_status(refused), is_protected(refused)) == (413, True)
    sent = 0
    with contextlib.suppress(OSError):
        while sent < 200_000_000:
            long.send("x" * 1_000_000)
            sent += 1_000_000
    assert sent < 50_000_000  # what the kernel takes; nobody reads it


def test_a_body_in_chunks_is_told_its_length_by_nginx(through_nginx):
    kind = "Content-Type: application/x-www-form-urlencoded"
    chunks = ("/theme/", *FIELDS, kind, "Transfer-Encoding: chunked")
    body = "6\r\ntheme=\r\n4\r\ndark\r\n0\r\n\r\n"
    assert read_status(through_nginx().send_head(*chunks, method="POST").send(body).read_all()) == 403  # no token


# --- What nginx tells the portal ---


def test_http_leads_to_https_and_not_in_a_circle(proxied, through_nginx):
    plain = Client(proxied.http_port).send_head("/usage/?year=1", "Connection: close").read_all()
    assert read_status(plain) == 301
    assert f"\r\nLocation: https://{HOST}/usage/?year=1\r\n" in plain

    page = through_nginx().send_head("/usage/?year=1", "Connection: close").read_all()
    assert read_status(page) == 302
    assert "\r\nLocation: /accounts/login/?next=/usage/%3Fyear%3D1\r\n" in page
    form = through_nginx().send_head("/accounts/login/", "Connection: close").read_all()
    assert read_status(form) == 200
    assert re.search(r"\r\nSet-Cookie: __Host-csrftoken=[^\r]*; Secure\r\n", form)
    assert "\r\nStrict-Transport-Security: max-age=31536000" in form
    for path in ("/v1/workstations", "/api/requests"):
        assert is_protected(ask(through_nginx(), path))


def sign_in(connect: Callable[..., Client], *fields: str, address: str = "127.0.0.1") -> str:
    """Tried with a wrong password."""
    form = ask(connect(address=address), "/accounts/login/")
    cookie = re.search(r"__Host-csrftoken=(\w+)", form)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert cookie is not None
    assert token is not None
    body = f"username=ada&password=wrong&csrfmiddlewaretoken={token[1]}"
    kind = ("Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}")
    sent = (*FIELDS, *kind, f"Cookie: {cookie[0]}", f"Origin: https://{HOST}", *fields)
    return connect(address=address).send_head("/accounts/login/", *sent, method="POST").send(body).read_all()


def test_the_record_has_the_address_and_the_id_that_nginx_knows(proxied, through_nginx, session):
    claims = ("X-Forwarded-For: 192.0.2.9", "X-Request-ID: made-up-by-me", "X-Forwarded-Ssl: off")
    response = sign_in(through_nginx, *claims, address="127.0.0.60")
    assert read_status(response) == 200
    found = re.search(r"\r\nX-Request-ID: (\w+)\r\n", response)
    assert found is not None
    number = found[1]

    told = proxied.ask_database("SELECT address, http_request FROM portal_event ORDER BY id DESC LIMIT 1")
    assert told == [("127.0.0.60", number)]
    line = re.compile(rf'^127\.0\.0\.60 .*"POST /accounts/login/ .* {number}$', re.MULTILINE)
    assert stage.wait_until(
        lambda: line.search(proxied.read_logs()) is not None, seconds=PATIENCE
    )  # it writes when it has sent


@pytest.mark.parametrize(
    ("path", "address"), [("/accounts/login/", "127.0.0.70"), ("/accounts/oidc/acme/", "127.0.0.71")]
)
def test_nobody_tries_to_sign_in_without_end(through_nginx, path, address):
    form = {"method": "POST"}
    responses = [ask(through_nginx(address=address), path, "Content-Length: 0", **form) for _ in range(30)]
    assert {*map(read_status, responses[:20])} == {403}  # without their form's token
    assert [one for one in responses[20:] if read_status(one) == 429 and is_protected(one)]
    assert read_status(ask(through_nginx(address=address), "/accounts/login/")) == 200


def test_programs_of_an_address_wait_by_the_hundred_and_not_without_end(through_nginx):
    def begin() -> Client:
        head = ("Content-Type: application/json", "Content-Length: 2", "Connection: close", "Expect: 100-continue")
        client = through_nginx().send_head("/v1/workstations", *head, method="POST")
        assert client.read().startswith("HTTP/1.1 100 ")  # from now on it counts
        return client.send("{")

    waiting = [begin() for _ in range(PROGRAMS)]
    refused = ask(through_nginx(), "/v1/workstations")
    assert (read_status(refused), is_protected(refused)) == (429, True)
    assert read_status(ask(through_nginx(), "/accounts/login/")) == 200
    assert {read_status(client.send("}").read_all()) for client in waiting} == {401}  # they go on: they have no token
