"""The key's page: its states, pausing sending with a reason, and the questions of another key and a moved database."""

from datetime import timedelta
from typing import Any

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker
from portal.services.reconciliation import operator_actions
from portal.services.runtime import workers
from tests import factories
from tests.browser import read

pytestmark = pytest.mark.django_db(transaction=True)

REASON = "AgentStation upgrades tonight."


def test_an_operator_pauses_sending_with_a_reason_that_everybody_sees(sign_in, alice, bob, olga):
    waiting = factories.submit(alice)
    assert "Pause sending…" in read(sign_in(olga).get("/key/"))
    assert "Pause sending…" not in read(sign_in(alice).get("/key/"))
    page = read(sign_in(olga).post("/key/pause/", {"reason": REASON}, follow=True))
    assert "You have paused sending." in page
    assert "Pause sending…" not in page
    assert factories.claim_next() is None
    event = factories.find_event("pause")
    assert (event.actor_name, event.reason, event.detail["cause"]) == ("olga", REASON, "by-operator")
    assert f"An operator paused sending (<bdi>olga</bdi>: <bdi>{REASON}</bdi>)" in read(sign_in(bob).get("/key/"))
    page = read(sign_in(alice).get(f"/requests/{waiting.pk}/"))
    assert "Paused for the whole team: an operator paused sending" in page
    assert "waits until olga resumes sending." in page

    assert "You have resumed sending" in sign_in(olga).post("/key/resume/", follow=True).text
    assert "somebody has already resumed sending" in sign_in(olga).post("/key/resume/", follow=True).text
    assert factories.claim_next() is not None


def test_it_takes_the_place_of_a_pause_that_has_an_end_and_of_no_other(sign_in, olga):
    browser, key = sign_in(olga), circuit_breaker.get_current_key()
    models.Key.objects.update(state="PAUSED", cause="402", paused_at=Now(), operator_only=True)
    assert "Requests are already paused" in browser.post("/key/pause/", {"reason": REASON}, follow=True).text
    models.Key.objects.update(cause="429", paused_until=Now() + timedelta(hours=1))
    browser.post("/key/pause/", {"reason": REASON})
    key.refresh_from_db()
    assert (key.cause, key.paused_until, key.operator_only) == ("by-operator", None, True)


# --- A database that is elsewhere than before ---


@pytest.fixture
def waiting(settings, sandbox, alice) -> models.Request:
    """A request that waits, in a database that is elsewhere than before."""
    settings.USING_SANDBOX = False
    factories.submit(alice)
    factories.send_once()
    models.Database.objects.update(place="elsewhere")
    portal_request = factories.submit(alice)
    assert factories.claim_next() is None
    return portal_request


def test_everybody_reads_what_changed_and_operators_are_asked_what_happened(waiting, alice, olga, sign_in):
    page = sign_in(olga).get("/key/").text
    assert "It is in another place than before" in page
    assert 'action="/key/database/"' in page
    assert 'action="/key/resume/"' not in page
    browser = sign_in(alice)
    page = browser.get("/key/").text
    assert "database has changed" in page
    assert 'action="/key/database/"' not in page
    assert browser.post("/key/database/", {"database": "moved"}).status_code == 403
    assert models.Key.objects.get().is_paused


@pytest.mark.parametrize(
    ("response", "words", "status"),
    [
        ("moved", "Requests are being sent from here now", "QUEUED"),
        ("put-back", "lists for 1 request before", "UNKNOWN"),
    ],
)
def test_the_response_holds_at_once_and_a_second_changes_nothing(waiting, olga, sign_in, response, words, status):
    browser = sign_in(olga)
    assert "Say whether" in browser.post("/key/database/", {"database": "perhaps"}, follow=True).text
    assert models.Key.objects.get().is_paused
    page = browser.post("/key/database/", {"database": response}, follow=True).text
    assert words in page
    assert 'action="/key/database/"' not in page
    assert "Somebody has already" in browser.post("/key/database/", {"database": "put-back"}, follow=True).text
    assert models.Request.objects.get(pk=waiting.pk).status == status


# --- Another key, and each state ---


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
    assert operator_actions.count_open_decisions() == 1

    assert "Say whether" in sign_in(olga).post(url, {"account": "perhaps"}, follow=True).text
    page = sign_in(olga).post(url, {"account": answer}, follow=True).text
    assert "Noted." in page
    assert url not in page
    assert "Somebody has already confirmed" in sign_in(olga).post(url, {"account": answer}, follow=True).text
    assert models.Account.objects.count() == (1 if answer == "same" else 2)
    assert waiting.account == accounts.get_current_account() or answer == "other"


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
