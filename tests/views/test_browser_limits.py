"""What browsers are told with every response, and to forget at sign-out."""

import pytest
from django.conf import settings

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(settings):
    (settings.STATIC_ROOT / "file.css").write_text("/* */")
    yield "/static/file.css"
    (settings.STATIC_ROOT / "file.css").unlink()


@pytest.mark.parametrize(
    ("path", "status"),
    [("/healthz", 200), ("/accounts/login/", 200), ("/", 302), ("/nowhere/", 404), ("/admin/", 302), ("", 200)],
)
def test_every_response_tells_what_is_not_needed(file, client, path, status):
    response = client.get(path or file)
    assert response.status_code == status
    policy = response["Permissions-Policy"].split(", ")
    assert {"clipboard-write=(self)", "fullscreen=(self)", "camera=()", "microphone=()", "geolocation=()"} <= {*policy}
    assert {"payment=()", "usb=()"} <= {*policy}
    assert len({entry.partition("=")[0] for entry in policy}) == len(policy)
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in response
    assert "unsafe" not in response["Content-Security-Policy"]
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= {*response["Content-Security-Policy"].split("; ")}
    response.close()


def test_nothing_is_around_it():
    assert settings.MIDDLEWARE[0] == "portal.web.middleware.BrowserLimitsMiddleware"


OPENED = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765", "127.0.0.1"])
def test_browsers_are_led_to_the_name_of_a_local_portal(client, host):
    response = client.get("/setup/a%20b/?x=1&y=%2F", headers=OPENED | {"Host": host})
    port = ":8765" if host.endswith(":8765") else ""
    assert (response.status_code, response.cookies) == (302, {})
    assert response["Location"] == f"http://{settings.LOCAL_HOST}{port}/setup/a%20b/?x=1&y=%2F"
    assert response["Referrer-Policy"] == "strict-origin"
    led = client.get("//other.example/", headers=OPENED | {"Host": host})
    assert led["Location"].startswith(f"http://{settings.LOCAL_HOST}{port}/")


@pytest.mark.parametrize(
    "fields",
    [
        {"Host": "127.0.0.1"},
        {"Host": "localhost:8000", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Host": "localhost:8000", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        OPENED | {"Host": settings.LOCAL_HOST},
    ],
)
def test_all_else_is_answered_where_it_asks(client, settings, fields):
    assert client.get("/accounts/login/", headers=fields).status_code == 200
    opened = OPENED | {"Host": "127.0.0.1"}
    assert client.post("/accounts/login/", headers=opened).status_code == 200, "a form"
    settings.LOCAL_HOST = ""
    assert client.get("/accounts/login/", headers=opened).status_code == 200, "the portal has names of its own"


def test_a_browser_forgets_at_sign_out(sign_in, alice):
    browser = sign_in(alice)
    page = browser.get("/")
    assert "Clear-Site-Data" not in page
    assert "no-store" in page["Cache-Control"]
    assert browser.post("/accounts/logout/")["Clear-Site-Data"] == '"cache", "storage"'
