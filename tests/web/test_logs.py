"""The token of a link that lets somebody in is in no log, whoever writes it."""

import logging
from logging.config import DictConfigurator
from typing import Any

import pytest
from django.conf import settings

from portal.web.logs import hide_token
from tests.web.clients import Client, ask

TOKEN = "Zk3-_x9TokenTokenTokenTokenTokenToken"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f'"GET /setup/{TOKEN}/ HTTP/1.1" 200', '"GET /setup/.../ HTTP/1.1" 200'),
        (f"Not Found: /setup/{TOKEN}", "Not Found: /setup/..."),
        (f"https://portal.example/setup/{TOKEN}?x=1", "https://portal.example/setup/...?x=1"),
        (f"/accounts/login/?next=%2Fsetup%2F{TOKEN}%2F&x", "/accounts/login/?next=%2Fsetup%2F...%2F&x"),
        (f'"POST /join/12.{TOKEN}/ HTTP/1.1" 302', '"POST /join/.../ HTTP/1.1" 302'),
        (f"/%6aoin/12.{TOKEN}/ 200", "/%6aoin/.../ 200"),
        (f"/SET%75p%2f{TOKEN}/?x", "/SET%75p%2f.../?x"),
        (f"/join%252F{TOKEN}%252F", "/join%252F...%252F"),
        (f"/./join//./{TOKEN}", "/./join//./..."),
        (f"/join/%{TOKEN}", "/join/..."),
        (f"/notifications/unsubscribe/2.failed:{TOKEN}/", "/notifications/unsubscribe/.../"),
        ('"GET /v1/workstations?token=wsp_0aB9zZ HTTP/1.1" 401', '"GET /v1/workstations?token=wsp_... HTTP/1.1" 401'),
        ("KeyError: 'wsp_0aB9zZ'", "KeyError: 'wsp_...'"),
        ("/v1/%77sp%255f0aB9zZ", "/v1/%77sp%255f..."),
        (
            f"GET /accounts/oidc/acme/callback/?code={TOKEN}&state=x",
            "GET /accounts/oidc/acme/callback/?code=...&state=x",
        ),
        (f"/callback/?state=x&%63ode%3D{TOKEN} 302", "/callback/?state=x&%63ode%3D... 302"),
        ("/setup/ and /requests/1/", "/setup/ and /requests/1/"),
    ],
)
def test_dots_stand_in_its_place(line, shown):
    assert hide_token(line) == shown


def test_it_is_in_no_line_of_gunicorn(serve):
    server = serve("--access-logfile=-", "--log-level=info")
    assert ask(server.port, f"/setup/{TOKEN}/", f"Referer: http://portal.example/setup/{TOKEN}/") == "200"
    assert ask(server.port, f"/broken/setup/{TOKEN}/") == "500"
    assert Client(server.port).send(f"GET /setup/{TOKEN}/ HTTP/x.y\r\n\r\n").read_all().startswith("HTTP/1.1 400")
    assert server.end() == 0

    log = server.read_log()
    assert TOKEN not in log
    assert '"GET /setup/.../ HTTP/1.1" 200 2 "http://portal.example/setup/.../"' in log
    assert "Error handling request GET /broken/setup/.../" in log
    assert "ZeroDivisionError" in log


def test_it_is_in_no_line_of_django():
    logs: dict[str, Any] = settings.LOGGING
    form = DictConfigurator(logs).configure_formatter(dict(logs["formatters"]["line"]))
    values = {"name": "django.request", "levelname": "ERROR", "msg": "Internal Server Error: %s"}
    line = form.format(logging.makeLogRecord(values | {"args": (f"/setup/{TOKEN}/",)}))
    assert line.endswith(" ERROR django.request: Internal Server Error: /setup/.../")
    # All of Django's loggers write by the root's handler, which has this form.
    assert logging.getLogger("django").handlers == []


@pytest.mark.django_db
def test_pages_with_a_token_tell_what_they_load_no_path_and_none_tells_other_sites_the_name_of_the_portal(client):
    for path in ("/setup/unknown/", "/join/unknown/", "/%6Aoin/unknown", "/nowhere/Setup/unknown/"):
        assert client.get(path)["Referrer-Policy"] == "strict-origin"
    assert client.get("/accounts/login/")["Referrer-Policy"] == "same-origin"
