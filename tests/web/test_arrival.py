"""When a request is whole: told from its head, as gunicorn's parser would."""

import pytest

from portal.web.arrival import MOST_BODY, MOST_HEAD, Arrival

GET = b"GET / HTTP/1.1\r\nHost: portal.example\r\n\r\n"


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: portal.example", *fields, b"", body])


def receive(data: bytes, *, piece: int = 1 << 20) -> Arrival:
    arrival = Arrival()
    for start in range(0, len(data), piece):
        arrival.add(data[start : start + piece])
    return arrival


@pytest.mark.parametrize("piece", [1, 2, 3, 1 << 20])
@pytest.mark.parametrize(
    "request_bytes",
    [
        GET,
        post(b"Content-Length: 0"),
        post(b"content-length:\t007 ", body=b"a=b&c=d"),
        post(b"Content-Length: %d" % MOST_BODY, body=b"x" * MOST_BODY),
    ],
)
def test_it_is_whole_with_its_last_byte(request_bytes, piece):
    piece = piece if len(request_bytes) < MOST_BODY else 1 << 20
    assert not receive(request_bytes[:-1], piece=piece).is_whole
    arrival = receive(request_bytes, piece=piece)
    assert (arrival.is_whole, arrival.is_last, arrival.is_too_long) == (True, False, False)
    assert arrival.received == request_bytes


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Length: %d" % (MOST_BODY + 1),
        b"Content-Length: " + b"9" * 5000,
        b"Transfer-Encoding: chunked",
        b"transfer-encoding : gzip, chunked",
    ],
)
def test_a_body_that_is_not_taken_is_not_waited_for_and_ends_the_connection(field):
    arrival = receive(post(field, body=b"5\r\nhello"))
    assert (arrival.is_whole, arrival.is_last) == (True, True)
    assert arrival.received == post(field)


@pytest.mark.parametrize("field", [b"Content-Length: five", b"Content-Length: -5", b"Content-Length: 5, 5"])
def test_a_length_that_is_none_is_left_to_the_parser(field):
    assert receive(post(field)).is_whole


def test_what_follows_a_request_is_let_go_and_a_head_without_an_end_is_too_long():
    arrival = receive(GET + GET)
    assert (bytes(arrival.received), arrival.is_last) == (GET, True)
    assert [receive(b"x" * length).is_too_long for length in (MOST_HEAD, MOST_HEAD + 1)] == [False, True]


def test_who_asks_before_sending_is_told_once_and_only_if_the_body_is_wanted():
    asking = post(b"Expect: 100-continue", b"Content-Length: 5")
    arrival = receive(asking)
    assert [arrival.take_question(), arrival.take_question()] == [True, False]
    assert not receive(asking + b"hello").take_question()
    assert not receive(post(b"Expect: 100-continue", b"Content-Length: 99999")).take_question()
