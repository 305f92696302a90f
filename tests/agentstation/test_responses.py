"""What a response is taken for: every status, bodies that are no JSON, Retry-After, compression."""

import email.utils
import gzip
import json
import time
import tracemalloc
import zlib
from datetime import UTC, datetime

import pytest

from portal.agentstation import RateLimited
from portal.agentstation.errors import (
    AssetNotFound,
    GatewayResponse,
    InternalError,
    InvalidKey,
    InvalidRequest,
    NoAnswer,
    Overloaded,
    PaymentRequired,
    UnexpectedStatus,
    UnreadableResponse,
)
from tests.agentstation.server import answering, http

ERROR = b'{"error": "Some Error", "message": "Something is wrong."}'
WORKSTATION = b'{"id": "a", "type": "python", "status": "active"}'

STATUSES = [
    (400, InvalidRequest),
    (401, InvalidKey),
    (402, PaymentRequired),
    (422, AssetNotFound),
    (429, RateLimited),
    (500, InternalError),
    (503, Overloaded),
    *((status, GatewayResponse) for status in (408, 501, 502, 504, 505, 507, 520, 522, 524, 599)),
    # Something may have been made: a redirect may lead to it, and what conflicts may be it.
    *((status, GatewayResponse) for status in (300, 301, 302, 303, 304, 307, 308, 409)),
    *((status, UnexpectedStatus) for status in (403, 404, 405, 410, 418, 421, 425, 451, 499, 600, 999)),
]
OPERATIONS = {
    "POST": lambda client: client.request_workstation(type="python"),
    "GET": lambda client: client.retrieve_workstation(uid="a"),
    "list": lambda client: client.list_page(limit=20),
    "history": lambda client: client.list_page(history=True, limit=20),
    "DELETE": lambda client: client.release_workstation(uid="a"),
}


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_each_status_is_its_error(refuse, status, kind):
    error = refuse(http(status, ERROR, "Location: /elsewhere"))
    assert (type(error), error.response.status) == (kind, status)
    assert str(error) == f"POST /workstations was answered with {status}"
    # By definition a 304 has no body.
    if status != 304:
        assert error.response.body == ERROR
        assert (error.response.error, error.response.message) == ("Some Error", "Something is wrong.")


@pytest.mark.parametrize("status", [400, 401, 402, 403, 422, 429, 500])
def test_a_refusal_that_breaks_off_is_no_answer(refuse, status):
    """Without a length nothing else tells that the connection broke."""
    whole = http(status, ERROR, "Connection: close").replace(f"Content-Length: {len(ERROR)}\r\n".encode(), b"")
    assert b"Content-Length" not in whole
    error = refuse(whole[:-20])
    assert (type(error), error.response.status) == (NoAnswer, status)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
@pytest.mark.parametrize(("status", "kind"), [(401, InvalidKey), (404, UnexpectedStatus), (503, Overloaded)])
def test_each_operation_raises_them(client_of, fail, serve, operation, status, kind):
    server = serve(answering(http(status, ERROR)))
    assert type(fail(lambda: operation(client_of(server.url)))) is kind


@pytest.mark.parametrize(("status", "kind"), [pair for pair in STATUSES if pair[0] != 503])
def test_for_a_status_other_than_503_the_body_does_not_matter(refuse, status, kind):
    error = refuse(http(status, b"<h1>Go away</h1>"))
    assert type(error) is kind
    assert (error.response.error, error.response.message, error.response.retry_after) == ("", "", None)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>503 Service Unavailable</html>", b"{}", b"[]", b"null", b'"error message"'),
        *(b'{"error": "a"}', b'{"message": "a"}', b'{"error": "a", "message": null}'),
        b'{"error": "a", "message": "b", "request_id": "c"}',
        b'{"error": 503, "message": "b"}',
        b'{"error": {"error": "a"}, "message": "b"}',
        b'{"Error": "a", "message": "b"}',
        ERROR[:-1],
        ERROR.ljust(1024 * 1024 - 1) + b"{}",
    ],
)
def test_a_503_in_any_other_form_may_be_a_gateway_s(refuse, body):
    assert type(refuse(http(503, body))) is GatewayResponse
    assert type(refuse(http(503, b'{"message": "", "error": ""}'))) is Overloaded, "only words may be empty"


# Two-hundreds that cannot be read.

