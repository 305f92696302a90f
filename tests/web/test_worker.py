"""A web process while its clients are slow: a thread is only taken by what is there, and only for as long as it is."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import reverse
from gunicorn.config import Config

from portal import settings
from portal.web import worker
from tests import ports
from tests.chaos import stage
from tests.web.clients import FILE_SIZE, HOST, MANY, Client, ask

COOKIE = f"Cookie: {settings.SESSION_COOKIE_NAME}=x"
FORM = reverse("request_new")


def count_connections(port: int) -> int:
    """Those that a server at the port has with clients."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(f":{port:04X}") and line[3] == "01" for line in lines)


def stop_in_the_head(port: int) -> Client:
    return Client(port).send("GET / HTTP/1.1\r\nHost: portal.exam")


def stop_in_the_body(port: int) -> Client:
    return Client(port).send_head("/body", "Content-Length: 10", method="POST").send("01234")


def stop_before_the_end(port: int) -> Client:
    """Takes the answer, and does not close the connection that the server has ended."""
    client = Client(port).send_head("/", "Connection: close")
    assert client.read_all()
    return client


def do_not_read(port: int) -> Client:
    return Client(port, window=4096).send_head("/page")


def do_not_read_a_file(port: int) -> Client:
    return Client(port, window=4096).send_head("/file")


