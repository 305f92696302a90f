"""Was anything sent, did a response come, and is the time bounded: the transport's facts, against a real socket."""

import errno
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from portal.agentstation import SendTooLate, boottime
from portal.agentstation.errors import GatewayResponse, NoAnswer, UnreadableResponse
from tests import ports
from tests.agentstation.server import Connection, answering, dripping, http, over_tls, reset_after_request

WORKSTATION = b'{"id": "Il4lMTpQUC3L", "type": "python", "status": "active"}'
MEBIBYTE = 1024 * 1024


# Nothing was sent.


def test_a_refused_connection_is_no_connection(fail_to_connect):
    assert "Connection refused" in str(fail_to_connect(f"http://127.0.0.1:{ports.find_port()}/v1"))


def test_a_name_without_an_address_and_a_reset_while_connecting_are_no_connection(fail_to_connect, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [])
    fail_to_connect("http://provider.test/v1")
    monkeypatch.undo()

    def reset(self, address):
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    monkeypatch.setattr(socket.socket, "connect", reset)
    fail_to_connect("http://127.0.0.1:1/v1")


def test_a_stalled_tcp_handshake_is_no_connection(fail_to_connect):
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        fail_to_connect(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", connect_timeout=0.3)


@pytest.mark.parametrize("options", [{"connect_timeout": 0.3}, {"connect_timeout": 3600, "total_timeout": 0.3}])
def test_a_stalled_tls_handshake_is_no_connection(fail_to_connect, serve, options):
    server = serve(Connection.read_to_end)
    fail_to_connect(server.tls_url, **options)
    assert b"POST" not in server.received()


def test_an_untrusted_certificate_is_no_connection(fail_to_connect, serve, tls):
    server = serve(over_tls(tls, Connection.read_to_end))
    assert "certificate verify failed" in str(fail_to_connect(server.tls_url))
    assert server.received() == b""


def test_a_plain_server_on_https_is_no_connection(fail_to_connect, serve):
    def handle(connection):
        connection.sock.recv(1)
        connection.send(http(400, b"{}"))
        connection.read_to_end()

    fail_to_connect(serve(handle).tls_url)


def test_past_send_before_not_a_byte_goes_out(fail, reach):
    server, client = reach(Connection.read_to_end)
    error = fail(lambda: client.request_workstation(type="python", send_before=boottime() - 1))
    assert (type(error), error.response) == (SendTooLate, None)
    assert server.received() == b""


def test_who_may_not_send_any_more_sends_not_a_byte(fail, reach):
    server, client = reach(Connection.read_to_end, total_timeout=30.0)
    asked: list[float] = []
    assert type(fail(lambda: client.request_workstation(type="python", may_send=asked.append))) is SendTooLate
    assert server.received() == b""
    (seconds,) = asked
    assert 0 < seconds <= 30


def test_it_is_asked_once_and_when_the_connection_stands(reach):
    server, client = reach(answering(http(200, WORKSTATION)))
    asked: list[bool] = []

    def may_send(seconds: float) -> bool:
        asked.append(server.has_accepted.wait(30))
        return True

    assert client.request_workstation(type="python", may_send=may_send).response.status == 200
    assert asked == [True]
    assert server.received().endswith(b'{"type": "python"}')


def test_where_the_response_comes_after_the_call_s_time_nothing_goes_out(client_of, fail, serve):
    server = serve(Connection.read_to_end)
    waiting = threading.Event()
    client = client_of(server.url, total_timeout=0.2)
    error = fail(lambda: client.request_workstation(type="python", may_send=lambda left: not waiting.wait(left + 0.1)))
    assert type(error) is SendTooLate
    assert server.received() == b""


def test_where_send_before_passes_between_headers_and_body_no_body_goes_out(client_of, fail, serve, monkeypatch):
    server = serve(Connection.read_to_end)
    times = iter([99.0, 101.0])
    monkeypatch.setattr(time, "clock_gettime", lambda clock: next(times))
    client = client_of(server.url)
    assert type(fail(lambda: client.request_workstation(type="python", send_before=100.0))) is SendTooLate
    head, _, body = server.received().partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/workstations HTTP/1.1")
    assert body == b""


# Sent, and no complete response.


def reset_mid_body(connection):
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n" + WORKSTATION[:20])
    connection.reset()


INCOMPLETE = {
    "reset after the request": reset_after_request,
    "reset in the body": reset_mid_body,
    "closed without a word": answering(b""),
    "not HTTP": answering(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "half a status line": answering(b"HTTP/1.1 2"),
    "TLS": answering(b"\x15\x03\x01\x00\x02\x02\x28"),
    "cut short": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\n" + WORKSTATION),
    "a refusal cut short": answering(b"HTTP/1.1 400 Bad\r\nContent-Length: 100\r\n\r\n" + b'{"error": "x"}'),
    "a chunk cut short": answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + WORKSTATION),
    "no last chunk": answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
    "no chunk size": answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
    "a negative chunk": answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n"),
    "two lengths": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} "),
    "endless header": answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
    "too many headers": answering(b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 1000 + b"\r\n{}"),
    "an interim answer": answering(b"HTTP/1.1 103 Early Hints\r\n\r\n" + http(200, WORKSTATION)),
}


