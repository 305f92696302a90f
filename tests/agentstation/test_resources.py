"""Resources: what the contract knows is read, what it does not know is kept, and nothing odd breaks anything."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from portal import agentstation
from portal.agentstation import File, Log, Released, Workspace, Workstation
from tests.agentstation.server import answering, http

FILE: dict[str, Any] = {
    "id": "0b9c1a52-5a43-4cf4-9a10-3f6e0c1f4f10",
    "name": "notes.txt",
    "url": "https://files.example/notes.txt",
    "size": 12,
    "createdAt": "2021-04-07T10:31:00Z",
}
LOG = {
    "id": "5d1f3f9e-53b4-4b0a-8d7b-0a1ad3a0a6c2",
    "type": "console",
    "level": "warning",
    "url": "https://files.example/log",
    "createdAt": "2021-04-07T10:32:00Z",
}
WORKSPACE = {
    "id": "bMf1euMgczAY",
    "status": "active",
    "files": {"object": "list", "data": [FILE]},
    "logs": {"object": "list", "data": [LOG]},
    "createdAt": "2021-04-07T10:30:00Z",
}
WORKSTATION = {
    "id": "Il4lMTpQUC3L",
    "type": "python",
    "status": "active",
    "workspace": WORKSPACE,
    "startedAt": "2021-04-07T12:30:00+02:00",
}
ODD = [None, True, False, 0, -1, 1.5, 2**63, "", "x", "\x00", "\ud800", [], ["x"], {}, {"id": "x"}, {"data": 7}]


def test_a_whole_workstation_is_read(client_of, serve):
    server = serve(answering(http(200, json.dumps(WORKSTATION).encode())))
    at = {minute: datetime(2021, 4, 7, 10, minute, tzinfo=UTC) for minute in (30, 31, 32)}
    file = File(uid=FILE["id"], name="notes.txt", url=FILE["url"], size=12, created_at=at[31], raw=FILE)
    log = Log(uid=LOG["id"], type="console", level="warning", url=LOG["url"], created_at=at[32], raw=LOG)
    contents: dict[str, Any] = {"files": (file,), "logs": (log,), "created_at": at[30], "raw": WORKSPACE}
    workspace = Workspace(uid="bMf1euMgczAY", status="active", **contents)
    values: dict[str, Any] = {"status": "active", "workspace": workspace, "started_at": at[30], "raw": WORKSTATION}
    read = client_of(server.url).retrieve_workstation(uid="Il4lMTpQUC3L")
    assert read == Workstation(uid="Il4lMTpQUC3L", type="python", **values)


def test_what_the_contract_does_not_know_is_kept():
    data = {"id": "ü" * 500, "type": "default", "status": "hibernating", "name": "mine", "GPU": [1]}
    read = Workstation.from_dict(data)
    assert (read.uid, read.type, read.status) == ("ü" * 500, "default", "hibernating")
    assert read.raw == data
    assert Log.from_dict({"id": "a", "level": "catastrophe"}).level == "catastrophe"


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_nothing_odd_breaks_anything(odd):
    file = dict.fromkeys(FILE, odd) | {"id": "f"}
    log = dict.fromkeys(LOG, odd) | {"id": "l"}
    lists = {"files": {"data": [odd, file]}, "logs": {"data": [odd, log]}}
    workspace = dict.fromkeys(WORKSPACE, odd) | {"id": "w"} | lists
    read = Workstation.from_dict(dict.fromkeys(WORKSTATION, odd) | {"id": "s", "workspace": workspace})
    text = agentstation.escape_text(odd) if isinstance(odd, str) else ""
    assert (read.type, read.status, read.started_at) == (text, text, None)
    assert read.workspace is not None
    assert (read.workspace.status, read.workspace.created_at) == (text, None)
    assert (read.workspace.files[-1].name, read.workspace.files[-1].url) == (text, text)
    assert read.workspace.files[-1].created_at is None
    assert (read.workspace.logs[-1].type, read.workspace.logs[-1].level, read.workspace.logs[-1].url) == (text,) * 3
    assert len(read.workspace.files) == len(read.workspace.logs) == (2 if odd == {"id": "x"} else 1)
    assert read.workspace.raw is workspace


def test_a_name_is_cut_and_an_address_is_whole_or_none():
    for length in (8192, 8193):
        url = "https://files.example/".ljust(length, "a")
        file = File.from_dict({"id": "f" * 600, "name": "\x00" * 600, "url": url})
        assert (file.uid, file.name) == ("f" * 600, "\\x00" * 125)
        assert file.url == Log.from_dict({"id": "l", "url": url}).url == (url if length == 8192 else "")
        assert file.raw["url"] == url


@pytest.mark.parametrize("kind", [Workstation, Workspace, File, Log])
@pytest.mark.parametrize("odd", [odd for odd in ODD if not isinstance(odd, str) or odd == ""], ids=repr)
def test_without_an_id_there_is_no_resource(kind, odd):
    for data in ({"id": odd}, {}):
        with pytest.raises(ValueError, match="no usable id"):
            kind.from_dict(data)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, 0), (-1, -1), (2**63, 2**63), (True, None), (False, None), (12.0, None), ("12", None), (None, None)],
)
def test_a_size_is_an_integer_as_it_came(size, expected):
    read = File.from_dict({"id": "a", "size": size}).size
    assert read == expected
    assert not isinstance(read, bool)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-04-07T10:30:00Z", datetime(2021, 4, 7, 10, 30, tzinfo=UTC)),
        ("2021-04-07T10:30:00", datetime(2021, 4, 7, 10, 30, tzinfo=UTC)),
        ("2021-04-07T10:30:00.123456789Z", datetime(2021, 4, 7, 10, 30, 0, 123456, tzinfo=UTC)),
        ("2021-04-07T10:30:00-05:00", datetime(2021, 4, 7, 15, 30, tzinfo=UTC)),
        ("2021-04-07", datetime(2021, 4, 7, tzinfo=UTC)),
        ("1900-01-01T00:00:00Z", datetime(1900, 1, 1, tzinfo=UTC)),
        ("9000-12-31T23:59:59Z", datetime(9000, 12, 31, 23, 59, 59, tzinfo=UTC)),
        *((text, None) for text in ("1899-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2021-02-30T00:00:00Z")),
        *((text, None) for text in ("9001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "yesterday")),
        *((odd, None) for odd in ("Wed, 07 Apr 2021 10:30:00 GMT", 1617791400, ["2021-04-07"])),
    ],
)
def test_a_time_is_aware_or_none(text, expected):
    read = Workstation.from_dict({"id": "a", "startedAt": text}).started_at
    assert read == expected
    assert read is None or read.tzinfo is UTC
    for hours in (-14, 14):
        if read is not None:
            read.astimezone(timezone(timedelta(hours=hours)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"type": "max", "released": True}, True),
        ({"type": "max", "released": False}, False),
        ({"type": 7, "released": 1}, None),
        ({"released": "true"}, None),
        ({}, None),
    ],
)
def test_a_release_is_read(client_of, serve, data, expected):
    server = serve(answering(http(200, json.dumps(data).encode())))
    released = client_of(server.url).release_workstation(uid="a")
    assert released.released is expected
    assert released == Released.from_dict(data)