def test_many_clients_that_stop_keep_no_page_waiting_and_no_server_from_ending(serve):
    server, left = serve(), []
    for stop in (Client, stop_in_the_head, stop_in_the_body, stop_before_the_end, do_not_read, do_not_read_a_file):
        stopped = [stop(server.port) for _ in range(MANY)]
        left += stopped[MANY // 2 :]
        assert ask(server.port) == "200"
        for client in stopped[: MANY // 2]:
            client.reset()
    assert ask(server.port) == "200"
    assert server.end() == 0
    assert len(left) == 3 * MANY


def test_a_file_comes_whole_at_the_speed_of_its_reader(serve):
    server = serve(threads=1)
    slow = [do_not_read_a_file(server.port) for _ in range(5)]
    quick = Client(server.port).send_head("/file")
    for client in (quick, *slow):
        answer = client.read_answer()
        assert len(answer.partition("\r\n\r\n")[2]) == FILE_SIZE
        assert answer.endswith("xy")
        if client == quick:
            assert client.send_head("/").read_answer().endswith("ok")


def test_a_reader_who_takes_nothing_of_a_file_is_let_go(serve):
    server = serve(arrive_within=0.2)
    client = do_not_read_a_file(server.port)
    begun = client.read()
    assert stage.wait_until(lambda: count_connections(server.port) == 0, seconds=stage.END_WITHIN)
    with contextlib.suppress(ConnectionResetError):
        assert len(begun + client.read_all()) < FILE_SIZE


def test_strangers_hold_no_thread_of_members(serve):
    server = serve()
    strangers = [Client(server.port, window=4096).send_head("/endless") for _ in range(MANY)]
    for name in (settings.SESSION_COOKIE_NAME, settings.BROWSER_COOKIE):
        assert ask(server.port, "/", f"Cookie: theme=dark; {name}=x") == "200"
    assert ask(server.port, "/healthz") == "200"
    assert ask(server.port, "/readyz?x") == "200"
    assert len(strangers) == MANY


def send_forms_that_take_long(port: int) -> list[Client]:
    """More than there are threads; one at least is being answered."""
    fields = (COOKIE, "Content-Length: 0")
    forms = [Client(port, window=4096).send_head("/endless", *fields, method="POST") for _ in range(MANY)]
    assert forms[0].read()
    return forms


def test_forms_that_take_long_hold_no_thread_of_pages_or_downloads(serve):
    server = serve()
    forms = send_forms_that_take_long(server.port)
    live, detail = (reverse(name, args=[7]) for name in ("request_live", "request_detail"))
    for path, referrer in (("/", FORM), (live, FORM), (detail, reverse("request_list"))):
        for _ in range(5):
            assert ask(server.port, path, COOKIE, f"Referer: https://{HOST}{referrer}") == "200"
    exports = (reverse("request_export_csv"), reverse("admin:portal_event_export_jsonl"))
    for path in (f"{exports[0]}?status=FAILED", exports[1], reverse("request_evidence", args=[7])):
        download = Client(server.port).send_head(path, COOKIE, "Content-Length: 0", method="POST")
        assert download.read_answer().endswith("ok"), "it waits with pages"
    assert len(forms) == MANY


def test_the_page_that_a_form_leads_to_waits_with_forms(serve):
    server = serve()
    forms = send_forms_that_take_long(server.port)
    path = reverse("request_detail", args=[7])
    fields = [f"{name}: https://{HOST}{FORM}?again=3" for name in ("Referer", "referer")]
    pages = [Client(server.port).send_head(path, COOKIE, field) for field in fields]
    for _ in range(5):
        assert ask(server.port, "/", COOKIE) == "200"
    assert not any(page.has_something() for page in pages)
    for form in forms:
        form.reset()
    assert all(page.read_answer().endswith("ok") for page in pages)


def be_answered_for_long(port: int) -> Client:
    member = Client(port, window=4096).send_head("/endless", COOKIE)
    assert member.read()
    return member


def test_strangers_wait_while_a_member_is_answered(serve):
    server = serve(give_way=600)
    member = be_answered_for_long(server.port)
    strangers = [Client(server.port).send_head("/") for _ in range(MANY)]
    for _ in range(5):
        assert ask(server.port, "/", COOKIE) == "200"
    assert not any(stranger.has_something() for stranger in strangers)
    member.reset()
    assert all(stranger.read_answer().endswith("ok") for stranger in strangers)


def send_form(port: int) -> Client:
    return Client(port).send_head("/", COOKIE, "Content-Length: 0", method="POST")


def test_forms_wait_while_a_page_is_answered(serve):
    server = serve(forms_give_way=600)
    page = be_answered_for_long(server.port)
    form = send_form(server.port)
    for _ in range(5):
        assert ask(server.port, "/", COOKIE) == "200"
    assert not form.has_something()
    page.reset()
    assert form.read_answer().endswith("ok")


def test_a_page_that_takes_long_does_not_keep_forms_and_strangers_out(serve):
    server = serve()
    page = be_answered_for_long(server.port)
    assert send_form(server.port).read_answer().endswith("ok")
    assert ask(server.port) == "200"
    assert not page.is_ended()


def test_who_asks_again_and_again_without_reading_is_let_go(serve):
    server = serve()
    greedy = [Client(server.port, window=4096) for _ in range(MANY)]
    for _ in range(5):
        for client in greedy:
            with contextlib.suppress(ConnectionError):
                client.send_head("/page")
        assert ask(server.port) == "200"
    assert all(client.is_cut_off() for client in greedy)


def test_a_slow_request_is_answered_once_it_is_whole(serve):
    server = serve()
    head, body = stop_in_the_head(server.port), stop_in_the_body(server.port)
    assert head.send("ple\r\n\r\n").read_answer().endswith("\r\n\r\nok")
    assert body.send("56789").read_answer().endswith("\r\n\r\n10")
    assert body.send_head("/body", "Content-Length: 3", method="POST").send("012").read_answer().endswith("\r\n\r\n3")


def test_a_client_that_sends_and_resets_ends_no_process(serve):
    server = serve(loglevel="info")
    head = "GET /page HTTP/1.1\r\nHost: portal.example\r\n"
    asking = head.replace("GET", "POST") + "Content-Length: 1\r\nExpect: 100-continue\r\n\r\n"
    for text in (asking, f"{head}X-Much: {'x' * 40_000}", head[:-8], f"{head}\r\n"):
        for _ in range(100):
            with contextlib.suppress(ConnectionError):
                Client(server.port).send(text).reset()
        assert ask(server.port) == "200"
    assert server.read_log().count("Booting worker") == 1


def test_a_client_that_stops_is_let_go(serve):
    server = serve(arrive_within=0.2)
    assert all(stop(server.port).is_ended() for stop in (Client, stop_in_the_head, stop_in_the_body))


def test_a_reader_who_stops_gives_the_thread_back(serve):
    server = serve(send_within=0.2, loglevel="info")
    readers = [Client(server.port, window=4096).send_head("/endless") for _ in range(MANY)]

    assert ask(server.port) == "200"

    assert len(readers) == MANY
    assert "too slow to take an answer" in server.read_log()
    assert "Traceback" not in server.read_log()


def test_the_client_that_keeps_it_waiting_longest_makes_room(serve):
    server = serve(worker_connections=40, threads=4)
    first, *others = [stop_in_the_head(server.port) for _ in range(50)]
    assert first.is_ended()
    assert ask(server.port) == "200"
    assert others[-1].send("ple\r\n\r\n").read_answer().endswith("ok")


def test_a_body_that_nobody_reads_ends_the_connection_after_the_answer(serve):
    server = serve()
    for field in ("Content-Length: 1000000000", "Transfer-Encoding: chunked"):
        answer = Client(server.port).send_head("/", field, method="POST").read_all()
        assert "\r\nConnection: close\r\n" in answer
        assert answer.endswith("ok")
    # Ended at once, the connection would be reset while the body is on its way, and the client would not read why.
    client = Client(server.port).send_head("/", "Content-Length: 500000", method="POST").send("x" * 500_000)
    assert client.read_all().endswith("ok")


def test_a_client_that_asks_first_is_told_to_send_once(serve):
    server = serve()
    client = Client(server.port).send_head("/body", "Expect: 100-continue", "Content-Length: 3", method="POST")
    assert client.read() == "HTTP/1.1 100 Continue\r\n\r\n"
    assert client.send("012").read().startswith("HTTP/1.1 200 OK")
    refused = Client(server.port).send_head("/", "Expect: 100-continue", "Content-Length: 99999", method="POST")
    assert refused.read_all().startswith("HTTP/1.1 200 OK")


def test_what_is_no_http_and_a_head_that_does_not_end_are_refused(serve):
    server = serve()
    endless = "GET / HTTP/1.1\r\n" + "A: b\r\n" * 6_000
    for text, status in (
        (endless, 431),
        ("HELLO\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nContent-Length: five\r\n\r\n", 400),
    ):
        assert Client(server.port).send(text).read_all().startswith(f"HTTP/1.1 {status} ")


def test_a_client_that_goes_is_forgotten(serve):
    server = serve(worker_connections=40, threads=4)
    for _ in range(MANY):
        stop_in_the_head(server.port).close()
    assert ask(server.port) == "200"


def test_a_proxy_is_believed_in_one_field_alone(serve):
    """It may pass on what clients send."""
    server = serve()
    others = [f"X-Forwarded-{other}" for other in ("Proto: http", "Ssl: on", "Protocol: ssl")]
    for field in ("X-Forwarded-Proto: https", *others, "SCRIPT_NAME: /se", "PATH_INFO: /page"):
        seen = "https  /seen" if field.endswith("https") else "http  /seen"
        assert Client(server.port).send_head("/seen", field).read_answer().endswith(f"\r\n\r\n{seen}"), field


def test_tls_is_left_to_a_proxy():
    files = [f"--certfile={__file__}", f"--keyfile={__file__}"]
    command = [sys.executable, "-m", "gunicorn", *files, "tests.web.app:application"]
    environ = os.environ | {"PORT": str(ports.find_port())}
    done = subprocess.run(command, cwd=stage.ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "portal: gunicorn ends no TLS here" in done.stderr


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@contextlib.contextmanager
def use_worker(*, processes: int, connections: int) -> Iterator[worker.Worker]:
    """One that has so many connections, of at most 500, and four threads."""
    config = Config()
    for name, value in (("workers", processes), ("threads", 4), ("worker_connections", 500)):
        config.set(name, value)
    made = worker.Worker(1, os.getpid(), [], None, 30, config, None)
    made.nr_conns = connections
    yield made
    made.tmp.close()


def test_a_process_with_many_connections_leaves_the_next_to_another(listener, monkeypatch):
    """The other takes it while this one hesitates."""
    taken = []
    monkeypatch.setattr(time, "sleep", lambda seconds: taken.append(listener.accept()[0]))
    with use_worker(processes=2, connections=5) as crowded, socket.create_connection(listener.getsockname()) as client:
        crowded.accept(listener)

        assert crowded.nr_conns == 5
        with taken[0] as others:
            assert others.getpeername() == client.getsockname()


def test_a_process_that_has_few_or_is_flooded_or_alone_hesitates_not(listener, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    for processes, connections in ((2, 0), (2, 4), (2, 250), (1, 5)):
        with use_worker(processes=processes, connections=connections) as made:
            made.accept(listener)
    assert slept == []


def test_an_answer_that_breaks_off_does_not_look_whole_and_is_no_fault(serve):
    server = serve()
    answer = Client(server.port).send_head("/cut").read_all()
    assert answer.endswith("4\r\nsome\r\n")  # without the chunk that is the last
    assert ask(server.port) == "200"
    assert "ConnectionResetError" not in server.read_log()
