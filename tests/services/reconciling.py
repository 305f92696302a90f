"""Unknown requests, what the provider's lists show of them, and rounds of the job that reconciles."""

from datetime import UTC, datetime
from typing import Any

from portal import models
from portal.services.key import accounts
from portal.services.requests import dispatch
from portal.services.runtime import leases
from tests import factories

ACTIVE, HISTORY = "GET /workstations", "GET /workstations/history"
GRACE = 60  # seconds
UNTIL_SURE = 131  # seconds: the margins and the call of the settings below (5 + 5 + 60), and the grace (60)


def ask(sandbox, requester: models.User, name: str = "", **values: Any) -> models.Request:
    """Submit, and send once; `name` is what the POST meets when no workspace is named."""
    if name:
        sandbox.script({"name": name})
    return factories.submit_and_send(requester, **values)


def make_unknown(sandbox, requester: models.User, **values: Any) -> models.Request:
    portal_request = ask(sandbox, requester, "reset", **values)
    assert portal_request.status == "UNKNOWN"
    return portal_request


def make_orphan(uid: str = "W1", **values: object) -> models.Workstation:
    account = accounts.get_current_account()
    workspace = models.Workspace.objects.create(account=account, uid=f"S-{uid}")
    return models.Workstation.objects.create(account=account, uid=uid, type="python", workspace=workspace, **values)


def statuses(*portal_requests: models.Request) -> list[str]:
    for portal_request in portal_requests:
        portal_request.refresh_from_db()
    return [portal_request.status for portal_request in portal_requests]


def made(sandbox) -> list[str]:
    return [workstation["uid"] for workstation in sandbox.record()["workstations"]]


def scan(lease: leases.Lease, *, after: float = 0, times: int = 1) -> models.Scan:
    """Rounds of the job after so many seconds, each a second later than all before. Returns the last one's scan."""
    for seconds in (after + 1, *[1] * (times - 1)):
        factories.pass_time(seconds)
        factories.reconcile_once(lease)
    return models.Scan.objects.latest("id")


def make_witness(requester: models.User) -> models.Workstation:
    """One of ours that was made after all that has been sent so far."""
    return factories.create_workstation(requester, type="max")


def deny(lease: leases.Lease, *, witness_of: models.User | None = None) -> models.Scan:
    """Two scans after the time from which they prove something, and one more a grace later, which is returned."""
    if witness_of:
        make_witness(witness_of)
    scan(lease, after=UNTIL_SURE, times=2)
    return scan(lease, after=GRACE)


def entry(uid: str, *, type: str = "python", workspace: str | None = None, **values: object) -> dict[str, object]:
    space = {"id": workspace, "status": "active"} if workspace else None
    started = {"startedAt": datetime.now(UTC).isoformat()}
    return {"id": uid, "type": type, "status": "active", "workspace": space, **started, **values}


def script_list(
    sandbox, *entries: dict[str, object], on: str = ACTIVE, times: int = 1, cursor: str | None = None
) -> None:
    sandbox.script({"on": on, "status": 200, "body": {"data": list(entries), "next_cursor": cursor}, "times": times})


def send_late(
    sandbox, requester, recovering, name: str = "", **values
) -> tuple[models.Request, dispatch.Call, dispatch.Result]:
    """A call whose answer has come, and whose deadline passed before it could be recorded."""
    portal_request = factories.submit(requester, **values)
    if name:
        sandbox.script({"name": name})
    call = factories.claim()
    result = factories.send(call)
    factories.make_overdue(call)
    factories.expire_overdue(lease=recovering)
    assert statuses(portal_request) == ["UNKNOWN"]
    return portal_request, call, result


def take_as_not_created(sandbox, requester, lease) -> None:
    """Lists that lag: they show what was made later, and not yet what the unknown attempt made."""
    witness = make_witness(requester)
    script_list(sandbox, entry(witness.uid, type="max", workspace=factories.get_workspace(witness).uid), times=3)
    deny(lease)
