"""Walks through lists, and workstations that they should show."""

from datetime import timedelta

from django.db.models import F

from portal import agentstation, models
from portal.models.clock import Now
from portal.services.key import accounts
from portal.services.reconciliation import scans
from portal.services.runtime import clients, leases
from tests import factories


def advance(lease: leases.Lease, client: agentstation.Client | None = None) -> models.Scan:
    return lease.run(scans.advance_scan, account=accounts.get_current_account(), client=client or clients.make_client())


def scan(lease: leases.Lease, client: agentstation.Client | None = None) -> models.Scan:
    while not (done := advance(lease, client)).is_over:
        pass
    return models.Scan.objects.get(pk=done.pk)


def entry(uid: str, *, status: str = "active", workspace: str | None = "S1", **more: object) -> dict[str, object]:
    space = {"id": workspace, "status": "active"} if workspace else None
    return {"id": uid, "type": "python", "status": status, "workspace": space, **more}


def own(requester: models.User, *uids: str, minutes: float = 60.0) -> None:
    """Live workstations of succeeded requests, there for so long."""
    account = accounts.get_current_account()
    for uid in uids:
        portal_request = factories.submit(requester)
        factories.update(portal_request, status="SUCCEEDED", ended_at=Now(), took=1)
        models.Workstation.objects.create(
            account=account, uid=uid, request=portal_request, first_seen_at=Now() - timedelta(minutes=minutes)
        )


def make_older(**values: float) -> None:
    """Move all that scans and reads have noted into the past."""
    ago = timedelta(**values)
    models.Scan.objects.update(begun_at=F("begun_at") - ago, ended_at=F("ended_at") - ago)
    models.Workstation.objects.exclude(missing_since=None).update(missing_since=F("missing_since") - ago)
