"""The two lists: order, windows and cursors."""

import base64

import pytest


def make(alice, clock, count):
    """Make workstations a second apart; returns their UIDs, newest first."""
    uids: list[str] = []
    for _ in range(count):
        uids.insert(0, alice.ask().json()["id"])
        clock.move(1)
    return uids


def test_cursors_lead_there_and_back_while_new_ones_come(alice, clock):
    uids = make(alice, clock, 5)
    first = alice.page(limit=2)
    newer = make(alice, clock, 2)

    second = alice.page(limit=2, cursor=first["next_cursor"])
    last = alice.page(limit=2, cursor=second["next_cursor"])
    back = alice.page(limit=2, cursor=last["previous_cursor"])
    start = alice.page(limit=2, cursor=back["previous_cursor"])
    top = alice.page(limit=5, cursor=start["previous_cursor"])

    ids = [[workstation["id"] for workstation in page["data"]] for page in (first, second, last, back, start, top)]
    assert ids == [uids[:2], uids[2:4], uids[4:], uids[2:4], uids[:2], newer]
    assert last["next_cursor"] is None
    assert top["previous_cursor"] is None
    assert alice.uids(cursor=top["next_cursor"]) == uids


NO_CURSORS = (b"older/x///0", b"\xff", b"older////0", b"older/1/")
CURSORS = ["", "x", "\xe9", *(base64.urlsafe_b64encode(text).decode() for text in NO_CURSORS)]


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("limit", ("", "0", "-1", "101", "1.5", "ten", "²", "9999")),
        *((name, ("", "yesterday", "12", "2023-13-01T00:00:00Z")) for name in ("before", "after")),
        ("cursor", CURSORS),
    ],
)
@pytest.mark.parametrize("path", ["/workstations", "/workstations/history"])
def test_a_bad_value_is_refused(alice, path, name, odd):
    for text in odd:
        answer = alice.call("GET", path, params={name: text})
        assert answer.status_code == 400
        assert name in answer.json()["message"]
