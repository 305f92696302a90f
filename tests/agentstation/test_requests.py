"""What goes out: exact bodies, headers and paths."""

import json

import pytest

from portal.agentstation import Client
from tests.agentstation.conftest import KEY
from tests.agentstation.server import answering, http

WORKSTATION = b'{"id": "a", "type": "python", "status": "active"}'
HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "authorization": f"Bearer {KEY}",
    "connection": "close",
    "user-agent": "workstation-portal/1.2.3",
}


def parse(request):
    head, _, body = request.decode("latin-1").partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    return line, {name.lower(): value for name, value in (header.split(": ", 1) for header in headers)}, body


def sent(serve, client_of, call):
    server = serve(answering(http(200, WORKSTATION)))
    call(client_of(server.url))
    line, headers, body = parse(server.received())
    assert headers.pop("host") == f"127.0.0.1:{server.port}"
    return line, headers, body


def test_a_post_is_exactly_this(serve, client_of):
    line, headers, body = sent(serve, client_of, lambda client: client.request_workstation(type="python"))
    assert line == "POST /v1/workstations HTTP/1.1"
    assert body == '{"type": "python"}'
    assert headers == HEADERS | {"content-type": "application/json", "content-length": "18"}


@pytest.mark.parametrize(
    "wish", [{"type": "max", "workspace_id": "bMf1"}, {"type": '"\ud800\x00é', "workspace_id": ""}]
)
def test_a_post_for_a_workspace_is_exactly_this(serve, client_of, wish):
    _, _, body = sent(serve, client_of, lambda client: client.request_workstation(**wish))
    assert body == json.dumps(wish)


def test_a_get_and_a_release_are_exactly_this(serve, client_of):
    line, headers, body = sent(serve, client_of, lambda client: client.retrieve_workstation(uid="Il4lMTpQUC3L"))
    assert line == "GET /v1/workstations/Il4lMTpQUC3L HTTP/1.1"
    assert (headers, body) == (HEADERS, "")
    line, headers, body = sent(serve, client_of, lambda client: client.release_workstation(uid="Il4lMTpQUC3L"))
    assert line == "DELETE /v1/workstations/Il4lMTpQUC3L/release HTTP/1.1"
    assert (headers, body) == (HEADERS | {"content-length": "0"}, "")


@pytest.mark.parametrize(
    ("uid", "quoted"),
    [
        ("../../x", "..%2F..%2Fx"),
        ("a b?c#d%2F", "a%20b%3Fc%23d%252F"),
        ("é\r\n", "%C3%A9%0D%0A"),
        ("\ud800\x00", "%ED%A0%80%00"),
        ("...", "..."),
        ("-_.~@:;,", "-_.~%40%3A%3B%2C"),
    ],
)
def test_an_id_in_a_path_is_quoted_completely(serve, client_of, uid, quoted):
    line, _, _ = sent(serve, client_of, lambda client: client.retrieve_workstation(uid=uid))
    assert line == f"GET /v1/workstations/{quoted} HTTP/1.1"
    line, _, _ = sent(serve, client_of, lambda client: client.release_workstation(uid=uid))
    assert line == f"DELETE /v1/workstations/{quoted}/release HTTP/1.1"


@pytest.mark.parametrize("uid", ["", ".", ".."])
def test_an_id_that_would_name_another_path_is_refused(client_of, uid):
    client = client_of("http://127.0.0.1:9/v1")
    for call in (client.retrieve_workstation, client.release_workstation):
        with pytest.raises(ValueError, match="no path"):
            call(uid=uid)


@pytest.mark.parametrize("machine", ["127.0.0.1", "default"])
def test_a_netrc_does_not_replace_the_key(serve, client_of, monkeypatch, tmp_path, machine):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"{'default' if machine == 'default' else f'machine {machine}'} login alice password wonderland\n")
    monkeypatch.setenv("NETRC", str(netrc))
    _, headers, _ = sent(serve, client_of, lambda client: client.request_workstation(type="python"))
    assert headers["authorization"] == f"Bearer {KEY}"


def test_no_cookie_comes_back(serve, client_of):
    server = serve(answering(http(200, WORKSTATION, "Set-Cookie: a=b")))
    client = client_of(server.url)
    for _ in range(2):
        client.request_workstation(type="python")
        assert b"Cookie" not in server.received()


@pytest.mark.parametrize(
    "key", ["", "  ", "sk-secret\r\nX: y", "sk-secret\x00", "sk-secret\x7f", "sk-secret\x85x", "sk-✓"]
)
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(key):
    with pytest.raises(ValueError, match="the API key") as caught:
        Client(base_url="http://127.0.0.1/v1", api_key=key, user_agent="test")
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    [
        *("", "api.agentstation.ai/v1", "ftp://127.0.0.1/v1", "http://", "http://alice:wonderland@127.0.0.1/v1"),
        *("http://127.0.0.1/v1?a=b", "http://127.0.0.1/v1#a", "http://127.0.0.1:port/v1"),
        *("http://[::1/v1", "http://*.example/v1", f"http://{'a' * 64}.example/v1"),
    ],
)
def test_an_address_that_cannot_be_called_is_refused(base_url):
    with pytest.raises(ValueError, match="base URL") as caught:
        Client(base_url=base_url, api_key=KEY, user_agent="test")
    assert "wonderland" not in str(caught.value)
