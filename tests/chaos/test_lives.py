"""Ids that the provider gives more than once: whose which workstation is."""

from dataclasses import replace

from tests.chaos import books, lives
from tests.chaos.test_books import AGREEING, ATTEMPT, POST, REQUEST, SUBMISSION

# Alice's has ended, and was released; Bob's POST was answered with its id, which is a question to an operator.
FORMER = replace(POST, made="workstation1~4")
POST_OF_BOB = replace(POST, sequence=2, at=30.1)
ATTEMPT_OF_BOB = replace(ATTEMPT, request=2, claimed_at=30.0, ended_at=30.5, outcome="UNKNOWN", failure="no-answer")
OF_BOB = replace(REQUEST, number=2, member="bob", submission="s-2", status="UNKNOWN", reason="Whose it is")
REUSED = replace(
    AGREEING,
    submissions=[SUBMISSION, replace(SUBMISSION, member="bob", submission="s-2", numbers=(2,))],
    requests=[REQUEST, OF_BOB],
    attempts=[ATTEMPT, ATTEMPT_OF_BOB],
    posts=[FORMER, POST_OF_BOB],
)


def test_each_life_of_an_id_is_of_whoever_asked_for_it_then():
    named = lives.name_lives(REUSED)

    assert [attempt.uid for attempt in named.attempts] == ["workstation1~4", "workstation1"]
    assert [row.uid for row in named.workstations] == ["workstation1~4"]
    assert books.compare(named).is_clean
    assert lives.find_mixups(named, released=frozenset({"workstation1~4"}), reopened=[("workstation1", 20.0)]) == []


def test_what_the_former_owner_s_release_ended_is_noticed():
    named = lives.name_lives(REUSED)

    (words,) = lives.find_mixups(named, released=frozenset({"workstation1~4", "workstation1"}), reopened=[])
    assert words.startswith("workstation1 was released")


def test_an_end_that_is_taken_back_for_another_s_workstation_is_noticed():
    (words,) = lives.find_mixups(
        lives.name_lives(REUSED), released=frozenset(), reopened=[("workstation1", 31.0), ("elsewhere", 31.0)]
    )
    assert words == "the end of ['workstation1~4'] was taken back, though workstation1 is another"
