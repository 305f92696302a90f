"""Rare orders of events in which nothing may be bought twice, nor given to somebody else."""

from datetime import timedelta

import pytest

from portal import models
from portal.services import accounts, dispatch, matching, restore
from portal.worker import process
from tests import factories
from tests.services.test_reconcile import (
    _scan_in_every_round,
    ask,
    entry,
    held,
    pass_time,
    recovering,
    scan,
    script_list,
    statuses,
)

__all__ = ["_scan_in_every_round", "held", "recovering"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


# --- Restores ---


def test_what_was_under_way_in_the_backup_is_given_to_nobody_without_an_operator(sandbox, alice, bob, held):
    """Its answer came after the backup, and its requester may have used it since."""
    unknown = ask(sandbox, alice, "reset")
    under_way = factories.submit(bob)
    result = dispatch.send_call(call=factories.claim(), client=process.make_client())
    assert result.workstation is not None
    pass_time(50)
    factories.submit(bob, type="max")
    factories.claim()

    restore.restore_requests()
    scan(held)

    assert statuses(unknown, under_way) == ["UNKNOWN", "UNKNOWN"]
    assert (unknown.operator_note, under_way.operator_note) == (matching.CONFIRM, matching.CONFIRM)


def test_what_a_scan_listed_before_the_restore_may_be_what_was_lost(sandbox, alice, held):
    portal_request = factories.submit(alice)
    process.make_client().request_workstation(type="python")
    scan(held)
    restore.restore_requests()
    scan(held)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], matching.CONFIRM)


def test_what_began_just_after_the_restore_may_be_of_a_call_that_was_lost(sandbox, alice, held):
    portal_request = factories.submit(alice)
    restore.restore_requests()
    started_at = models.Restore.objects.get().restored_at + timedelta(seconds=45)
    script_list(sandbox, entry("W1", workspace="S1", startedAt=started_at.isoformat()))
    scan(held)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], matching.CONFIRM)


# --- Database ---


def test_nothing_is_reconciled_before_an_operator_says_what_became_of_the_database(sandbox, settings, alice, held):
    portal_request = ask(sandbox, alice, "reset-made")
    settings.USING_SANDBOX = False
    models.Database.objects.update(place="elsewhere")
    scan(held)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert models.Key.objects.get().cause == models.DATABASE_MOVED


# --- Sharing ---


def test_a_stranger_is_not_explained_by_an_attempt_of_long_ago(sandbox, alice, held):
    portal_request = ask(sandbox, alice, "reset-made")
    scan(held)
    assert statuses(portal_request) == ["SUCCEEDED"]
    pass_time(24 * 3600)
    script_list(sandbox, entry("X1", workspace="S-x"))
    scan(held)
    assert accounts.get_current_account().shared_at is not None
