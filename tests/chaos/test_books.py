"""Each way in which the books can disagree is noticed, and nothing else is."""

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
ASKED = replace(REQUEST, status="UNKNOWN", failure="no-answer", reason="Nobody can tell.")
SECOND = replace(ATTEMPT, claimed_at=20.0, ended_at=20.5, uid="workstation2")
SECOND_POST = replace(POST, sequence=2, at=20.1, made="workstation2")
OF_SECOND = Workstation(uid="workstation2", request=1)


def find(**changes) -> dict[str, int]:
    """How many findings of each kind, those with none left out."""
    report = books.compare(replace(AGREEING, **changes))
    return {kind: len(words) for kind, words in report.findings.items() if words}


def test_books_that_agree():
    report = books.compare(AGREEING)
    assert report.is_clean
    assert report.counts["submitted"] == report.counts["accepted"] == report.counts["SUCCEEDED"] == 1
    assert report.counts["POSTs received"] == report.counts["workstations made"] == 1


TOLD_NOTHING = replace(SUBMISSION, submission="s-2", numbers=())
REFUSED = replace(ATTEMPT, outcome="FAILED", failure="422", answered=422, uid="")
BUSY = replace(REFUSED, claimed_at=5.0, ended_at=5.5, failure="503", answered=503)
AGREE: dict[str, dict[str, Any]] = {
    "a retry after a refusal": {
        "attempts": [BUSY, ATTEMPT],
        "posts": [replace(POST, sequence=2, at=5.1, answered=503, made=None), POST],
    },
    "a form that came back": {"submissions": [SUBMISSION, replace(TOLD_NOTHING, refused=True)]},
    "told the same number twice": {"submissions": [replace(SUBMISSION, numbers=(1, 1))]},
    "an orphan that a stranger made": {
        "workstations": [WORKSTATION, Workstation(uid="stranger1", request=None)],
        "strangers": frozenset({"stranger1"}),
    },
    "an orphan made on purpose is forgiven once in its group": {
        "requests": [FAILED],
        "attempts": [REFUSED],
        "posts": [replace(POST, answered=422)],
        "workstations": [],
    },
}
DISAGREE: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "a success without a workstation": ({"workstations": []}, {"lost": 1, "orphans left": 1}),
    "a submission that nobody answered": ({"submissions": [SUBMISSION, TOLD_NOTHING]}, {"untold": 1}),
    "a submission that became two requests; one promise is for the other's row, too": (
        {
            "submissions": [replace(SUBMISSION, numbers=(1, 2))],
            "requests": [REQUEST, replace(REQUEST, number=2, status="CANCELLED")],
        },
        {"doubled": 2},
    ),
    "a request that owns two": (
        {"attempts": [ATTEMPT, SECOND], "posts": [POST, SECOND_POST], "workstations": [WORKSTATION, OF_SECOND]},
        {"doubled": 2},
    ),
    "what the run has seen": ({"seen": [(books.BURNT, "Eight failed."), (books.BURNT, "Nine.")]}, {books.BURNT: 2}),
    "an unknown outcome that is left; its workstation is no orphan yet": (
        LOST | {"requests": [replace(ASKED, reason="")]},
        {"unknown left": 1},
    ),
    "an orphan of a request that has failed": (LOST | {"requests": [FAILED]}, {"orphans left": 1}),
    "a POST without an attempt": (
        {"posts": [POST, replace(POST, sequence=2, made=None, answered="hang")]},
        {"unexplained POSTs": 1},
    ),
    "a POST that was sent after its time": (
        {"attempts": [UNHEARD], "posts": [replace(POST, at=13.0)], **KILLED},
        {"unexplained POSTs": 1},
    ),
    "a workstation that was never made": (
        {"workstations": [WORKSTATION, Workstation(uid="dreamt", request=1)]},
        {"doubled": 1, "wrong owner": 1},
    ),
    "what verifying the record does not confirm": ({"record": ["Event 3 was changed."]}, {"record": 1}),
    "a stranger's workstation": (
        {
            "workstations": [Workstation(uid="stranger1", request=1)],
            "strangers": frozenset({"stranger1"}),
            "posts": [],
            "attempts": [],
        },
        {"wrong owner": 1},
    ),
}


