"""What a portal has done is a path of the model, and what it has not done is found."""

from collections.abc import Callable

import pytest

from tests import factories
from tests.protocol import traces
from tests.protocol.requests import World
from tests.services.reconciling import deny, make_unknown, send_late

pytestmark = pytest.mark.django_db(transaction=True)


def forget_the_proof(story: traces.Story) -> None:
    story.events = [one for one in story.events if one[0].verb != "reconcile"]


def forget_the_claim(story: traces.Story) -> None:
    story.events = [one for one in story.events if one[0].verb != "claim"]


def say_that_it_failed(story: traces.Story) -> None:
    story.events[-1][0].detail["after"] = "FAILED"


def claim_too_early(story: traces.Story) -> None:
    story.attempts[1].claimed_tick = story.attempts[0].claimed_tick


def end_after_the_scan(story: traces.Story) -> None:
    story.attempts[0].ended_tick = story.attempts[1].claimed_tick - 1


def make_another(story: traces.Story) -> None:
    story.entries = [*story.entries, *story.entries]


@pytest.mark.parametrize(
    ("corrupt", "words"),
    [
        (lambda _: None, ""),
        (forget_the_proof, "claim leads from"),
        (forget_the_claim, "response UNKNOWN leads from"),
        (say_that_it_failed, "says FAILED"),
        (claim_too_early, "was claimed before"),
        (end_after_the_scan, "a scan that began before"),
        (make_another, "2 were made for it"),
    ],
)
def test_a_story_that_is_no_path_of_the_model_is_found(
    sandbox, alice, settings, monkeypatch, corrupt: Callable[[traces.Story], None], words
):
    settings.PORTAL_SCAN_INTERVAL = 0.0
    lease, recovering = (factories.acquire_lease(name=name) for name in ("job", "recover"))
    make_unknown(sandbox, alice)
    deny(lease, witness_of=alice)
    factories.send_once()
    _, call, result = send_late(sandbox, alice, recovering, type="golang")
    factories.record(call, result)
    stories = traces.read_stories(traces.find_entries(sandbox.record()["posts"]))
    assert len(stories) == 3
    monkeypatch.setattr(traces, "WORLDS", (World(sends=2, words=0, older=True, refusals=False, wishes=False),))
    corrupt(stories[0])
    _, found = traces.replay(stories)
    assert [words in story for story in found] == ([True] if words else [])
