"""The portal takes no files and nothing longer than a form, at any address, and reads nothing of what it refuses."""

from pathlib import Path

import pytest
from django.conf import settings

from portal.web.middleware import MOST_BODY
from tests.browser import FORM

ADDRESSES = [
    *("/", "/requests/new/", "/accounts/login/", "/setup/token/", "/join/token/", "/admin/", "/admin/portal/user/add/"),
    *("/healthz", "/static/portal.css", "/nowhere/"),
]


class Unread:
    def read(self, size: int = -1) -> bytes:
        raise AssertionError("it was read")

    readline = read


@pytest.fixture
def post(client):
    def post(path: str, content_type: str = FORM, **environ: object) -> tuple[int, str]:
        response = client.generic("POST", path, **{"wsgi.input": Unread(), "CONTENT_TYPE": content_type} | environ)
        assert "default-src 'none'" in response["Content-Security-Policy"]
        assert response["Cross-Origin-Resource-Policy"] == "same-origin"
        return response.status_code, response.text

    return post


@pytest.mark.parametrize("path", ADDRESSES)
def test_it_is_refused_at_every_address(post, path):
    for content_type in ("multipart/form-data; boundary=b", "Multipart/Form-Data"):
        status, page = post(path, content_type, CONTENT_LENGTH="200")
        assert (status, "<h1>The portal doesn't accept files</h1>" in page) == (415, True)
    for environ in ({"CONTENT_LENGTH": str(MOST_BODY + 1)}, {"HTTP_TRANSFER_ENCODING": "chunked"}):
        status, page = post(path, **environ)
        assert (status, "<h1>What you sent is too large</h1>" in page) == (413, True)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "CONNECT"])
def test_other_methods_than_pages_have_are_refused_at_every_address(client, method):
    for path in ADDRESSES:
        response = client.generic(method, path)
        assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, POST")
    too_long = {"CONTENT_LENGTH": str(MOST_BODY + 1), "wsgi.input": Unread()}
    assert client.generic(method, "/healthz", **too_long).status_code == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "ten", "²"])
def test_a_length_that_is_none_is_refused(post, length):
    assert post("/accounts/login/", CONTENT_LENGTH=length)[0] == 413


def test_a_form_of_the_greatest_length_is_read(client, db):
    values = "username=alice&password="
    response = client.post("/accounts/login/", values + "x" * (MOST_BODY - len(values)))
    assert response.status_code == 200
    assert response.context["form"].data["username"] == "alice"


def test_no_form_is_sent_as_if_it_held_files():
    for path in [*settings.BASE_DIR.glob("templates/**/*.html"), *Path(settings.BASE_DIR).glob("static/*.js")]:
        assert "multipart" not in path.read_text(), path
        assert "hx-encoding" not in path.read_text(), path