@pytest.mark.parametrize("changes", AGREE.values(), ids=AGREE)
def test_what_may_be_is_no_finding(changes):
    assert find(**changes) == {}


@pytest.mark.parametrize(("changes", "found"), DISAGREE.values(), ids=DISAGREE)
def test_what_must_not_be_is_found(changes, found):
    assert find(**changes) == found


@pytest.mark.parametrize(
    "request_row",
    [None, replace(REQUEST, member="bob"), replace(REQUEST, submission="s-2"), replace(REQUEST, type="max")],
)
def test_lost_what_was_promised_and_is_not_stored_or_stored_otherwise(request_row):
    changes = {"requests": [request_row]} if request_row else {"requests": [], "attempts": [], "workstations": []}
    assert find(**changes)["lost"] == 1


@pytest.mark.parametrize("status", ["QUEUED", "SENDING"])
def test_lost_what_never_ends_though_nothing_holds_it(status):
    waiting = {"requests": [replace(REQUEST, status=status)], "attempts": [], "workstations": [], "posts": []}

    assert find(**waiting) == {"lost": 1}
    assert find(**waiting, key_is_paused=True) == {}


@pytest.mark.parametrize("known", [[], [Workstation(uid="workstation1", request=None)]])
def test_doubled_a_request_sent_again_though_its_first_attempt_had_made_one(known):
    sent_again = {"attempts": [UNHEARD, SECOND], "posts": [POST, SECOND_POST], "workstations": [*known, OF_SECOND]}
    assert find(**sent_again, **KILLED) == {"doubled": 1}


def test_doubled_more_made_for_a_group_than_it_has_requests_whoever_owns_them():
    other = replace(REQUEST, number=2, submission="s-2", type="max")
    thief = Workstation(uid="workstation1", request=2)

    rows = {"requests": [REQUEST, other], "workstations": [thief, OF_SECOND]}
    sent = {"attempts": [UNHEARD, SECOND], "posts": [POST, SECOND_POST]}
    assert find(**rows, **sent, **KILLED) == {"doubled": 1, "wrong owner": 1}


def test_two_requests_of_a_group_may_swap_their_workstations():
    other, early = replace(REQUEST, number=2, submission="s-2"), replace(UNHEARD, claimed_at=9.9)
    # The POST of R-1 made workstation1, that of R-2 none; settling gave it to was sent again.
    attempts = [early, replace(UNHEARD, request=2, claimed_at=10.0), SECOND]
    posts = [POST, replace(POST, sequence=3, at=10.2, made=None, answered="reset"), SECOND_POST]
    owned = [Workstation(uid="workstation1", request=2), OF_SECOND]

    assert find(requests=[REQUEST, other], attempts=attempts, posts=posts, workstations=owned, **KILLED) == {}


@pytest.mark.parametrize("attempt", [{"outcome": "NOT_SENT", "failure": ""}, {"failure": "no-connection"}])
def test_unexplained_a_post_of_an_attempt_that_says_it_sent_nothing(attempt):
    quiet = replace(UNHEARD, **attempt)
    failed = replace(REQUEST, status="FAILED", failure="no-connection")
    post = replace(POST, made=None, answered="reset")

    assert find(requests=[failed], attempts=[quiet], posts=[post], workstations=[]) == {"unexplained POSTs": 1}


def test_responses_lost_of_a_worker_that_lived():
    attempt = replace(UNHEARD, ended_at=10.5)

    assert find(attempts=[attempt]) == {"answers lost": 1}
    assert find(attempts=[attempt], **KILLED) == {}
    assert find(attempts=[replace(attempt, ended_at=12.5)]) == {}


def test_a_late_response_is_a_response():
    late = replace(UNHEARD, answered=200, late=True, uid="workstation1")
    report = books.compare(replace(AGREEING, attempts=[late]))
    assert report.is_clean
    assert report.counts["late responses"] == 1


