"""An operator pauses sending, says why, and it lasts until one resumes it."""

from datetime import timedelta

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.key import circuit_breaker
from tests import factories
from tests.browser import read

pytestmark = pytest.mark.django_db

REASON = "AgentStation upgrades tonight."


def test_an_operator_pauses_sending_with_a_reason_that_everybody_sees(sign_in, alice, bob, olga):
    waiting = factories.submit(alice)
    assert "Pause sending…" in read(sign_in(olga).get("/key/"))
    assert "Pause sending…" not in read(sign_in(alice).get("/key/"))
    page = read(sign_in(olga).post("/key/pause/", {"reason": REASON}, follow=True))
    assert "You have paused sending." in page
    assert "Pause sending…" not in page
    assert factories.claim_next() is None
    event = models.Event.objects.get(verb="pause")
    assert (event.actor_name, event.reason, event.detail["cause"]) == ("olga", REASON, "by-operator")
    assert f"An operator paused sending (<bdi>olga</bdi>: <bdi>{REASON}</bdi>)" in read(sign_in(bob).get("/key/"))
    page = read(sign_in(alice).get(f"/requests/{waiting.pk}/"))
    assert "Paused for the whole team: an operator paused sending" in page
    assert "waits until olga resumes sending." in page

    sign_in(olga).post("/key/resume/")
    assert factories.claim_next() is not None


@pytest.mark.parametrize("reason", ["", " ", "x" * 501])
def test_without_a_reason_nothing_is_paused(sign_in, olga, reason):
    response = sign_in(olga).post("/key/pause/", {"reason": reason})
    assert response.context["reason_form"].errors
    assert "Sending is not paused yet" in response.text
    assert not circuit_breaker.get_current_key().is_paused


def test_it_takes_the_place_of_a_pause_that_has_an_end_and_of_no_other(sign_in, olga):
    browser, key = sign_in(olga), circuit_breaker.get_current_key()
    models.Key.objects.update(state="PAUSED", cause="402", paused_at=Now(), operator_only=True)
    assert "Requests are already paused" in browser.post("/key/pause/", {"reason": REASON}, follow=True).text
    models.Key.objects.update(cause="429", paused_until=Now() + timedelta(hours=1))
    browser.post("/key/pause/", {"reason": REASON})
    key.refresh_from_db()
    assert (key.cause, key.paused_until, key.operator_only) == ("by-operator", None, True)