@pytest.mark.parametrize("handler", INCOMPLETE.values(), ids=INCOMPLETE.keys())
def test_an_incomplete_response_is_no_answer(fail, reach, handler):
    _, client = reach(handler)
    assert type(fail(lambda: client.request_workstation(type="python"))) is NoAnswer


@pytest.mark.parametrize("is_endless", [True, False], ids=["a record that drips", "garbage"])
def test_what_comes_inside_tls_and_is_no_record_is_no_answer(client_of, fail, serve, tls, trusted, is_endless):
    def handle(connection):
        plain = socket.socket(fileno=socket.dup(connection.sock.fileno()))
        connection.start_tls(tls)
        connection.read_request()
        with plain:
            plain.sendall(b"\x17\x03\x03\x40\x00" if is_endless else b"this is no TLS record")
            while is_endless and not connection.stopping.wait(0.02):
                plain.sendall(b"x")

    client = client_of(serve(handle).tls_url, total_timeout=0.6)
    assert type(fail(lambda: client.request_workstation(type="python"))) is NoAnswer


def flooding(data):
    """Reads the request and sends, for ever, as fast as it can: no single read would ever have to wait."""

    def handle(connection):
        connection.read_request()
        while not connection.stopping.is_set():
            connection.send(data * 1000)

    return handle


# Each of these would go on for ever: that the test ends is what it asserts.
ENDLESS = {
    "says nothing": Connection.read_to_end,
    "drips headers": dripping(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "drips header lines": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "floods with interim answers": flooding(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "drips a body": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" "),
    "drips a body without a length": dripping(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "drips chunks": dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "drips a refusal": dripping(b"HTTP/1.1 401 No\r\nContent-Length: 1000000\r\n\r\n", b" "),
    "drips a redirect": dripping(b"HTTP/1.1 302 No\r\nLocation: /\r\nContent-Length: 1000000\r\n\r\n", b" "),
}


@pytest.mark.parametrize("handler", ENDLESS.values(), ids=ENDLESS.keys())
def test_the_total_time_bounds_the_response(fail, reach, handler):
    _, client = reach(handler, total_timeout=0.3)
    error = fail(lambda: client.request_workstation(type="python"))
    assert type(error) is NoAnswer
    assert "in time" in str(error)


# Answers.


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\n\r\n" + WORKSTATION,
        b"HTTP/1.1 200 OK\r\nContent-Length: junk\r\n\r\n" + WORKSTATION,
        b"HTTP/1.0 200 OK\r\n\r\n" + WORKSTATION,
        b"HTTP/1.1 100 Continue\r\n\r\n" + http(200, WORKSTATION),
        b"HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (len(WORKSTATION), WORKSTATION),
        http(200, WORKSTATION, "Set-Cookie: a=b; expires=never", "Content-Type: \xff"),
        http(200, WORKSTATION.ljust(MEBIBYTE)),
    ],
)
def test_every_framing_of_a_body_is_read_whole(post, response):
    response = post(response).response
    assert (response.body.rstrip(), response.truncated) == (WORKSTATION, False)


def test_a_response_given_before_the_request_was_read_is_read(post):
    def handle(connection):
        connection.send(http(200, WORKSTATION))
        connection.read_to_end()

    assert post(handle).value.uid == "Il4lMTpQUC3L"


