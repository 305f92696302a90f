"""What browsers are told with every response, and to forget at sign-out."""

import pytest
from django.conf import settings

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(settings):
    """One that WhiteNoise serves."""
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
    response.close()


def test_what_is_refused_tells_it_too(client):
    response = client.post("/", content_type="multipart/form-data; boundary=b", data=b"x")
    assert (response.status_code, response["Cross-Origin-Resource-Policy"]) == (415, "same-origin")


def test_nothing_is_around_it():
    assert settings.MIDDLEWARE[0] == "portal.middleware.BrowserLimitsMiddleware"


def test_a_browser_forgets_at_sign_out(sign_in, alice):
    browser = sign_in(alice)
    assert "Clear-Site-Data" not in browser.get("/")
    assert browser.post("/accounts/logout/")["Clear-Site-Data"] == '"cache", "storage"'
