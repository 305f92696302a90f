"""Rows of every model that the audit log shows, made directly: what matters here is how they look."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db.models import Model
from django.utils import timezone

from portal import models
from portal.services.search import finding
from tests.signing import write_event

NASTY = "<script>alert(1)</script>"
NOW = timezone.now().replace(microsecond=0)


def create_account() -> models.Account:
    account, _ = models.Account.objects.get_or_create(base_url="https://provider.example/v1")
    models.Key.objects.get_or_create(account=account)
    return account


def create_request(requester: models.User, **values: Any) -> models.Request:
    status = values.get("status", "SUCCEEDED")
    ended_at = values.get("ended_at", NOW if status in ("SUCCEEDED", "FAILED", "CANCELLED") else None)
    defaults = {
        "account": values.get("account") or create_account(),
        "submission": uuid4(),
        "type": "python",
        "status": status,
        "was_unknown": status == "UNKNOWN",
        "ended_at": ended_at,
        "took": (ended_at - values.get("created_at", ended_at)).total_seconds() if ended_at else None,
    }
    portal_request = models.Request.objects.create(requester=requester, **defaults | values)
    finding.save_text(number=portal_request.pk, rows=[portal_request])
    return portal_request


def create_attempt(portal_request: models.Request, **values: object) -> models.Attempt:
    defaults = {
        "number": portal_request.attempts.count() + 1,
        "worker": "machine:1",
        "claimed_at": NOW,
        "deadline_at": NOW + timedelta(minutes=2),
        "ended_at": NOW + timedelta(seconds=1.5),
        "outcome": "FAILED",
        "failure": "402",
        "http_status": 402,
        "error": "Payment required",
        "message": "credits are used up",
        "response": b'{"error": "Payment required"}',
    }
    attempt = models.Attempt.objects.create(request=portal_request, **defaults | values)
    finding.save_text(number=portal_request.pk, rows=[attempt])
    return attempt


def create_late_response(attempt: models.Attempt, **values: object) -> models.LateResponse:
    defaults = {"outcome": "SUCCEEDED", "http_status": 200, "response": b'{"id": "late"}'}
    late = models.LateResponse.objects.create(attempt=attempt, **defaults | values)
    finding.save_text(number=attempt.request_id, rows=[late])
    return late


def create_workspace(owner: models.User | None, **values: object) -> models.Workspace:
    account = values.get("account") or create_account()
    defaults = {"account": account, "uid": f"space-{uuid4().hex[:8]}", "status": "active"}
    return models.Workspace.objects.create(owner=owner, **defaults | values)


def create_workstation(portal_request: models.Request | None, **values: object) -> models.Workstation:
    account = values.get("account") or create_account()
    defaults = {"account": account, "uid": f"station-{uuid4().hex[:8]}", "type": "python", "status": "active"}
    workstation = models.Workstation.objects.create(request=portal_request, **defaults | values)
    if portal_request is not None:
        finding.save_text(number=portal_request.pk, rows=[workstation])
    return workstation


def create_file(workspace: models.Workspace, **values: object) -> models.File:
    defaults = {"uid": uuid4().hex, "name": "notes.txt", "url": "https://files.example/notes.txt", "size": 12}
    return models.File.objects.create(workspace=workspace, **defaults | values)


def create_log(workspace: models.Workspace, **values: object) -> models.Log:
    defaults = {"uid": uuid4().hex, "type": "boot", "level": "info", "url": "https://files.example/boot.log"}
    return models.Log.objects.create(workspace=workspace, **defaults | values)


def create_event(actor: models.User | None, **values: object) -> models.Event:
    defaults = {
        "actor_id": actor.pk if actor else None,
        "actor_name": actor.username if actor else "",
        "verb": "submit",
        "target": "request R-1",
    }
    return write_event(**defaults | values)


def create_all(requester: models.User) -> dict[str, Model]:
    """One row of each model that belongs together, by the model's name."""
    workspace = create_workspace(requester)
    portal_request = create_request(requester, workspace_uid=workspace.uid, note="for the demo")
    attempt = create_attempt(portal_request)
    workstation = create_workstation(portal_request, workspace=workspace)
    return {
        "account": portal_request.account,
        "key": portal_request.account.key,
        "request": portal_request,
        "attempt": attempt,
        "lateresponse": create_late_response(attempt),
        "workstation": workstation,
        "connection": models.Connection.objects.create(workstation=workstation, person=requester, kind="desktop"),
        "share": models.Share.objects.create(workstation=workstation, person=requester, level="look"),
        "workspace": workspace,
        "file": create_file(workspace),
        "log": create_log(workspace),
        "event": create_event(requester, request_number=portal_request.pk, target=f"request {portal_request.label}"),
        **create_rest(portal_request.account),
    }


def create_rest(account: models.Account) -> dict[str, Model]:
    return {
        "credential": models.Credential.objects.create(account=account, fingerprint=uuid4().hex[:16], accepted_at=NOW),
        "scan": models.Scan.objects.create(account=account, begun_at=NOW, ended_at=NOW, is_complete=True),
        "notice": models.Notice.objects.get_or_create(kind='workstation has a field "color"')[0],
        "workstationtype": models.WorkstationType.objects.create(account=account, name=f"type-{uuid4().hex}"),
        "seal": create_seal(),
        "database": models.Database.objects.get_or_create(pk=1, defaults={"identity": "d" * 32, "place": "file 7"})[0],
        "restore": models.Restore.objects.create(account=account, lost_since=NOW, lost_since_tick=1, restored_tick=2),
        "lostresponse": models.LostResponse.objects.create(
            account=account, attempt_number=9, token=uuid4().hex, outcome="SUCCEEDED", response=b'{"id": "lost"}'
        ),
        "tombstone": models.Tombstone.objects.create(
            kind="REQUESTS", first_id=1, last_id=2, ids=[1, 2], counts={"request": 2, "attempt": 1000}
        ),
    }


def create_seal() -> models.Seal:
    newest = models.Event.objects.latest("id").pk
    return models.Seal.objects.create(
        number=models.Seal.objects.count() + 1,
        made_at=NOW,
        first_id=newest,
        last_id=newest,
        count=1,
        ids=[[1, 9]],
        signatures="0" * 64,
        digest="d" * 64,
    )
