"""Each way in which the books can disagree is noticed, and nothing else is. tests/test_protections.py has some more."""

from dataclasses import replace
from typing import Any

import pytest

from tests.chaos import books
from tests.chaos.books import Attempt, Books, Post, Request, Submission, Workstation

SUBMISSION = Submission(member="alice", submission="s-1", type="python", workspace="", numbers=(1,))
REQUEST = Request(number=1, member="alice", submission="s-1", type="python", workspace="", status="SUCCEEDED")
ATTEMPT = Attempt(
    request=1, worker=100, claimed_at=10.0, ended_at=10.5, outcome="SUCCEEDED", answered=200, uid="workstation1"
)
POST = Post(sequence=1, at=10.1, type="python", workspace="", answered=200, made="workstation1")
WORKSTATION = Workstation(uid="workstation1", request=1)
AGREEING = Books(
    submissions=[SUBMISSION],
    requests=[REQUEST],
    attempts=[ATTEMPT],
    workstations=[WORKSTATION],
    posts=[POST],
    send_within=2.5,
    call_within=2.0,
)
# The worker was killed: the attempt has no response, and settling has found the workstation.
UNHEARD = replace(ATTEMPT, outcome="UNKNOWN", failure="no-answer", ended_at=14.0, answered=None, uid="")
KILLED: dict[str, Any] = {"disturbed": frozenset({100})}
LOST: dict[str, Any] = {"attempts": [UNHEARD], "workstations": [], **KILLED}
FAILED = replace(REQUEST, status="FAILED", failure="422")
CANCELLED = replace(REQUEST, status="CANCELLED")
ASKED = replace(REQUEST, status="UNKNOWN", failure="no-answer", reason="Nobody can tell.")
OPEN = replace(ASKED, reason="")
SECOND = replace(ATTEMPT, claimed_at=20.0, ended_at=20.5, uid="workstation2")
SECOND_POST = replace(POST, sequence=2, at=20.1, made="workstation2")
OF_SECOND = Workstation(uid="workstation2", request=1)
ORPHAN = replace(WORKSTATION, request=None)
STRANGER: dict[str, Any] = {"strangers": frozenset({"stranger1"})}
REFUSED = replace(ATTEMPT, outcome="FAILED", failure="422", answered=422, uid="")
UNTOLD = replace(SUBMISSION, submission="s-2", numbers=())
WAITING: dict[str, Any] = {"attempts": [], "workstations": [], "posts": []}
TWICE: dict[str, Any] = {"attempts": [UNHEARD, SECOND], "posts": [POST, SECOND_POST], **KILLED}
OTHER = replace(REQUEST, number=2, submission="s-2")
SAME = replace(CANCELLED, number=2)
BOB_S = replace(OTHER, member="bob")
STOLEN: dict[str, Any] = {
    "submissions": [SUBMISSION, replace(SUBMISSION, member="bob", submission="s-2", numbers=(2,))],
    "requests": [CANCELLED, BOB_S],
    "workstations": [replace(WORKSTATION, request=2)],
}
# The POST of R-1 made workstation1, that of R-2 none; settling gave it to was sent again.
SWAPPED: dict[str, Any] = {
    "requests": [REQUEST, OTHER],
    "attempts": [replace(UNHEARD, claimed_at=9.9), replace(UNHEARD, request=2), SECOND],
    "posts": [POST, replace(POST, sequence=3, at=10.2, made=None, answered="reset"), SECOND_POST],
    "workstations": [replace(WORKSTATION, request=2), OF_SECOND],
}
GONE: dict[str, Any] = {
    "requests": [ASKED],
    "attempts": [],
    "workstations": [],
    "posts": [POST, replace(POST, sequence=2, made=None, answered=422)],
    "forgotten": (10.0, 20.0),
}
OWN = replace(SUBMISSION, workspace="hers")
HERS: dict[str, Any] = {
    "submissions": [OWN, replace(OWN, member="bob", submission="s-2", numbers=(2,))],
    "attempts": [UNHEARD],
    "posts": [replace(POST, made=None, workspace="hers")],
    "workstations": [],
}
HERS_ASKED, HERS_WAITING = (replace(one, workspace="hers") for one in (ASKED, replace(BOB_S, status="QUEUED")))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, {}),
        ({"submissions": [SUBMISSION, replace(UNTOLD, refused=True)]}, {}),
        ({"submissions": [SUBMISSION, UNTOLD]}, {"untold": 1}),
        ({"workstations": []}, {"lost": 1, "orphans left": 1}),
        ({"requests": [replace(REQUEST, member="bob")]}, {"lost": 1}),
        ({"requests": [replace(REQUEST, status="QUEUED")], **WAITING}, {"lost": 1}),
        ({"requests": [replace(REQUEST, status="QUEUED")], **WAITING, "key_is_paused": True}, {}),
        (
            {
                "submissions": [replace(SUBMISSION, numbers=(1, 2))],
                "requests": [REQUEST, replace(REQUEST, number=2, status="CANCELLED")],
            },
            {"doubled": 2},
        ),
        (
            {"attempts": [ATTEMPT, SECOND], "posts": [POST, SECOND_POST], "workstations": [WORKSTATION, OF_SECOND]},
            {"doubled": 2},
        ),
        (TWICE | {"workstations": [ORPHAN, OF_SECOND]}, {"doubled": 1}),
        (TWICE | {"workstations": [OF_SECOND], "requests": [replace(REQUEST, sent_again=1)]}, {}),
        (SWAPPED | KILLED, {}),
        (LOST | {"requests": [ASKED], "unseen": ["workstation1"]}, {}),
        (LOST | {"requests": [OPEN], "unseen": ["workstation1"]}, {"unknown left": 1, "running unseen": 1}),
        (LOST | {"requests": [FAILED]}, {"orphans left": 1}),
        (LOST | {"requests": [CANCELLED], "workstations": [ORPHAN]}, {"orphans left": 1}),
        (LOST | {"requests": [replace(CANCELLED, given_up=True)], "workstations": [ORPHAN]}, {}),
        ({"requests": [FAILED], "attempts": [REFUSED], "posts": [replace(POST, answered=422)], "workstations": []}, {}),
        ({"workstations": [WORKSTATION, Workstation(uid="stranger1", request=None)], **STRANGER}, {}),
        (
            {"workstations": [Workstation(uid="stranger1", request=1)], "posts": [], "attempts": [], **STRANGER},
            {"wrong owner": 1},
        ),
        (STOLEN, {"wrong owner": 1}),
        # The response came when the other had already adopted it: nobody had used it.
        (STOLEN | {"attempts": [replace(ATTEMPT, late=True)]}, {}),
        ({"attempts": [replace(UNHEARD, ended_at=10.5)]}, {"answers lost": 1}),
        ({"attempts": [replace(UNHEARD, ended_at=12.5)]}, {}),
        ({"attempts": [UNHEARD], "posts": [replace(POST, at=13.0)], **KILLED}, {"unexplained POSTs": 1}),
        ({"posts": [POST, replace(POST, sequence=2, made=None, answered="hang")]}, {"unexplained POSTs": 1}),
        # It was sent after the backup that is used now.
        (GONE, {}),
        (GONE | {"forgotten": (10.5, 20.0)}, {"unexplained POSTs": 2, "answers lost": 1}),
        # Its worker said only later that it had sent nothing.
        ({"attempts": [replace(UNHEARD, outcome="NOT_SENT")], **KILLED}, {"unexplained POSTs": 1, "answers lost": 1}),
        # It waits for a person's decision about another of its workspace.
        (HERS | {"requests": [HERS_ASKED, HERS_WAITING]}, {}),
        (HERS | {"requests": [HERS_ASKED, replace(HERS_WAITING, workspace="")]}, {"lost": 2}),
        ({"record": ["Event 3 was changed."]}, {"record": 1}),
        ({"seen": [(books.BURNT, "Eight failed."), (books.BURNT, "Nine.")]}, {books.BURNT: 2}),
    ],
)
def test_what_is_found_in_books(changes, found):
    report = books.compare(replace(AGREEING, **changes))
    assert {kind: len(words) for kind, words in report.findings.items() if words} == found
