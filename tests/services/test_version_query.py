"""What the page of a request depends on: the same while nothing happens, another with each thing that is shown."""

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts
from portal.services.reports import version_query
from portal.services.requests import submissions
from tests import factories

pytestmark = pytest.mark.django_db


def read(portal_request: models.Request) -> version_query.RequestVersion:
    found = version_query.read_request_version(number=portal_request.pk)
    assert found
    return found


@pytest.fixture
def waiting(alice) -> models.Request:
    return factories.submit(alice)


def test_it_tells_whose_the_request_is_and_the_state_of_the_key(waiting, alice):
    found = read(waiting)
    assert (found.requester_id, found.was_claimed) == (alice.pk, False)
    key = models.Key.objects.get()
    assert (found.key, found.key.state, found.key.paused_at) == (key, "ACTIVE", None)
    models.Key.objects.update(state="PAUSED", cause="402", paused_at=Now())
    key.refresh_from_db()
    assert (read(waiting).key.state, read(waiting).key.paused_at) == ("PAUSED", key.paused_at)


@pytest.mark.parametrize("number", [404, 2**63 - 1, 2**63, 10**20])
def test_of_a_request_that_there_is_not_it_tells_nothing(waiting, number):
    assert version_query.read_request_version(number=number) is None


def test_it_stays_while_nothing_happens_and_changes_with_the_request(waiting):
    before = read(waiting).facts
    assert read(waiting).facts == before
    factories.claim()
    claimed = read(waiting)
    assert claimed.was_claimed
    assert claimed.facts != before
    assert read(waiting).facts == claimed.facts


def test_a_waiting_one_changes_with_the_queue_and_no_other(waiting, bob):
    before = read(waiting).facts
    other = factories.submit(bob)
    longer = read(waiting).facts
    assert longer != before
    factories.claim()
    waiting.refresh_from_db()
    assert waiting.status == "SENDING"
    claimed = read(waiting).facts
    submissions.cancel_request(actor=bob, portal_request=other)
    assert read(waiting).facts == claimed


def test_of_a_request_of_another_account_it_tells_the_present_key(waiting):
    models.Account.objects.update(retired_at=Now())
    present = accounts.get_current_account()
    assert present != waiting.account
    models.Key.objects.filter(account=present).update(state="PAUSED", cause="402", paused_at=Now())
    assert (read(waiting).key.account_id, read(waiting).key.state) == (present.pk, "PAUSED")


def test_of_two_accounts_in_use_it_tells_the_key_of_the_one_that_this_process_serves(waiting):
    other = models.Account.objects.create(base_url="https://other.example/v1")
    models.Key.objects.create(account=other)
    assert accounts.get_current_account() == waiting.account
    assert read(waiting).key == waiting.account.key
    models.Account.objects.filter(pk=waiting.account_id).update(base_url="https://third.example/v1")
    factories.update(other, base_url=waiting.account.base_url)
    models.Credential.objects.all().delete()
    assert accounts.get_current_account() == other
    assert read(waiting).key == other.key
