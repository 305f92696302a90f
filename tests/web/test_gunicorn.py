"""What gunicorn's settings promise: whom it believes, what it refuses, and how it ends an answer that breaks off."""

from tests.web.clients import MANY, Client, ask


def test_a_slow_request_is_answered_once_it_is_whole(serve):
    server = serve()
    head = Client(server.port).send("GET / HTTP/1.1\r\nHost: portal.exam")
    body = Client(server.port).send_head("/body", "Content-Length: 10", method="POST").send("01234")
    assert head.send("ple\r\n\r\n").read_answer().endswith("\r\n\r\nok")
    assert body.send("56789").read_answer().endswith("\r\n\r\n10")
    assert body.send_head("/body", "Content-Length: 3", method="POST").send("012").read_answer().endswith("\r\n\r\n3")


def test_what_is_no_http_is_refused(serve):
    server = serve()
    for text, status in (
        (f"GET /{'x' * 9000} HTTP/1.1\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\n" + "A: b\r\n" * 6_000 + "\r\n", 431),
        ("HELLO\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nContent-Length: five\r\n\r\n", 400),
    ):
        assert Client(server.port).send(text).read_all().startswith(f"HTTP/1.1 {status} "), status


def test_clients_that_go_in_the_middle_are_forgotten(serve):
    server = serve()
    for _ in range(MANY):
        Client(server.port).send("GET / HTTP/1.1\r\nHost: portal.exam").reset()
    assert ask(server.port) == "200"
    assert server.end() == 0


def test_a_proxy_is_believed_in_one_field_alone(serve):
    """It may pass on what clients send."""
    server = serve()
    others = [f"X-Forwarded-{other}" for other in ("Proto: http", "Ssl: on", "Protocol: ssl")]
    for field in ("X-Forwarded-Proto: https", *others, "SCRIPT_NAME: /se", "PATH_INFO: /page"):
        seen = "https  /seen" if field.endswith("https") else "http  /seen"
        assert Client(server.port).send_head("/seen", field).read_answer().endswith(f"\r\n\r\n{seen}"), field


def test_an_answer_that_breaks_off_does_not_look_whole_and_is_no_fault(serve):
    server = serve()
    answer = Client(server.port).send_head("/cut").read_all()
    assert answer.endswith("4\r\nsome\r\n")  # without the chunk that is the last
    assert ask(server.port) == "200"
    assert "ConnectionResetError" not in server.read_log()
