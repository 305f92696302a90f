"""The key is sent, and shown nowhere. (That no error shows it, the fixture `fail` asserts everywhere.)"""

import http.client
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from portal.agentstation.errors import InvalidKey, NoAnswer, UnreadableResponse
from tests.agentstation.conftest import KEY
from tests.agentstation.server import answering
from tests.agentstation.server import http as response

WORKSTATION = b'{"id": "a", "type": "python", "status": "active"}'


def test_no_log_record_shows_it(client_of, fail, serve, caplog, capfd, monkeypatch):
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    caplog.set_level(logging.DEBUG)
    client_of(serve(answering(response(200, WORKSTATION))).url).request_workstation(type="python")
    fail(lambda: client_of(serve(answering(response(401))).url).request_workstation(type="python"))
    fail(lambda: client_of(serve(answering(b"")).url).request_workstation(type="python"))
    fail(lambda: client_of("https://provider.invalid/v1").request_workstation(type="python"))
    assert any(record.name.startswith("urllib3") for record in caplog.records)
    assert KEY not in caplog.text
    assert KEY not in "".join(capfd.readouterr())


def test_a_server_that_repeats_the_request_gives_nothing_away(client_of, fail, serve, caplog):
    caplog.set_level(logging.DEBUG)

    def echo(connection):
        connection.send(connection.read_request())

    def echo_authorization(connection):
        connection.send(f"Authorization: Bearer {KEY}\r\n\r\n".encode() + connection.read_request())

    client = client_of(serve(echo, echo_authorization).url)
    for _ in range(2):
        assert type(fail(lambda: client.request_workstation(type="python"))) is NoAnswer
    assert KEY not in caplog.text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_response_that_repeats_the_key_has_it_blotted_out(client_of, fail, serve, encoding):
    body = '{"error": "No", "message": "Unknown key %s, \\u0073k-live-0123456789abcdef"}' % KEY  # noqa: UP031
    client = client_of(serve(answering(response(401, body.encode(encoding)))).url)
    assert repr(client) == str(client) == f"<Client of {client._base_url}>"
    assert KEY not in repr(vars(client))
    error = fail(lambda: client.request_workstation(type="python"))
    assert type(error) is InvalidKey
    assert error.response
    assert b"Unknown key [API key], [API key]" in error.response.body.replace(b"\0", b"")


def test_in_a_stream_too_wherever_that_is_cut_until_it_is_stopped(reach):
    def speak(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.send(b"d\r\ndata: sk-live\r\n12\r\n-0123456789abcdef\n\r\n1\r\ns\r\n3\r\nk\n\n\r\n")
        connection.stopping.wait()

    stream = reach(speak)[1].pass_on(method="GET", uid="a", path="b", query="", body=None).stream
    assert [next(stream.pieces) for _ in range(4)] == [b"data: ", b"[API key]\n", b"", b"sk\n\n"]
    with closing(stream), ThreadPoolExecutor() as threads:
        reading = threads.submit(list, stream.pieces)
        stream.stop()
        assert reading.result(30) == [b""]


def test_no_half_of_the_key_is_left_where_words_are_cut(client_of, fail, serve):
    body = json.dumps({"error": "No", "message": KEY.rjust(4096 + len(KEY) // 2)}).encode()
    error = fail(lambda: client_of(serve(answering(response(401, body))).url).request_workstation(type="python"))
    assert error.response.message.strip() == "[API key]"


@pytest.mark.parametrize("length", [8192, 8193])
def test_the_address_of_a_connection_is_whole_or_refused(client_of, fail, serve, length):
    body = json.dumps({"url": "wss://x/".ljust(length, "a")}).encode()
    client = client_of(serve(answering(response(200, body))).url)
    if length == 8192:
        assert len(client.open_connection(uid="a", path="sandbox/pty")) == length
    else:
        assert type(fail(lambda: client.open_connection(uid="a", path="sandbox/pty"))) is UnreadableResponse


@pytest.mark.parametrize("body", [b"<h1>No</h1>", b'{"error": "a wicked word", "message": "another"}'])
def test_the_provider_s_words_are_in_the_response_alone(client_of, fail, serve, body):
    error = fail(lambda: client_of(serve(answering(response(400, body))).url).request_workstation(type="python"))
    assert "wicked" not in str(error) + repr(error) + repr(error.response)
    assert error.response.body == body
