"""Lists: from the first page to the last, or an error; never a part that passes for the whole."""

import json
from urllib.parse import parse_qs

import pytest

from portal.agentstation import InternalError, NoAnswer, RepeatedCursor, UnreadableAnswer
from tests.agentstation.server import answering, http, reset_after_request

LISTS = {
    "/v1/workstations": lambda client: client.list_active_workstations(),
    "/v1/workstations/history": lambda client: client.list_workstation_history(),
}


def page(*uids, **more):
    document = {"object": "list", "data": [{"id": uid, "type": "max", "status": "active"} for uid in uids]} | more
    return answering(http(200, json.dumps(document).encode()))


def queries(server, count):
    """The path and the query of each request, in order."""
    lines = [server.received().split(b"\r\n")[0].decode().split(" ")[1] for _ in range(count)]
    return [(line.partition("?")[0], parse_qs(line.partition("?")[2], errors="surrogatepass")) for line in lines]


@pytest.mark.parametrize(("path", "call"), LISTS.items(), ids=LISTS.keys())
def test_a_list_is_followed_to_its_last_page(client_of, serve, path, call):
    server = serve(
        page("a", "b", next_cursor="two & a half", previous_cursor=None),
        page(next_cursor="\ud800"),
        page("c", next_cursor=None, previous_cursor="two & a half"),
    )
    assert [workstation.uid for workstation in call(client_of(server.url))] == ["a", "b", "c"]
    assert queries(server, 3) == [
        (path, {"limit": ["20"]}),
        (path, {"limit": ["20"], "cursor": ["two & a half"]}),
        (path, {"limit": ["20"], "cursor": ["\ud800"]}),
    ]


@pytest.mark.parametrize("more", [{}, {"next_cursor": None}, {"next_cursor": ""}])
def test_a_page_without_a_cursor_is_the_last(client_of, serve, more):
    server = serve(page("a", **more))
    assert len(client_of(server.url).list_active_workstations()) == 1
    assert server.connections() == 1


def test_an_empty_list_is_no_error(client_of, serve):
    assert client_of(serve(page()).url).list_active_workstations() == []


def test_of_a_list_nothing_but_data_is_needed(client_of, serve):
    server = serve(answering(http(200, b'{"data": [{"id": "a"}]}')))
    assert [workstation.uid for workstation in client_of(server.url).list_workstation_history()] == ["a"]


@pytest.mark.parametrize("circle", [["one", "one"], ["one", "two", "one"], ["one", "two", "three", "two"]])
def test_a_repeated_cursor_is_an_error(client_of, fail, serve, circle):
    server = serve(*(page(f"w{number}", next_cursor=cursor) for number, cursor in enumerate(circle)))
    error = fail(lambda: client_of(server.url).list_active_workstations())
    assert type(error) is RepeatedCursor
    assert b'"next_cursor"' in error.answer.body
    assert server.connections() == len(circle)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"data": None},
        {"data": {}},
        {"data": "abc"},
        {"data": [{"id": "a"}, {"type": "max"}]},
        {"data": [{"id": "a"}, {"id": ""}]},
        {"data": [{"id": "a"}, {"id": 7}]},
        {"data": [{"id": "a"}, "b"]},
        {"data": [None]},
        {"data": [{"id": "a"}], "next_cursor": 7},
        {"data": [{"id": "a"}], "next_cursor": 0},
        {"data": [{"id": "a"}], "next_cursor": False},
        {"data": [{"id": "a"}], "next_cursor": ["b"]},
    ],
)
@pytest.mark.parametrize("pages_before", [[], [page("a", next_cursor="two")]])
def test_a_page_that_cannot_be_read_is_unreadable(client_of, fail, serve, pages_before, document):
    server = serve(*pages_before, answering(http(200, json.dumps(document).encode())))
    assert type(fail(lambda: client_of(server.url).list_active_workstations())) is UnreadableAnswer


@pytest.mark.parametrize(("second", "kind"), [(answering(http(500)), InternalError), (reset_after_request, NoAnswer)])
def test_an_error_on_a_later_page_is_the_list_s(client_of, fail, serve, second, kind):
    server = serve(page("a", next_cursor="two"), second)
    assert type(fail(lambda: client_of(server.url).list_active_workstations())) is kind
