"""Lists: one page a call, whatever its entries are; what is no page is an error, never an empty one."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from portal.agentstation import PageTooLarge
from portal.agentstation.errors import InternalError, NoAnswer, UnreadableResponse
from tests.agentstation.server import answering, http, reset_after_request

MIB = 1024 * 1024


def page(*uids, **more):
    document = {"object": "list", "data": [{"id": uid, "type": "max", "status": "active"} for uid in uids]} | more
    return answering(http(200, json.dumps(document).encode()))


def query(server):
    """The path and the query of the next request."""
    line = server.received().split(b"\r\n")[0].decode().split(" ")[1]
    return line.partition("?")[0], parse_qs(line.partition("?")[2], errors="surrogatepass")


@pytest.mark.parametrize(("history", "path"), [(False, "/v1/workstations"), (True, "/v1/workstations/history")])
@pytest.mark.parametrize("cursor", ["", "two & a half", "\ud800"])
def test_a_page_is_one_call(client_of, serve, history, path, cursor):
    server = serve(page("a", "b", next_cursor="three", previous_cursor=cursor))
    got = client_of(server.url).list_page(history=history, cursor=cursor, limit=7)
    assert [entry.uid for entry in got.entries] == ["a", "b"]
    assert (got.next_cursor, got.deviations) == ("three", ())
    assert query(server) == (path, {"limit": ["7"]} | ({"cursor": [cursor]} if cursor else {}))
    assert server.connections() == 1


@pytest.mark.parametrize("more", [{}, {"next_cursor": None}, {"next_cursor": ""}])
def test_a_page_without_a_cursor_is_the_last(client_of, serve, more):
    assert client_of(serve(page("a", **more)).url).list_page(limit=20).next_cursor == ""


def test_an_empty_page_is_no_error(client_of, serve):
    assert client_of(serve(page()).url).list_page(limit=20).entries == ()


def test_a_page_says_when_it_was_answered(client_of, serve):
    body = b'{"data": [{"id": "a"}]}'
    server = serve(answering(http(200, body, "Date: Wed, 21 Oct 2015 07:28:00 GMT")))
    got = client_of(server.url).list_page(limit=20)
    assert ([entry.uid for entry in got.entries], got.deviations) == (["a"], ())
    assert got.date == datetime(2015, 10, 21, 7, 28, tzinfo=UTC)


@pytest.mark.parametrize("entry", [{}, {"type": "max"}, {"id": ""}, {"id": 7}, {"id": None}, "b", None, 5, ["c"]])
def test_an_entry_without_a_usable_id_does_not_hide_the_others(client_of, serve, entry):
    body = json.dumps({"data": [{"id": "a"}, entry, {"id": "z"}]}).encode()
    entries = client_of(serve(answering(http(200, body))).url).list_page(limit=20).entries
    assert [one.uid for one in entries] == ["a", "", "z"]
    assert entries[1].raw == (entry if isinstance(entry, dict) else {"entry": entry})


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"data": None},
        {"data": {}},
        {"data": "abc"},
        {"data": [{"id": "a"}], "next_cursor": 7},
        {"data": [{"id": "a"}], "next_cursor": 0},
        {"data": [{"id": "a"}], "next_cursor": False},
        {"data": [{"id": "a"}], "next_cursor": ["b"]},
    ],
)
def test_what_is_no_page_is_unreadable(client_of, fail, serve, document):
    server = serve(answering(http(200, json.dumps(document).encode())))
    assert type(fail(lambda: client_of(server.url).list_page(limit=20))) is UnreadableResponse


@pytest.mark.parametrize(("response", "kind"), [(answering(http(500)), InternalError), (reset_after_request, NoAnswer)])
def test_a_failed_page_is_an_error(client_of, fail, serve, response, kind):
    assert type(fail(lambda: client_of(serve(response).url).list_page(limit=20))) is kind


def test_a_page_of_ten_mebibytes_is_read(client_of, serve):
    server = serve(page("a", padding="x" * 10 * MIB))
    assert [entry.uid for entry in client_of(server.url).list_page(limit=20).entries] == ["a"]


def test_a_page_beyond_the_bound_is_too_large_and_not_kept(client_of, fail, serve):
    server = serve(page("a", padding="x" * 16 * MIB))
    error = fail(lambda: client_of(server.url).list_page(limit=20))
    assert type(error) is PageTooLarge
    assert error.response is not None
    assert (len(error.response.body), error.response.truncated) == (MIB, True)


@pytest.mark.parametrize("status", [200, 500])
def test_of_a_response_that_is_no_page_a_mebibyte_is_kept(client_of, fail, serve, status):
    server = serve(answering(http(status, b"<" * 3 * MIB)))
    error = fail(lambda: client_of(server.url).list_page(limit=20))
    assert error.response is not None
    assert (len(error.response.body), error.response.truncated) == (MIB, True)
