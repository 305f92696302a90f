"""A workstation's desktop, as a viewer meets it over a WebSocket."""

from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from portal.sandbox import screen
from tests.sandbox.caller import Caller
from tests.sandbox.viewer import BINARY, Viewer


@pytest.fixture
def uid(alice: Caller) -> str:
    return alice.make()


@pytest.fixture
def viewer(alice: Caller, uid: str) -> Iterator[Viewer]:
    with connect(alice.open(uid, "vncwss"), subprotocols=[BINARY], max_size=None) as connection:
        assert connection.subprotocol == "binary"
        yield Viewer(connection)


@pytest.fixture
def other(alice: Caller, uid: str) -> Iterator[Viewer]:
    with connect(alice.open(uid, "vncwss"), max_size=None) as connection:
        yield Viewer(connection)


def test_the_whole_desktop_comes_first(viewer, uid):
    changed = viewer.update(whole=True)

    assert (viewer.width, viewer.height, viewer.name) == (1280, 720, f"max {uid}")
    assert len(changed) == 720
    # Blue, green, red and nothing: the bar at the top, and the ground at the bottom.
    assert viewer.rows[0][:4] == bytes([0x68, 0x4E, 0x33, 0])
    assert viewer.rows[719][-4:] == bytes([0x53, 0x3B, 0x24, 0])


def test_a_key_changes_the_picture_there_and_nowhere_else(viewer):
    viewer.update(whole=True)
    before = dict(viewer.rows)

    viewer.type("a")
    changed = viewer.update()

    different = {row for row in before if before[row] != viewer.rows[row]}
    assert changed == set(range(min(different), max(different) + 1))
    assert len(changed) < 200


def test_everybody_who_looks_sees_what_one_types(viewer, other):
    for one in (viewer, other):
        one.update(whole=True)
    viewer.type("seen by all")
    viewer.press(0xFF0D)
    while other.rows != viewer.rows:
        for one in (viewer, other):
            one.update(whole=True)


def test_a_viewer_chooses_the_order_of_its_colours(viewer):
    viewer.set_format(32, 24, 1, 1, 255, 255, 255, 0, 8, 16)
    viewer.update(whole=True)
    assert viewer.rows[719].endswith(bytes([0, 0x53, 0x3B, 0x24]))


@pytest.mark.parametrize(
    "message", [b"\xff", b"\x00\0\0\0" + bytes([8, 8, 0, 0]) + bytes(12), b"\x06\0\0\0" + b"\xff" * 4]
)
def test_what_makes_no_sense_ends_the_connection(viewer, message):
    viewer.line.write(message)
    with pytest.raises(ConnectionClosed):
        viewer.update(whole=True)


@pytest.mark.parametrize("words", [b"RFB 003.003\n", b"GET / HTTP/1.1\r\n", b"RFB 003.008\n\x02"])
def test_a_client_of_another_kind_is_left(alice, uid, words):
    with connect(alice.open(uid, "vncwss")) as connection:
        connection.send(words)
        received = b"".join(message for message in connection if isinstance(message, bytes))
    assert received in (b"RFB 003.008\n", b"RFB 003.008\n\x01\x01")


def test_keys_are_letters_only_where_they_are():
    keys = (0x61, 0xE9, 0x01000416, 0xFFE1, 0x0100D800, 0xFFFFFFFF)
    assert [screen.read_letter(key) for key in keys] == ["a", "é", "Ж", "", "", ""]
