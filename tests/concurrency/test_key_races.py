"""Many workers with a new key, and many operators who answer, at the same moment."""

from datetime import timedelta
from functools import partial

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker, credentials
from portal.services.requests import dispatch
from tests import factories
from tests.concurrency import crowd

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(sandbox, settings, alice) -> models.Credential:
    """A request waits, the workers of before are gone, and six with another key come."""
    settings.USING_SANDBOX = False
    factories.submit(alice)
    factories.present_key()
    models.Credential.objects.update(seen_at=Now() - timedelta(minutes=1))
    settings.AGENTSTATION_API_KEY = "another key"
    assert crowd.run_together(*[factories.present_key] * 6) == [None] * 6
    return models.Credential.objects.asked().get()


def test_many_workers_with_a_new_key_ask_once_and_pause_once(asked):
    assert models.Event.objects.filter(verb="ask-account").count() == 1
    assert models.Event.objects.filter(verb="pause").count() == 1
    assert accounts.get_current_account().key.asks_for_account


@pytest.mark.parametrize("responses", [(True, False), (False, True), (True, True), (False, False)])
def test_of_many_operators_one_answers_and_nothing_is_sent_for_a_left_account(asked, olga, responses):
    steps = [partial(credentials.confirm_key, actor=olga, credential=asked, is_same_account=a) for a in responses * 3]
    claim = partial(factories.claim_next, worker="w")

    *results, call = crowd.run_together(*steps, claim)

    assert sum(result is None for result in results) == 1
    assert sum(isinstance(result, circuit_breaker.PauseRefused) for result in results) == len(steps) - 1
    in_use = models.Account.objects.get(retired_at=None)
    assert models.Event.objects.filter(verb="confirm-key").count() == 1
    assert accounts.is_key_accepted(account=in_use)
    if call is not None:
        assert isinstance(call, dispatch.Call), f"the claim failed: {call!r}"
        assert models.Request.objects.get(attempts=call.attempt_id).account == in_use