UNREADABLE = {
    "empty": b"",  # as a 204
    "HTML": b"<html><title>Welcome</title></html>",
    "a list": b"[" + WORKSTATION + b"]",
    "null": b"null",
    "a string": b'"a"',
    "a number": b"1",
    "half of it": WORKSTATION[:-1],
    "two of it": WORKSTATION * 2,
    "not UTF-8": WORKSTATION.replace(b"python", b"pyth\xffn"),
    "a surrogate in UTF-8": WORKSTATION.replace(b"python", b"\xed\xa0\x80"),
    "UTF-16": WORKSTATION.decode().encode("utf-16"),
    "very deep": b'{"id": "a", "x": ' + b"[" * 400_000 + b"]" * 400_000 + b"}",
    "very deep objects": b'{"id": "a", "x": ' + b'{"x":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    "a number of 5000 digits": b'{"id": "a", "x": ' + b"9" * 5000 + b"}",
    "a raw control character": b'{"id": "a\x00"}',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_a_success_that_cannot_be_read_is_unreadable(client_of, fail, serve, operation, body):
    server = serve(answering(http(200, body)))
    error = fail(lambda: operation(client_of(server.url)))
    assert (type(error), error.response.status, error.response.body) == (UnreadableResponse, 200, body)


@pytest.mark.parametrize("uid", ["", None, 7, True, [], {}, ["a"]], ids=repr)
@pytest.mark.parametrize("operation", [OPERATIONS["POST"], OPERATIONS["GET"]], ids=["POST", "GET"])
def test_a_workstation_without_an_id_is_unreadable(client_of, fail, serve, operation, uid):
    for document in ({"id": uid, "type": "python"}, {"type": "python"}):
        server = serve(answering(http(200, json.dumps(document).encode())))
        assert type(fail(lambda url=server.url: operation(client_of(url)))) is UnreadableResponse


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_every_2xx_that_can_be_read_is_a_success(client_of, serve, status):
    reply = OPERATIONS["POST"](client_of(serve(answering(http(status, WORKSTATION))).url))
    assert reply.value.uid == "a"
    assert reply.response.status == status
    assert (reply.response.error, reply.response.message, reply.response.retry_after) == ("", "", None)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"error": "a", "message": "b", "more": 1}, ("a", "b")),
        ({"error": ["a"], "message": "b"}, ("", "b")),
        ({"error": "a", "message": {"text": "b"}}, ("a", "")),
        ({"error": "\ud800", "message": "\x00"}, ("\\ud800", "\\x00")),
        ({"error": "a" * 9000, "message": "\x00" * 9000}, ("a" * 4096, "\\x00" * 1024)),
        (["error", "message"], ("", "")),
    ],
)
def test_error_and_message_are_strings_or_empty(refuse, document, expected):
    response = refuse(http(400, json.dumps(document).encode())).response
    assert (response.error, response.message) == expected


# Retry-After.


def retry_after(refuse, value):
    return refuse(http(429, ERROR, f"Retry-After: {value}")).response.retry_after


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *{"0": 0.0, "120": 120.0, " 7 ": 7.0, "1.5": 1.5, "-1": 0.0, "1000000000": 1e9}.items(),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wednesday, 21-Oct-15 07:28:00 GMT", 0.0),
        ("Wed Oct 21 07:28:00 2015", 0.0),
        *((text, None) for text in ("", "9" * 400, "soon", "NaN", "inf", "1e3", "1,5", "٣", "10 seconds")),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 99999999999 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 +9999999999", None),
    ],
)
def test_retry_after_is_read(refuse, value, seconds):
    assert retry_after(refuse, value.encode().decode("latin-1")) == seconds


def test_a_date_to_come_is_read_as_seconds_from_now(refuse):
    soon = retry_after(refuse, email.utils.formatdate(time.time() + 3600, usegmt=True))
    assert 3300 < soon <= 3600
    assert retry_after(refuse, "Thu, 31 Dec 2099 23:59:59 GMT") > 1e8


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_date_to_come_counts_from_the_response_s_own_date(refuse, hours):
    answered = time.time() + hours * 3600
    dates = [email.utils.formatdate(moment, usegmt=True) for moment in (answered, answered + 30)]
    response = refuse(http(429, ERROR, f"Date: {dates[0]}", f"Retry-After: {dates[1]}")).response
    assert (response.retry_after, response.date) == (30.0, datetime.fromtimestamp(int(answered), UTC))


# Compression, which nobody asked for.


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_answer_is_read_all_the_same(post, encoding, compress):
    packed = http(200, compress(b"\xef\xbb\xbf" + WORKSTATION), f"Content-Encoding: {encoding}", "Retry-After: 3")
    reply = post(packed)
    assert (reply.value.uid, reply.response.retry_after) == ("a", 3.0)


@pytest.mark.parametrize(("status", "kind"), [(200, UnreadableResponse), (401, InvalidKey), (503, GatewayResponse)])
def test_what_cannot_be_decompressed_is_kept_as_it_came(refuse, status, kind):
    error = refuse(http(status, b"\x1f\x8bnonsense", "Content-Encoding: gzip"))
    assert (type(error), error.response.body) == (kind, b"\x1f\x8bnonsense")
    cut_short = http(200, gzip.compress(WORKSTATION)[:-20], "Content-Encoding: gzip")
    assert type(refuse(cut_short)) is UnreadableResponse


def test_a_small_answer_that_grows_is_cut_at_one_mebibyte(refuse):
    bomb = gzip.compress(WORKSTATION.ljust(200_000_000), compresslevel=1)
    tracemalloc.start()
    response = refuse(http(200, bomb, "Content-Encoding: gzip")).response
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (response.body, response.truncated) == (WORKSTATION.ljust(1024 * 1024), True)
    assert peak < 50_000_000
