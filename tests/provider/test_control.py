"""Who may direct the sandbox: whoever means it, and no web page in a browser on the same machine."""

import http.client

import pytest

from tests.provider import control
from tests.provider.conftest import Director

ADDRESSES = [
    *(("POST", f"/control/{name}") for name in ("answers", "faults", "strangers", "history", "types")),
    *(("POST", f"/control/{name}") for name in ("hold", "release", "reset")),
    ("GET", "/control/record"),
]
BODIES = {"/control/answers": '{"status": 418}', "/control/types": '{"generation": "none"}', "/control/history": "{}"}


def call(sandbox, method: str, path: str, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, str]:
    """With just these headers, Host among them; and the body."""
    connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"), timeout=30)
    body = BODIES.get(path, "{}").encode()
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in (headers | {"Content-Length": str(len(body))}).items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def test_these_are_all_the_control_addresses(sandbox):
    routes = [(route.method, route.pattern.pattern) for route in sandbox.provider.routes]
    assert {(method, path) for method, path in routes if path.startswith("/control/")} == set(ADDRESSES)


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "127.0.0.1:8001"},
        {"Host": "127.0.0.1:8001", "Content-Type": "text/plain", "Origin": "http://evil.example"},
        {"Host": "127.0.0.1:8001", "X-Sandbox-Control": "0"},
        {"X-Sandbox-Control": "1"},
        {"Host": "", "X-Sandbox-Control": "1"},
    ],
)
def test_a_call_that_any_page_could_send_is_refused(sandbox, method, path, headers):
    answer, text = call(sandbox, method, path, headers)
    assert answer.status == 403
    assert "X-Sandbox-Control: 1 and a Host on loopback" in text
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8001", "127.0.0.1.evil.example", "localhost.evil.example:8001", "10.0.0.1"),
        *("localhost@evil.example", "evil.example@localhost", "[::1].evil.example", "[::2]", "0.0.0.0", "::1", "1"),
        *("127.0.0.1 evil.example", "127.0.0.1:x", "localhost:8001:8001", "[localhost", "2130706433"),
    ],
)
def test_a_name_that_was_made_to_lead_here_is_refused(sandbox, host):
    answer, _ = call(sandbox, "POST", "/control/reset", {"Host": host, **control.HEADERS})
    assert answer.status == 403


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8001", "localhost", "LocalHost:80", "[::1]", "[::1]:8001", "127.0.0.2:1"]
)
@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_this_machine_s_own_names_are_taken(sandbox, method, path, host):
    answer, text = call(sandbox, method, path, {"host": host, "x-sandbox-control": "1"})
    assert answer.status == 200, text


def test_nothing_was_done_by_what_was_refused(sandbox, alice: Director):
    assert alice.control("POST", "answers", json={"status": 418}, headers={}).status_code == 403
    assert alice.control("POST", "hold", headers={}).status_code == 403
    assert alice.ask().status_code == 200
    assert alice.control("POST", "reset", headers={}).status_code == 403
    assert len(sandbox.record()["posts"]) == 1


def test_a_browser_that_asks_first_is_not_told_yes(sandbox):
    asked = {"Host": "127.0.0.1", "Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer, _ = call(
        sandbox, "OPTIONS", "/control/reset", asked | {"Access-Control-Request-Headers": "x-sandbox-control"}
    )
    assert answer.status == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_the_provider_s_own_addresses_take_any_name(sandbox, alice: Director):
    answer = alice.call("GET", "/workstations", headers={"Host": "provider.example"})
    assert answer.status_code == 200
