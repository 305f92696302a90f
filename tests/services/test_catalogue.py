"""Each row of the failure catalogue, from the form's values to the stored outcome, over real HTTP to the sandbox."""

import pytest

from portal import agentstation, failures, models
from portal.services.key import accounts
from tests import factories
from tests.services.reconciling import statuses

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = [
    # name, status, failure, attempts, key held
    ("fail-400", "FAILED", "400", 1, ""),
    ("fail-401", "FAILED", "401", 1, "401"),
    ("fail-402", "FAILED", "402", 1, "402"),
    ("fail-422", "FAILED", "422", 1, ""),
    ("fail-500", "UNKNOWN", "500", 1, ""),
    ("fail-502", "UNKNOWN", "no-answer", 1, ""),
    ("fail-503", "FAILED", "503", 4, "503"),
    ("fail-503-html", "UNKNOWN", "no-answer", 1, ""),
    ("fail-418", "FAILED", "other", 1, ""),
    ("hang", "UNKNOWN", "no-answer", 1, ""),
    ("reset", "UNKNOWN", "no-answer", 1, ""),
    ("truncate", "UNKNOWN", "no-answer", 1, ""),
    ("garbage", "UNKNOWN", "unreadable", 1, ""),
    ("drip", "UNKNOWN", "no-answer", 1, ""),
]


@pytest.mark.parametrize(("name", "status", "failure", "attempts", "cause"), ROWS)
def test_outcomes_are_as_the_catalogue_says(sandbox, settings, alice, name, status, failure, attempts, cause):
    settings.AGENTSTATION_TOTAL_TIMEOUT = 0.5
    sandbox.script({"name": name, "times": attempts})
    portal_request = factories.submit_and_settle(alice)

    assert (portal_request.status, portal_request.failure) == (status, failure)
    stored = list(portal_request.attempts.all())
    assert [attempt.failure for attempt in stored] == [failure] * attempts
    assert models.Key.objects.get().cause == cause
    assert len(sandbox.record()["posts"]) == attempts
    if failure.isdigit():
        assert {attempt.http_status for attempt in stored} == {int(failure)}
        assert all(attempt.error and attempt.message for attempt in stored)
        assert all(attempt.message.encode() in factories.read_response(attempt) for attempt in stored)


@pytest.mark.parametrize("uid", ["slow-0", "unknown-status", "new-fields"])
def test_what_succeeds_oddly_succeeds(sandbox, alice, uid):
    portal_request = factories.submit_and_settle(alice, workspace_uid=uid)

    assert portal_request.status == "SUCCEEDED"
    assert factories.get_workspace(portal_request.workstation).uid == uid


@pytest.mark.parametrize("status", [301, 303, 307, 409])
def test_a_response_that_leaves_open_what_was_done_is_unknown(sandbox, alice, status):
    sandbox.script({"status": status, "body": {}})
    portal_request = factories.submit_and_send(alice)
    assert (statuses(portal_request), portal_request.failure) == (["UNKNOWN"], "no-answer")


def test_what_is_tried_until_it_works_uses_up_no_tries_of_another_failure(sandbox, alice):
    sandbox.script([{"name": "fail-429", "times": 4}, {"name": "fail-503"}])

    portal_request = factories.submit_and_settle(alice)

    assert portal_request.status == "SUCCEEDED"
    assert [attempt.failure for attempt in portal_request.attempts.order_by("number")] == ["429"] * 4 + ["503", ""]


def test_where_nothing_can_be_reached_nothing_was_sent_and_it_is_tried_again(sandbox, settings, alice):
    address = sandbox.base_url
    settings.AGENTSTATION_BASE_URL = "http://127.0.0.1:9/v1"
    portal_request = factories.submit_and_send(alice)

    assert statuses(portal_request) == ["QUEUED"]
    assert portal_request.attempts.get().failure == "no-connection"

    settings.AGENTSTATION_BASE_URL = address
    account = models.Account.objects.get()
    models.Credential.objects.update(fingerprint=accounts.fingerprint_key(account=account))
    assert factories.send_until_settled(portal_request).status == "SUCCEEDED"


def test_every_row_has_words_for_the_person():
    for failure in failures.CATALOGUE.values():
        assert failure.title
        assert failure.cause.endswith(".")
        assert failure.steps
        assert failure.again.endswith(".")
        assert failure.actor.words


def test_every_error_of_the_client_that_ends_an_attempt_is_in_the_catalogue():
    unclassified = {agentstation.AgentStationError, agentstation.SendTooLate}
    classes = {
        value
        for value in vars(agentstation.errors).values()
        if isinstance(value, type) and issubclass(value, agentstation.AgentStationError)
    }
    for error in classes - unclassified:
        assert failures.classify_error(error("x")).code
    with pytest.raises(LookupError):
        failures.classify_error(agentstation.SendTooLate("x"))
