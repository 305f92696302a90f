"""Writes what the provider answered into its mirrors: the same thing twice is an update."""

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from portal import agentstation, models
from portal.services import storable

_UID_LENGTH = 200


def has_storable_uid(*, workstation: agentstation.Workstation) -> bool:
    """Whether the workstation can be kept under its name; the contract's have 12 characters."""
    return _is_storable(workstation.uid)


def store_workstation(
    *, account: models.Account, workstation: agentstation.Workstation, portal_request: models.Request | None = None
) -> models.Workstation:
    """Insert or update a workstation with its workspace, files and logs, in the caller's transaction.

    The request, where given, becomes its owner, and its requester the owner of a workspace that is new here.
    """
    owner = portal_request.requester if portal_request else None
    workspace = _store_workspace(account=account, workspace=workstation.workspace, owner=owner)
    values: dict[str, Any] = {
        "type": storable.escape_text(workstation.type),
        "status": storable.escape_text(workstation.status),
        "created_at": storable.fit_time(workstation.started_at),
        "raw": _dump(workstation.raw),
        "refreshed_at": Now(),
        "refresh_due_at": Now() + timedelta(seconds=settings.PORTAL_REFRESH_INTERVAL),
    }
    if workspace is not None:
        values["workspace"] = workspace
    if portal_request is not None:
        values["request"] = portal_request
    stored, _ = models.Workstation.objects.update_or_create(account=account, uid=workstation.uid, defaults=values)
    if stored.is_live and workstation.status in models.Workstation.ENDED_STATUSES:
        end_workstation(stored=stored)
    return stored


def end_workstation(*, stored: models.Workstation) -> None:
    """Note that the workstation has ended."""
    stored.ended_at = Now()
    stored.save(update_fields=["ended_at"])


def _store_workspace(
    *, account: models.Account, workspace: agentstation.Workspace | None, owner: models.User | None
) -> models.Workspace | None:
    if workspace is None or not _is_storable(workspace.uid):
        return None
    values = {
        "status": storable.escape_text(workspace.status),
        "created_at": storable.fit_time(workspace.created_at),
        "raw": _dump({key: value for key, value in workspace.raw.items() if key not in ("files", "logs")}),
    }
    stored, _ = models.Workspace.objects.update_or_create(account=account, uid=workspace.uid, defaults=values)
    if stored.owner is None and owner is not None:
        stored.owner = owner
        stored.save(update_fields=["owner"])
    _store_files(stored=stored, files=workspace.files)
    _store_logs(stored=stored, logs=workspace.logs)
    return stored


def _store_files(*, stored: models.Workspace, files: Iterable[agentstation.File]) -> None:
    rows = {
        file.uid: models.File(
            workspace=stored,
            uid=file.uid,
            name=storable.escape_text(file.name),
            url=storable.escape_text(file.url),
            size=storable.fit_number(file.size),
            created_at=storable.fit_time(file.created_at),
            raw=_dump(file.raw),
        )
        for file in files
        if _is_storable(file.uid)
    }
    models.File.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["workspace", "uid"],
        update_fields=["name", "url", "size", "created_at", "raw"],
    )


def _store_logs(*, stored: models.Workspace, logs: Iterable[agentstation.Log]) -> None:
    rows = {
        log.uid: models.Log(
            workspace=stored,
            uid=log.uid,
            type=storable.escape_text(log.type),
            level=storable.escape_text(log.level),
            url=storable.escape_text(log.url),
            created_at=storable.fit_time(log.created_at),
            raw=_dump(log.raw),
        )
        for log in logs
        if _is_storable(log.uid)
    }
    models.Log.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["workspace", "uid"],
        update_fields=["type", "level", "url", "created_at", "raw"],
    )


def _is_storable(uid: str) -> bool:
    return 0 < len(uid) <= _UID_LENGTH and uid == storable.escape_text(uid)


def _dump(raw: Mapping[str, object]) -> str:
    """The provider's JSON, with all but ASCII escaped, which no database refuses."""
    return json.dumps(raw, ensure_ascii=True, default=str)
