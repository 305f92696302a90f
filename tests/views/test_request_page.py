"""What the page of one request says: what it waits for, whose turn it is, and step by step what became of it."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from portal import models
from portal.models.clock import Now
from portal.services.reports import timeline
from tests import browser, factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def read(sign_in, alice, olga):
    def read(portal_request: models.Request, *, person: models.User = alice) -> str:
        return browser.read(sign_in(person).get(f"/requests/{portal_request.pk}/"))

    return read


@pytest.fixture
def online(db) -> None:
    models.Worker.objects.create(name="one", seen_at=timezone.now() + timedelta(days=1))


@pytest.mark.parametrize(
    ("uid", "title", "actor"),
    [
        ("fail-401", "Paused for the whole team: API key rejected", "Who can fix this: <bdi>olga or oscar</bdi>"),
        ("fail-402", "Paused for the whole team: payment required", "Who can fix this: the account owner (billing)"),
        ("fail-429", "Paused for the whole team: rate limit reached", "You don't need to do anything now."),
    ],
)
def test_under_a_pause_it_says_who_can_end_it(sandbox, online, read, settings, alice, olga, uid, title, actor):
    factories.create_user("oscar", "Operators")
    settings.PORTAL_RETRY_DELAY = 30.0
    factories.submit(alice, workspace_uid=uid)
    factories.send_once()
    page = read(factories.submit(alice))
    assert f'{title} <span class="mono muted">({uid[5:]})' in page
    assert actor in page
    assert "This request has not failed." in page
    assert uid == "fail-429" or page.count("olga or oscar resumes sending") == 2, "in the notice, and here"


def test_from_its_end_on_a_pause_reads_resuming_on_every_page_and_nothing_is_written(
    sandbox, online, read, settings, sign_in, alice, olga
):
    """Nobody asks: no claim ends the pause."""
    settings.PORTAL_RETRY_DELAY = 30.0
    factories.submit(alice, workspace_uid="fail-429-retry-3")
    factories.send_once()
    waiting, paths = factories.submit(alice), ("/", "/requests/", "/requests/new/", "/key/", "/failures/", "/usage/")
    assert "Paused for the whole team" in read(waiting)
    models.Key.objects.update(paused_until=Now() - timedelta(seconds=1))
    row = models.Key.objects.values().get()
    for person in (alice, olga):
        for page in [read(waiting, person=person), *(sign_in(person).get(path).text for path in paths)]:
            assert 'data-key="resuming"' in page
            assert "Resuming: the next request tests" in page
            assert "Requests are paused" not in page
    assert "Resuming: requests are sent one at a time until one succeeds." in read(waiting)
    assert "Resuming: the next request tests whether" in sign_in(alice).get("/requests/new/").text.split("<main")[1]
    assert models.Key.objects.values().get() == row


def test_a_pause_lasted_until_its_end_though_the_next_claim_came_late(sandbox, database_clock, online, sign_in, alice):
    def read_length() -> str:
        page = sign_in(alice).get("/key/").text
        return " ".join(re.findall(r"Rate limit reached</span>\s*<span>(.+?)</span>", page, re.DOTALL)[0].split())

    factories.submit(alice)
    factories.submit(alice)
    calls = {"3": factories.claim(), "30": factories.claim()}
    for seconds, call in calls.items():  # the later end replaces the earlier
        sandbox.script({"status": 429, "headers": {"Retry-After": seconds}})
        factories.record(call, factories.send(call))
    assert read_length() == "not resumed yet"
    database_clock.step(seconds=290)
    assert read_length() == "30 s, resumed by itself"
    factories.claim()
    assert read_length() == "30 s, resumed by itself"
    assert factories.list_events("resume").count() == 1


def test_where_a_person_has_to_decide_its_state_is_needs_review_everywhere(sandbox, read, sign_in, alice, olga):
    unknown = factories.submit_and_settle(alice, workspace_uid="reset")
    assert "<bdi>Checking</bdi>" in read(unknown)
    factories.ask_people(unknown)
    for person in (alice, olga):
        page = read(unknown, person=person)
        assert "<bdi>Needs review</bdi>" in page
        assert not re.search(r"<h3>\s*Checking", page), "the last step says it, too"
        assert "<bdi>Needs review</bdi>" in sign_in(person).get("/requests/").text


# --- Step by step ---


def test_request_and_attempts_are_of_one_moment(sandbox, alice):
    """What was read before a failure was recorded is not shown beside the attempt that failed."""
    read_before = factories.submit(alice, workspace_uid="fail-503")
    factories.send_once()
    request_history = timeline.read_request_history(portal_request=read_before)
    assert read_before.attempt_count == 0
    assert (request_history.portal_request.status, request_history.portal_request.attempt_count) == ("QUEUED", 1)
    assert [attempt.outcome for attempt in request_history.attempts] == ["FAILED"]


@pytest.mark.parametrize(("number", "folded"), [(12, 0), (13, 4), (47, 38)])
def test_many_stations_are_folded_in_the_middle_and_none_is_left_out(number, folded):
    steps = [timeline.Step(title=str(index), state="done") for index in range(number)]
    first, middle, last = timeline.fold_steps(steps=steps)
    assert len(middle) == folded
    assert [*first, *middle, *last] == steps
