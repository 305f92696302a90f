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


def test_the_newest_comes_first_twenty_a_page(alice, clock):
    uids = make(alice, clock, 21)

    page = alice.page()

    assert page["object"] == "list"
    assert [workstation["id"] for workstation in page["data"]] == uids[:20]
    assert page["previous_cursor"] is None
    assert alice.uids(cursor=page["next_cursor"]) == uids[20:]


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


def test_a_page_that_has_emptied_leads_nowhere(alice, clock):
    uids = make(alice, clock, 3)
    cursor = alice.page(limit=2)["next_cursor"]
    alice.call("DELETE", f"/workstations/{uids[2]}/release")

    page = alice.page(cursor=cursor)

    assert page == {"object": "list", "data": [], "next_cursor": None, "previous_cursor": None}
    for uid in uids[:2]:
        alice.release(uid)
    page = alice.page("/workstations/history", limit=2)
    assert [workstation["id"] for workstation in page["data"]] == uids[:2], "the history pages likewise"
    assert alice.uids("/workstations/history", cursor=page["next_cursor"]) == uids[2:]


def test_before_and_after_hold_on_the_next_page_too(alice, clock):
    uids = make(alice, clock, 6)
    times = {workstation["id"]: workstation["startedAt"] for workstation in alice.page()["data"]}

    page = alice.page(limit=2, before=times[uids[0]], after=times[uids[4]])

    assert [workstation["id"] for workstation in page["data"]] == uids[1:3]
    follow = alice.page(limit=2, cursor=page["next_cursor"], before="ignored, the cursor overrides it")
    assert [workstation["id"] for workstation in follow["data"]] == uids[3:4]
    assert follow["next_cursor"] is None
    for after, found in (("22:13:24", 1), ("22:13:25", 0), ("22:13:25+01:00", 6)):  # without a zone it is UTC
        assert len(alice.uids(limit=100, after=f"2023-11-14T{after}")) == found


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
