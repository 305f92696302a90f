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
SECOND = replace(ATTEMPT, claimed_at=20.0, ended_at=20.5, uid="workstation2")
SECOND_POST = replace(POST, sequence=2, at=20.1, made="workstation2")


def find(**changes) -> dict[str, int]:
    """How many findings of each kind, those with none left out."""
    report = books.compare(replace(AGREEING, **changes))
    return {kind: len(words) for kind, words in report.findings.items() if words}


def test_books_that_agree():
    report = books.compare(AGREEING)

    assert report.is_clean
    assert report.counts["submitted"] == report.counts["accepted"] == report.counts["SUCCEEDED"] == 1
    assert report.counts["POSTs received"] == report.counts["workstations made"] == 1


def test_a_retry_after_a_refusal_agrees():
    refused = replace(ATTEMPT, claimed_at=5.0, ended_at=5.5, outcome="FAILED", failure="503", answered=503, uid="")
    refusal = replace(POST, sequence=2, at=5.1, answered=503, made=None)

    assert find(attempts=[refused, ATTEMPT], posts=[refusal, POST]) == {}


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


def test_lost_a_success_without_a_workstation():
    assert find(workstations=[]) == {"lost": 1, "orphans left": 1}


def test_untold_a_submission_that_nobody_answered():
    assert find(submissions=[SUBMISSION, replace(SUBMISSION, submission="s-2", numbers=())]) == {"untold": 1}
    assert find(submissions=[SUBMISSION, replace(SUBMISSION, submission="s-2", numbers=(), refused=True)]) == {}


def test_doubled_a_submission_that_became_two_requests():
    cancelled = replace(REQUEST, number=2, status="CANCELLED")

    # One promise is for the other's row, too.
    assert find(submissions=[replace(SUBMISSION, numbers=(1, 2))], requests=[REQUEST, cancelled])["doubled"] == 2


def test_what_the_run_has_seen_is_a_finding():
    assert find(seen=[(books.BURNT, "Eight failed."), (books.BURNT, "Nine failed.")]) == {books.BURNT: 2}


def test_told_twice_the_same_number_is_no_doubling():
    assert find(submissions=[replace(SUBMISSION, numbers=(1, 1))]) == {}


def test_doubled_a_request_that_owns_two():
    second = Workstation(uid="workstation2", request=1)
    both = {"attempts": [ATTEMPT, SECOND], "posts": [POST, SECOND_POST]}

    assert find(**both, workstations=[WORKSTATION, second]) == {"doubled": 2}


@pytest.mark.parametrize("known", [[], [Workstation(uid="workstation1", request=None)]])
def test_doubled_a_request_sent_again_though_its_first_attempt_had_made_one(known):
    second = Workstation(uid="workstation2", request=1)

    found = find(attempts=[UNHEARD, SECOND], posts=[POST, SECOND_POST], workstations=[*known, second], **KILLED)

    assert found == {"doubled": 1}


KILLED: dict[str, Any] = {"disturbed": frozenset({100})}


def test_doubled_more_made_for_a_group_than_it_has_requests_whoever_owns_them():
    other = replace(REQUEST, number=2, submission="s-2", type="max")
    thief = Workstation(uid="workstation1", request=2)

    found = find(
        requests=[REQUEST, other],
        attempts=[UNHEARD, SECOND],
        posts=[POST, SECOND_POST],
        workstations=[thief, Workstation(uid="workstation2", request=1)],
        **KILLED,
    )

    assert found == {"doubled": 1, "wrong owner": 1}


def test_two_requests_of_a_group_may_swap_their_workstations():
    other, early = replace(REQUEST, number=2, submission="s-2"), replace(UNHEARD, claimed_at=9.9)
    # The POST of R-1 made workstation1, that of R-2 none; settling gave it to was sent again.
    attempts = [early, replace(UNHEARD, request=2, claimed_at=10.0), SECOND]
    posts = [POST, replace(POST, sequence=3, at=10.2, made=None, answered="reset"), SECOND_POST]
    owned = [Workstation(uid="workstation1", request=2), Workstation(uid="workstation2", request=1)]

    assert find(requests=[REQUEST, other], attempts=attempts, posts=posts, workstations=owned, **KILLED) == {}


