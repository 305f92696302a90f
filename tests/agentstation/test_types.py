"""The list of types: flat or nested, with whatever else is in it."""

import json

import pytest

from portal.agentstation import WorkstationTypeDescription
from portal.agentstation.errors import UnreadableResponse
from tests.agentstation.server import answering, http

DEFAULT = {
    "id": "default",
    "description": "A desktop.",
    "hardware": ["keyboard", "display"],
    "software": ["ssh", "chromium"],
    "models": ["text-to-speech"],
}
ENTRIES = [DEFAULT, {"id": "max"}]


def give(document: object):
    return answering(http(200, json.dumps(document).encode()))


@pytest.mark.parametrize(
    "document",
    [
        {"object": "list", "data": ENTRIES},
        {"data": ENTRIES},
        {"object": "list", "data": {"object": "list", "data": ENTRIES}},
        {"object": "list", "data": [{"object": "list", "data": ENTRIES}]},
    ],
)
def test_the_types_are_read_from_each_shape_of_the_list(client_of, serve, document):
    server = serve(give(document))
    first, second = client_of(server.url).list_types()

    assert server.received().startswith(b"GET /v1/workstations/types HTTP/1.1\r\n")
    assert first == WorkstationTypeDescription(
        name="default",
        description="A desktop.",
        hardware=("keyboard", "display"),
        software=("ssh", "chromium"),
        models=("text-to-speech",),
        raw=DEFAULT,
    )
    assert (second.name, second.description, second.hardware, second.software) == ("max", "", (), ())


def test_what_is_no_type_is_left_out_of_the_list(client_of, serve):
    entries: list[object] = [None, 7, "max", [], {}, {"id": ""}, {"id": 7}, {"object": "list", "data": 3}]
    entries.append({"id": "a", "data": []})
    odd = {"id": "odd \x00 \ud800", "description": 7, "hardware": "mouse", "software": ["ssh", 1, None], "models": {}}
    first, second = client_of(serve(give({"data": [*entries, odd]})).url).list_types()

    assert first.name == "a"
    assert (second.name, second.description, second.hardware) == ("odd \x00 \ud800", "", ())
    assert (second.software, second.models) == (("ssh",), ())


@pytest.mark.parametrize("document", [{}, [], 3, {"data": None}, {"data": "max"}, {"data": {}}, {"data": {"data": {}}}])
def test_what_is_no_list_of_types_is_unreadable(client_of, fail, serve, document):
    server = serve(give(document))
    assert type(fail(lambda: client_of(server.url).list_types())) is UnreadableResponse