def test_wrong_owner_of_what_a_response_named_to_somebody_else():
    other = replace(REQUEST, number=2, member="bob", submission="s-2")
    cancelled = replace(REQUEST, status="CANCELLED")
    stolen = Workstation(uid="workstation1", request=2)
    second = replace(SUBMISSION, member="bob", submission="s-2", numbers=(2,))
    changes = {"submissions": [SUBMISSION, second], "requests": [cancelled, other], "workstations": [stolen]}

    assert find(**changes) == {"wrong owner": 1}
    # The response came when the other had already adopted it: nobody had used it.
    assert find(**changes, attempts=[replace(ATTEMPT, late=True)]) == {}


def test_running_unseen_what_the_portal_shows_to_nobody():
    assert find(unseen=["workstation9"]) == {"running unseen": 1}
    unknown = LOST | {"unseen": ["workstation1"]}
    assert find(requests=[ASKED], **unknown) == {}
    assert find(requests=[replace(ASKED, reason="")], **unknown) == {"unknown left": 1, "running unseen": 1}


def test_unknown_left_where_a_person_is_asked_is_no_fault_and_is_counted():
    report = books.compare(replace(AGREEING, requests=[ASKED], **LOST))
    assert report.is_clean
    assert report.counts["left to a person: Nobody can tell."] == 1


def test_a_request_waits_for_a_persons_decision_about_another_of_its_workspace():
    asked = replace(REQUEST, workspace="hers", status="UNKNOWN", reason="more than one could be it")
    waiting = replace(REQUEST, number=2, member="bob", submission="s-2", workspace="hers", status="QUEUED")
    own = replace(SUBMISSION, workspace="hers")
    changes = {
        "submissions": [own, replace(own, member="bob", submission="s-2", numbers=(2,))],
        "attempts": [replace(UNHEARD, uid="")],
        "posts": [replace(POST, workspace="hers", made=None)],
        "workstations": [],
    }
    assert find(requests=[asked, waiting], **changes) == {}
    assert find(requests=[asked, replace(waiting, workspace="")], **changes)["lost"] == 2


def test_a_workstation_more_where_a_person_sent_a_request_again_is_no_doubling():
    again = replace(REQUEST, sent_again=1)
    twice = {"attempts": [UNHEARD, SECOND], "posts": [POST, SECOND_POST], "workstations": [OF_SECOND], **KILLED}

    assert find(requests=[again], **twice) == {}
    third = replace(SECOND, claimed_at=30.0, ended_at=30.5, uid="workstation3")
    third_post = replace(POST, sequence=3, at=30.1, made="workstation3")
    thrice = twice | {"attempts": [UNHEARD, SECOND, third], "posts": [POST, SECOND_POST, third_post]}
    assert find(requests=[again], **thrice) == {"doubled": 1}


def test_an_orphan_of_a_request_that_a_person_gave_up_is_no_fault():
    cancelled = replace(REQUEST, status="CANCELLED", failure="")
    left = LOST | {"workstations": [Workstation(uid="workstation1", request=None)]}

    assert find(requests=[cancelled], **left) == {"orphans left": 1}
    assert find(requests=[replace(cancelled, given_up=True)], **left) == {}


def test_of_two_lost_answers_the_one_sent_again_is_doubled_and_the_one_that_got_a_stranger_s_is_wrong():
    other = replace(REQUEST, number=2, submission="s-2", type="max")
    lost = replace(UNHEARD, request=2)
    rows = {"requests": [REQUEST, other], "attempts": [UNHEARD, SECOND, lost]}
    posts = [POST, SECOND_POST, replace(POST, sequence=3, type="max", made=None, answered="reset")]
    owned = [OF_SECOND, Workstation(uid="stranger", request=2)]

    found = find(**rows, posts=posts, workstations=owned, strangers=frozenset({"stranger"}), **KILLED)
    assert found == {"doubled": 1, "wrong owner": 1}
