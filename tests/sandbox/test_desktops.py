"""A workstation's desktop, as a viewer meets it over a WebSocket."""

from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from portal.sandbox import screen
from tests.sandbox.caller import Caller
from tests.sandbox.viewer import BINARY, RAW, ZLIB, Viewer


@pytest.fixture
def uid(alice: Caller) -> str:
    return alice.make()


@pytest.fixture
def viewer(alice: Caller, uid: str) -> Iterator[Viewer]:
    with connect(alice.open(uid, "vncwss"), subprotocols=[BINARY]) as connection:
        assert connection.subprotocol == "binary"
        yield Viewer(connection)


@pytest.fixture
def plain(alice: Caller, uid: str) -> Iterator[Viewer]:
    with connect(alice.open(uid, "vncwss"), max_size=None) as connection:
        yield Viewer(connection, encodings=(RAW,))


def test_the_whole_desktop_comes_first(viewer, uid):
    changed = viewer.update(whole=True)

    assert (viewer.width, viewer.height, viewer.name) == (1280, 720, f"max {uid}")
    assert len(changed) == 16 * 9
    assert viewer.encodings == {ZLIB}
    # Blue, green, red and nothing: the bar at the top, and the ground at the bottom.
    assert viewer.tiles[0, 0][:4] == bytes([0x68, 0x4E, 0x33, 0])
    assert viewer.tiles[1200, 640][-4:] == bytes([0x53, 0x3B, 0x24, 0])


def test_a_key_changes_the_picture_there_and_nowhere_else(viewer):
    viewer.update(whole=True)
    before = dict(viewer.tiles)

    viewer.type("a")
    changed = viewer.update()

    assert 0 < len(changed) < 20
    assert {place for place in before if before[place] != viewer.tiles[place]} == changed


def test_everybody_who_looks_sees_what_one_types(viewer, plain):
    for one in (viewer, plain):
        one.update(whole=True)
    viewer.type("seen by all")
    viewer.press(0xFF0D)
    while plain.tiles != viewer.tiles:
        for one in (viewer, plain):
            one.update(whole=True)


@pytest.mark.parametrize(
    ("fields", "pixel"),
    [
        ((32, 24, 1, 1, 255, 255, 255, 0, 8, 16), bytes([0, 0x53, 0x3B, 0x24])),
        (
            (16, 16, 0, 1, 31, 63, 31, 11, 5, 0),
            (0x24 * 31 // 255 << 11 | 0x3B * 63 // 255 << 5 | 10).to_bytes(2, "little"),
        ),
        ((8, 8, 0, 1, 7, 7, 3, 0, 3, 6), bytes([0x24 * 7 // 255 | (0x3B * 7 // 255) << 3 | (0x53 * 3 // 255) << 6])),
    ],
)
def test_a_viewer_chooses_its_pixels(viewer, fields, pixel):
    viewer.set_format(*fields)
    viewer.update(whole=True)
    assert viewer.tiles[1200, 640].endswith(pixel)


@pytest.mark.parametrize(
    "message", [b"\xff", b"\x00\0\0\0" + bytes([8, 8, 0, 0]) + bytes(12), b"\x06\0\0\0\xff\xff\xff\xff"]
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
    assert [screen.read_letter(key) for key in (0x61, 0xE9, 0x01000416, 0xFFE1, 0x0100D800, 0xFFFFFFFF)] == [
        *("a", "é", "Ж"),
        *("", "", ""),
    ]