def test_every_call_has_a_connection_of_its_own(client_of, serve):
    def handle(connection):
        connection.read_request()
        connection.send(http(200, WORKSTATION, "Connection: keep-alive"))
        connection.read_to_end()

    server = serve(handle)
    client = client_of(server.url)
    for _ in range(3):
        client.request_workstation(type="python")
        # It ends here only because the client has closed it.
        server.received()
    client.retrieve_workstation(uid="Il4lMTpQUC3L")
    assert server.connections() == 4


def test_no_redirect_is_followed(client_of, fail, serve):
    elsewhere = serve(Connection.read_to_end)
    server = serve(answering(http(307, b"", f"Location: {elsewhere.url}")))
    error = fail(lambda: client_of(server.url).request_workstation(type="python"))
    assert (type(error), error.response.status) == (GatewayResponse, 307)
    assert (server.connections(), elsewhere.connections()) == (1, 0)


@pytest.mark.parametrize(
    ("status", "kind"), [(200, UnreadableResponse), (502, GatewayResponse), (302, GatewayResponse)]
)
def test_of_a_longer_body_only_the_first_mebibyte_is_read(refuse, status, kind):
    def handle(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 %d Whatever\r\nLocation: /\r\n\r\n" % status + WORKSTATION)
        # Without an end: the client has to stop by itself.
        while not connection.stopping.is_set():
            connection.send(b" " * 65536)

    error = refuse(handle)
    assert type(error) is kind
    assert (error.response.body, error.response.truncated) == (WORKSTATION.ljust(MEBIBYTE), True)


# Proxies.


def read_head(connection: Connection) -> None:
    """Reads a request byte by byte, so that nothing of what follows is taken with it."""
    while not connection.received.endswith(b"\r\n\r\n"):
        connection.received += connection.sock.recv(1)


def test_an_https_proxy_of_the_environment_is_used_and_sees_no_key(client_of, serve, tls, trusted, monkeypatch):
    heads = []

    def handle(connection):
        read_head(connection)
        heads.append(connection.received)
        connection.received = b""
        connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        over_tls(tls, answering(http(200, WORKSTATION)))(connection)

    proxy = serve(handle)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
    reply = client_of("https://127.0.0.1:9/v1").request_workstation(type="python")
    assert reply.value.uid == "Il4lMTpQUC3L"
    assert heads[0].startswith(b"CONNECT 127.0.0.1:9 HTTP/1.")
    assert b"Authorization" not in heads[0]
    assert proxy.received().startswith(b"POST /v1/workstations ")


def test_a_proxy_that_refuses_the_tunnel_is_no_connection(fail_to_connect, serve, monkeypatch):
    proxy = serve(answering(http(407)))
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
    assert "407" in str(fail_to_connect("https://127.0.0.1:9/v1"))
    assert b"POST" not in proxy.received()


def test_a_proxy_that_drips_is_no_connection(fail_to_connect, serve, monkeypatch):
    proxy = serve(dripping(b"HTTP/1.1 200 OK\r\nX: ", b"x"))
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
    fail_to_connect("https://127.0.0.1:9/v1", total_timeout=0.4)


def test_past_send_before_a_proxy_is_not_even_asked(client_of, fail, serve, monkeypatch):
    proxy = serve(Connection.read_to_end)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
    client = client_of("https://127.0.0.1:9/v1")
    assert type(fail(lambda: client.request_workstation(type="python", send_before=boottime() - 1))) is SendTooLate
    assert proxy.received() == b""


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "https://127.0.0.1:9", "http://"])
def test_a_proxy_of_another_kind_is_no_connection(fail_to_connect, monkeypatch, proxy):
    monkeypatch.setenv("https_proxy", proxy)
    assert "proxy" in str(fail_to_connect("https://127.0.0.1:9/v1"))


def test_a_client_is_shared_by_threads_and_plain_http_goes_past_every_proxy(client_of, serve, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
    client = client_of(serve(answering(http(200, WORKSTATION))).url)
    with ThreadPoolExecutor(max_workers=8) as threads:
        replies = list(threads.map(lambda _: client.request_workstation(type="python"), range(8)))
    assert [reply.value.uid for reply in replies] == ["Il4lMTpQUC3L"] * 8
