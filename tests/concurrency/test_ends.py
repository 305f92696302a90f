"""Somebody presses in the moment in which the portal releases: kept or released, and never one after the other said."""

from datetime import timedelta
from functools import partial

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.audit import verify
from portal.services.lives import carrying_out, ends
from portal.services.mirrors import releases
from portal.services.runtime import leases
from tests import factories
from tests.concurrency import crowd

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5


def look(lease: leases.Lease) -> None:
    lease.run(carrying_out.carry_out_ends, watched=factories.make_steady(lease))


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_press_and_the_portal_s_release_have_one_outcome(sandbox, alice, is_asked):
    lease = factories.acquire_lease(name="ends")
    for _ in range(ROUNDS):
        workstation = factories.create_workstation(alice, lifetime="2h")
        models.Workstation.objects.update(ends_at=Now(), end_set_at=Now() - timedelta(hours=2), end_warnings=2)
        if is_asked:
            look(lease)
        press = partial(ends.extend_life, actor=alice, workstation=workstation)
        *pressed, _, claimed = crowd.run_together(press, press, partial(look, lease), releases.claim_release)
        workstation.refresh_from_db()
        kept = [error is None for error in pressed]
        assert all(isinstance(error, ends.NotChanged | None) for error in pressed), pressed
        if isinstance(claimed, releases.Release):
            assert (kept, workstation.release_tries) == ([False, False], 1)
        else:
            assert claimed is None, claimed
            assert kept == [True, True]
            assert (workstation.release_requested_at, workstation.release_tries) == (None, 0)
        factories.end_workstations()
    assert not verify.verify_log().findings
