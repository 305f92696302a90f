"""What requesters and operators see of unknown requests, and the question of a changed key."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts
from portal.services.reconciliation import operator_actions
from portal.services.requests import notes
from portal.services.runtime import workers
from tests import factories
from tests.browser import read

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def unknown(sandbox, alice) -> models.Request:
    portal_request = factories.send_until_settled(factories.submit(alice, workspace_uid="reset"))
    factories.ask_people(portal_request)
    return portal_request


def test_a_requester_who_is_asked_has_it_sent_again(sign_in, unknown, alice):
    assert "Not created: send again" in sign_in(alice).get(f"/requests/{unknown.pk}/").text
    link = f"/requests/{unknown.pk}/not-created/"
    assert "is in the queue again" in sign_in(alice).post(link, follow=True).text
    assert "moved on" in sign_in(alice).post(link, follow=True).text
    assert models.Event.objects.get(verb="not-created").actor_name == "alice"


def test_what_its_requester_no_longer_wants_is_said_to_be_cancelled_and_not_to_queue(sign_in, unknown, alice):
    models.Request.objects.update(cancel_requested_at=Now())
    page = sign_in(alice).post(f"/requests/{unknown.pk}/not-created/", follow=True).text
    assert f"{unknown.label} is cancelled." in page
    assert models.Request.objects.get(pk=unknown.pk).status == "CANCELLED"


def test_a_requester_who_is_asked_cancels_it_at_once(sign_in, unknown, alice):
    page = sign_in(alice).post(f"/requests/{unknown.pk}/cancel/", follow=True).text
    assert "If a workstation was created for it" in page
    assert models.Request.objects.get(pk=unknown.pk).status == "CANCELLED"


def test_who_is_asked_is_not_told_that_there_is_nothing_to_do(sign_in, unknown, alice):
    """The failure's own advice holds until the lists leave a question."""
    client, path, advice = sign_in(alice), f"/requests/{unknown.pk}/", "You don't need to do anything"
    assert advice not in client.get(path).text
    models.Request.objects.update(operator_note="")
    assert advice in client.get(path).text


def test_the_question_says_whose_turn_it_is_and_offers_one_way_to_try_again(sign_in, unknown, alice, olga):
    path = f"/requests/{unknown.pk}/"
    page = sign_in(alice).get(path).text
    assert "Needs your review" in page
    assert "Request another" not in page  # which would be a second request beside this one
    assert "Is it safe" not in page  # the question and its answers say it
    assert "Needs review by <bdi>alice</bdi> or <bdi>olga</bdi>" in read(sign_in(olga).get(path))
    models.Request.objects.update(operator_note=notes.OTHERS)
    page = read(sign_in(alice).get(path))
    assert "Needs review by <bdi>olga</bdi>" in page
    assert "Request another (you may pay for two)…" in page


@pytest.mark.parametrize(("owner", "place"), [(None, ", workspace S-1"), ("bob", "")])
def test_a_requester_who_is_asked_sees_what_the_request_may_have_created(sign_in, unknown, alice, bob, owner, place):
    account = accounts.get_current_account()
    space = models.Workspace.objects.create(account=account, uid="S-1", owner=bob if owner else None)
    models.Workstation.objects.create(
        account=account, uid="likely", type="python", workspace=space, created_at=Now(), listed_tick=10**6
    )
    page = read(sign_in(alice).get(f"/requests/{unknown.pk}/"))
    may_be = page.partition("It may have created:")[2].partition("</ul>")[0]
    assert re.search(rf"<bdi>Python, started [^,<]*, [0-9:]* UTC{place}</bdi>", may_be)


def test_before_a_requester_is_asked_nothing_is_offered(sign_in, unknown, alice):
    models.Request.objects.update(operator_note="")
    browser = sign_in(alice)
    assert "Not created" not in browser.get(f"/requests/{unknown.pk}/").text
    assert "still checking" in browser.post(f"/requests/{unknown.pk}/not-created/", follow=True).text


def test_a_requester_wishes_to_cancel_what_is_unknown(sign_in, unknown, alice):
    models.Request.objects.update(operator_note="")
    page = sign_in(alice).post(f"/requests/{unknown.pk}/cancel/", follow=True).text
    assert "If nothing was created, the request is cancelled" in page
    assert "Cancellation requested" in page
    unknown.refresh_from_db()
    assert (unknown.status, unknown.cancel_requested_at is not None) == ("UNKNOWN", True)


