"""Lists: one page a call, whatever its entries are; what is no page is an error, never an empty one."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from portal.agentstation import PageTooLarge
from portal.agentstation.errors import UnreadableResponse
from tests.agentstation.server import answering, http

MIB = 1024 * 1024


def page(*uids, **more):
    document = {"object": "list", "data": [{"id": uid, "type": "max", "status": "active"} for uid in uids]} | more
    return answering(http(200, json.dumps(document).encode()))


@pytest.fixture
def read(client_of, serve):
    return lambda handler: client_of(serve(handler).url).list_page(limit=20)


def query(server):
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
def test_a_page_without_a_cursor_is_the_last_and_may_be_empty(read, more):
    assert read(page("a", **more)).next_cursor == ""
    assert read(page(**more)).entries == ()


def test_a_page_says_when_it_was_answered(read):
    got = read(answering(http(200, b'{"data": [{"id": "a"}]}', "Date: Wed, 21 Oct 2015 07:28:00 GMT")))
    assert ([entry.uid for entry in got.entries], got.deviations) == (["a"], ())
    assert got.date == datetime(2015, 10, 21, 7, 28, tzinfo=UTC)


@pytest.mark.parametrize("entry", [{}, {"type": "max"}, {"id": ""}, {"id": 7}, {"id": None}, "b", None, 5, ["c"]])
def test_an_entry_without_a_usable_id_does_not_hide_the_others(read, entry):
    entries = read(page(data=[{"id": "a"}, entry, {"id": "z"}])).entries
    assert [one.uid for one in entries] == ["a", "", "z"]
    assert entries[1].raw == (entry if isinstance(entry, dict) else {"entry": entry})


ODD_CURSORS = [{"data": [{"id": "a"}], "next_cursor": odd} for odd in (7, 0, False, ["b"])]


@pytest.mark.parametrize("document", [{}, {"data": None}, {"data": {}}, {"data": "abc"}, *ODD_CURSORS])
def test_what_is_no_page_is_unreadable(read, fail, document):
    response = answering(http(200, json.dumps(document).encode()))
    assert type(fail(lambda: read(response))) is UnreadableResponse


def test_a_page_of_ten_mebibytes_is_read(read):
    assert [entry.uid for entry in read(page("a", padding="x" * 10 * MIB)).entries] == ["a"]


def test_a_page_beyond_the_bound_is_too_large_and_not_kept(read, fail):
    error = fail(lambda: read(page("a", padding="x" * 16 * MIB)))
    assert (type(error), len(error.response.body), error.response.truncated) == (PageTooLarge, MIB, True)


@pytest.mark.parametrize("status", [200, 500])
def test_of_a_response_that_is_no_page_a_mebibyte_is_kept(read, fail, status):
    error = fail(lambda: read(answering(http(status, b"<" * 3 * MIB))))
    assert (len(error.response.body), error.response.truncated) == (MIB, True)
