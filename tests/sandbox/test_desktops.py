"""A workstation's desktop, as a viewer meets it over a WebSocket."""

import struct
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

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


def test_the_whole_desktop_comes_first(viewer, uid):
    viewer.update(whole=True)

    assert (viewer.width, viewer.height, viewer.name) == (1280, 720, f"max {uid}")
    assert len(viewer.rows) == 720
    # Blue, green, red and nothing: the bar at the top, and the ground at the bottom.
    assert viewer.rows[0][:4] == bytes([0x68, 0x4E, 0x33, 0])
    assert viewer.rows[719][-4:] == bytes([0x53, 0x3B, 0x24, 0])


def test_what_was_typed_or_pasted_is_copied_back_and_leaves_the_picture_as_it_is(viewer):
    viewer.update(whole=True)
    viewer.update(whole=False, is_answered=False)

    viewer.type("sm\xf8r")
    viewer.press(0xFFE3, 0x01000416, ord("C"))
    assert viewer.read_clipboard() == "sm\xf8r"

    viewer.paste("brau\xdf")
    viewer.press(0xFFE1)
    viewer.type("!")
    viewer.press(0xFFE4, ord("c"))
    assert viewer.read_clipboard() == "brau\xdf!"


@pytest.mark.parametrize(
    "message",
    [
        b"\xff",
        b"\x06\0\0\0" + b"\xff" * 4,
        *(
            struct.pack("!B3xBBBBHHHBBB3x", 0, *form)
            for form in (
                (8, 8, 0, 1, 255, 255, 255, 16, 8, 0),
                (32, 24, 0, 0, 255, 255, 255, 16, 8, 0),
                (32, 24, 0, 1, 255, 255, 63, 16, 8, 0),
                (32, 24, 0, 1, 255, 255, 255, 17, 8, 0),
            )
        ),
    ],
)
def test_what_makes_no_sense_ends_the_connection(viewer, message):
    viewer.line.write(message)
    with pytest.raises(ConnectionClosed):
        viewer.update(whole=True)