def test_unknown_left_and_its_workstation_is_no_orphan_yet():
    unknown = replace(REQUEST, status="UNKNOWN", failure="no-answer")

    assert find(requests=[unknown], attempts=[UNHEARD], workstations=[], **KILLED) == {"unknown left": 1}


def test_an_orphan_of_a_request_that_has_failed():
    failed = replace(REQUEST, status="FAILED", failure="no-answer")

    assert find(requests=[failed], attempts=[UNHEARD], workstations=[], **KILLED) == {"orphans left": 1}


def test_an_orphan_made_on_purpose_is_forgiven_once_in_its_group():
    refused = replace(ATTEMPT, outcome="FAILED", failure="422", answered=422, uid="")
    failed = replace(REQUEST, status="FAILED", failure="422")
    on_purpose = replace(POST, answered=422)

    assert find(requests=[failed], attempts=[refused], posts=[on_purpose], workstations=[]) == {}


def test_unexplained_a_post_without_an_attempt():
    assert find(posts=[POST, replace(POST, sequence=2, made=None, answered="hang")]) == {"unexplained POSTs": 1}


@pytest.mark.parametrize("attempt", [{"outcome": "NOT_SENT", "failure": ""}, {"failure": "no-connection"}])
def test_unexplained_a_post_of_an_attempt_that_says_it_sent_nothing(attempt):
    quiet = replace(UNHEARD, **attempt)
    failed = replace(REQUEST, status="FAILED", failure="no-connection")
    post = replace(POST, made=None, answered="reset")

    assert find(requests=[failed], attempts=[quiet], posts=[post], workstations=[]) == {"unexplained POSTs": 1}


def test_unexplained_a_post_sent_after_its_time():
    late = replace(POST, at=13.0)

    assert find(attempts=[UNHEARD], posts=[late], **KILLED) == {"unexplained POSTs": 1}


def test_wrong_owner_of_a_workstation_that_was_never_made():
    assert find(workstations=[WORKSTATION, Workstation(uid="dreamt", request=1)])["wrong owner"] == 1


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


def test_a_record_that_verifying_does_not_confirm():
    assert find(record=["Event 3 was changed."]) == {"record": 1}


def test_wrong_owner_of_a_strangers_workstation():
    stranger = Workstation(uid="stranger1", request=1)

    found = find(workstations=[stranger], strangers=frozenset({"stranger1"}), posts=[], attempts=[])

    assert found == {"wrong owner": 1}
    orphan = Workstation(uid="stranger1", request=None)
    assert find(workstations=[WORKSTATION, orphan], strangers=frozenset({"stranger1"})) == {}


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
    asked = replace(REQUEST, status="UNKNOWN", failure="no-answer", reason="Nobody can tell.")
    unknown = {"attempts": [UNHEARD], "workstations": [], "unseen": ["workstation1"], **KILLED}
    assert find(requests=[asked], **unknown) == {}
    assert find(requests=[replace(asked, reason="")], **unknown) == {"unknown left": 1, "running unseen": 1}


def test_unknown_left_where_a_person_is_asked_is_no_fault_and_is_counted():
    asked = replace(REQUEST, status="UNKNOWN", failure="no-answer", reason="Nobody can tell.")

    report = books.compare(replace(AGREEING, requests=[asked], attempts=[UNHEARD], workstations=[], **KILLED))

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
    second = Workstation(uid="workstation2", request=1)
    twice = {"attempts": [UNHEARD, SECOND], "posts": [POST, SECOND_POST], "workstations": [second], **KILLED}

    assert find(requests=[again], **twice) == {}
    third = replace(SECOND, claimed_at=30.0, ended_at=30.5, uid="workstation3")
    third_post = replace(POST, sequence=3, at=30.1, made="workstation3")
    thrice = twice | {"attempts": [UNHEARD, SECOND, third], "posts": [POST, SECOND_POST, third_post]}
    assert find(requests=[again], **thrice) == {"doubled": 1}


def test_an_orphan_of_a_request_that_a_person_gave_up_is_no_fault():
    cancelled = replace(REQUEST, status="CANCELLED", failure="")
    left = {"attempts": [UNHEARD], "workstations": [Workstation(uid="workstation1", request=None)], **KILLED}

    assert find(requests=[cancelled], **left) == {"orphans left": 1}
    assert find(requests=[replace(cancelled, given_up=True)], **left) == {}