@pytest.mark.parametrize("answer", ["same", "other"])
def test_an_operator_says_whose_account_a_new_key_reaches(sign_in, sandbox, settings, alice, olga, answer):
    waiting = factories.submit(alice)
    settings.AGENTSTATION_API_KEY = "another-key"
    asked = factories.ask_whose_key()
    url = f"/key/account/{asked.pk}/"
    page = sign_in(alice).get("/key/").text
    assert "A different API key or base URL has been set" in page
    assert asked.fingerprint not in page
    assert "Sending can't be resumed here" in read(sign_in(olga).post("/key/resume/", follow=True))
    page = sign_in(olga).get("/key/").text
    assert all(words in page for words in (url, asked.fingerprint, asked.base_url, asked.seen_on))
    assert "Resume sending" not in page
    assert "has an API key that nobody has confirmed" in sign_in(olga).get("/unknown/").text
    assert operator_actions.count_open_decisions() == 1

    assert "Say whether" in sign_in(olga).post(url, {"account": "perhaps"}, follow=True).text
    page = sign_in(olga).post(url, {"account": answer}, follow=True).text
    assert "Noted." in page
    assert url not in page
    assert "Somebody has already confirmed" in sign_in(olga).post(url, {"account": answer}, follow=True).text
    assert models.Account.objects.count() == (1 if answer == "same" else 2)
    assert waiting.account == accounts.get_current_account() or answer == "other"


def test_the_question_of_a_key_says_whether_its_worker_still_lives(sign_in, sandbox, settings, alice, olga):
    factories.submit(alice)
    settings.AGENTSTATION_API_KEY = "another-key"
    asked = factories.ask_whose_key()
    models.Credential.objects.filter(pk=asked.pk).update(seen_at=Now() - timedelta(minutes=40))
    asked.refresh_from_db()
    assert re.search(f"Last seen</dt>\\s*<dd>[^/]*{asked.seen_at:%H:%M:%S} UTC", sign_in(olga).get("/key/").text)


def test_a_request_of_an_account_that_was_left_is_shown_to_operators(sign_in, unknown, settings, olga):
    browser = sign_in(olga)
    assert "an account that the portal has left" not in browser.get("/unknown/").text
    url = settings.AGENTSTATION_BASE_URL
    settings.AGENTSTATION_BASE_URL = "https://elsewhere.example/v1"
    factories.present_key()
    page = browser.get("/unknown/").text
    assert f"an account that the portal has left ({url})" in page
    assert unknown.label in page
    assert operator_actions.count_open_decisions() == 1


@pytest.mark.parametrize("reason", ["deactivated", "out of the group"])
def test_what_runs_for_somebody_who_may_not_request_any_more_is_shown(sign_in, sandbox, alice, olga, reason):
    workstation = factories.create_workstation(alice)
    browser = sign_in(olga)
    assert workstation.uid not in browser.get("/unknown/").text
    if reason == "deactivated":
        models.User.objects.filter(pk=alice.pk).update(is_active=False)
    else:
        alice.groups.clear()

    page = browser.get("/unknown/").text
    assert f"/workstations/{workstation.uid}/" in page
    assert "may no longer request" in page
    assert operator_actions.count_open_decisions() == 1
    browser.post(f"/workstations/{workstation.uid}/release/", {"reason": "She has left."})
    assert workstation.uid not in browser.get("/unknown/").text
    assert operator_actions.count_open_decisions() == 0


def test_every_page_tells_machines_whether_requests_go_out(sign_in, client, sandbox, alice):
    accounts.get_current_account()
    browser = sign_in(alice)
    held, resuming = {"state": "PAUSED", "cause": "402", "paused_at": Now()}, {"state": "RESUMING", "paused_at": None}
    states: list[tuple[dict[str, Any], str]] = [
        *(({}, "offline"), ({}, "active"), (held, "paused"), (resuming, "resuming"))
    ]
    for values, state in states:
        models.Key.objects.update(**values)
        for path in ("/", "/key/", "/requests/", "/failures/402/", "/nowhere/"):
            assert f'<body data-key="{state}">' in browser.get(path).text, path
        workers.note_worker(name="w")
    assert "data-key" not in client.get("/accounts/login/").text


def test_the_key_page_tells_that_the_key_is_used_elsewhere(sign_in, sandbox, alice, olga):
    accounts.get_current_account()
    assert "used elsewhere" not in sign_in(olga).get("/key/").text
    models.Account.objects.update(shared_at=Now())
    assert "used elsewhere" in sign_in(olga).get("/key/").text
    assert "used elsewhere" not in sign_in(alice).get("/key/").text
    assert "Noted." in sign_in(olga).post("/key/unshared/", follow=True).text
    assert "used elsewhere" not in sign_in(olga).get("/key/").text
    assert "already said" in sign_in(olga).post("/key/unshared/", follow=True).text


def test_the_key_page_tells_each_state(sign_in, sandbox, olga):
    accounts.get_current_account()
    models.Worker.objects.create(name="one", seen_at=timezone.now() + timedelta(days=1))
    states: list[tuple[dict[str, Any], str]] = [
        ({"state": "PAUSED", "cause": "401", "paused_at": Now()}, "or AgentStation accepts the key again"),
        ({"state": "PAUSED", "cause": "402", "paused_at": Now(), "operator_only": True}, "an operator resumes sending"),
        ({"state": "PAUSED", "cause": "503", "paused_at": Now(), "paused_until": Now()}, "overloaded"),
        ({"state": "RESUMING", "cause": "402", "paused_at": None, "paused_until": None}, "one at a time"),
    ]
    for values, words in states:
        models.Key.objects.update(**values)
        assert words in sign_in(olga).get("/key/").text
