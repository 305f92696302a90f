"""Rare orders of events in which nothing may be bought twice, nor given to somebody else."""

import pytest

from portal.services import accounts
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


# --- Sharing ---


def test_a_stranger_is_not_explained_by_an_attempt_of_long_ago(sandbox, alice, held):
    portal_request = ask(sandbox, alice, "reset-made")
    scan(held)
    assert statuses(portal_request) == ["SUCCEEDED"]
    pass_time(24 * 3600)
    script_list(sandbox, entry("X1", workspace="S-x"))
    scan(held)
    assert accounts.get_current_account().shared_at is not None
