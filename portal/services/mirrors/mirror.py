"""Writes what the provider answered into its mirrors: the same thing twice is an update."""

from collections.abc import Container, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Model

from portal import agentstation, models
from portal.models.clock import Now
from portal.services.mirrors import contract_drift, sanitize
from portal.services.search import finding

_CONTESTED = "responses to several people have the same workspace, which none of them named"


def store_workstation(*, stored: models.Workstation, workstation: agentstation.Workstation) -> None:
    """Update a locked workstation with its workspace, files and logs, in the caller's transaction.

    What differs from the contract becomes a notice.
    """
    contract_drift.note_deviations(deviations=workstation.deviations, request_number=stored.request_id)
    workspace = _store_workspace(account=stored.account, workspace=workstation.workspace)
    _store(account=stored.account, workstation=workstation, workspace=workspace, known=stored)
    if stored.request_id is not None:
        finding.save_text(number=stored.request_id, rows=[stored])


def store_response(
    *, account: models.Account, workstation: agentstation.Workstation, portal_request: models.Request | None
) -> models.Workstation:
    """Insert or update what the response to a POST names, of a request or of none, in the caller's transaction.

    A workstation that another request owns stays as it is, and so do the contents of somebody else's workspace.
    """
    number, requester_id = (portal_request.pk, portal_request.requester_id) if portal_request else (None, None)
    known = _lock_known(account=account, uid=workstation.uid)
    if known is not None and known.request_id not in (None, number):
        return known
    entry = workstation.workspace
    workspace = models.Workspace.objects.filter(account=account, uid=entry.uid).first() if entry else None
    if workspace is None or workspace.owner_id in (None, requester_id):
        workspace = _store_workspace(account=account, workspace=entry)
    return _store(account=account, workstation=workstation, workspace=workspace, known=known)


def adopt_response(*, attempt: models.Attempt, workstation: agentstation.Workstation) -> list[Model]:
    """Store a response whose workstation no other request owns: it becomes the request's. Returns what changed.

    Under the key's lock, yet a scan may insert the same at this moment: IntegrityError, and the caller begins again.
    """
    portal_request, entry = attempt.request, workstation.workspace
    account, known, workspace, fresh = portal_request.account, None, None, list[Model]()
    if attempt.stored_workstation is not None:
        known = _lock_known(account=account, uid=workstation.uid)
    if entry is not None and sanitize.is_storable(uid=entry.uid):
        if attempt.stored_workspace is not None:
            workspace = models.Workspace.objects.filter(pk=attempt.stored_workspace).first()
        if workspace is None:
            values = {"owner": portal_request.requester, "name": portal_request.workspace_name}
            values |= _describe_workspace(entry)
            workspace = models.Workspace.objects.create(account=account, uid=entry.uid, **values)
            _store_contents(stored=workspace, workspace=entry)
            fresh.append(workspace)
        elif workspace.owner_id in (None, portal_request.requester_id):
            workspace.change(**_describe_workspace(entry))
            _store_contents(stored=workspace, workspace=entry)
        elif not (portal_request.workspace_uid or workspace.is_contested):
            workspace.change(owner=None, is_contested=True)
            oddity = agentstation.Deviation(kind=_CONTESTED, example={"workspace": workspace.uid})
            contract_drift.note_deviations(deviations=[oddity], request_number=portal_request.pk)
            fresh.append(workspace)
    owned = _own(portal_request)
    stored = _store(account=account, workstation=workstation, workspace=workspace, known=known, **owned)
    return [*assign_workstation(stored=stored, portal_request=portal_request), *fresh]


def is_known(*, stored: models.Workstation, workstation: agentstation.Workstation) -> bool:
    """Whether the provider described just the same, files and logs too, when this was last stored."""
    return stored.raw == sanitize.write_json(raw=workstation.raw)


def is_same(*, stored: models.Workstation, entry: agentstation.Workstation) -> bool | None:
    """Whether an entry with its ID is the same workstation, by when it began: False of another, None where in doubt.

    In the same workspace a start counts as another's past half a grace: it may be corrected while it comes up.
    """
    if stored.created_at is None or entry.started_at is None:
        return None
    apart, slack = abs(stored.created_at - entry.started_at), timedelta(seconds=settings.PORTAL_RECONCILE_GRACE) / 2
    if apart <= timedelta(seconds=1):
        return True
    is_elsewhere = len({space.uid for space in (stored.workspace, entry.workspace) if space}) > 1
    return False if is_elsewhere or apart > slack else None


def _store(
    *,
    account: models.Account,
    workstation: agentstation.Workstation,
    workspace: models.Workspace | None,
    known: models.Workstation | None,
    **owned: Any,
) -> models.Workstation:
    values: dict[str, Any] = {
        **_describe_workstation(workstation),
        **owned,
        "raw": sanitize.write_json(raw=workstation.raw),
        "refreshed_at": Now(),
        "refresh_due_at": Now() + timedelta(seconds=settings.PORTAL_REFRESH_INTERVAL),
    }
    if workspace is not None:
        values["workspace"] = workspace
    if known is None:
        stored = models.Workstation.objects.create(account=account, uid=workstation.uid, **values)
    else:
        stored = known
        stored.change(**values)
    if stored.is_live and workstation.status in models.Workstation.ENDED_STATUSES:
        end_workstation(stored=stored)
    return stored


def _lock_known(*, account: models.Account, uid: str) -> models.Workstation | None:
    return models.Workstation.objects.select_for_update().filter(account=account, uid=uid).first()


def store_listed(
    *, account: models.Account, entries: Mapping[str, agentstation.Workstation], are_over: bool, foreign: Container[str]
) -> None:
    """Insert workstations that a list showed and that are new here, by the names that they are kept under.

    Nobody's yet, they have no files and logs; those come when they are refreshed.
    """
    shown = (entry.workspace for entry in entries.values() if entry.workspace)
    spaces = {workspace.uid: workspace for workspace in shown if sanitize.is_storable(uid=workspace.uid)}
    models.Workspace.objects.bulk_create(
        [models.Workspace(account=account, uid=uid, **_describe_workspace(one)) for uid, one in spaces.items()],
        ignore_conflicts=True,
    )
    known = models.Workspace.objects.filter(account=account, uid__in=spaces)
    ids = dict(known.values_list("uid", "pk"))
    models.Workstation.objects.bulk_create(
        [
            models.Workstation(
                account=account,
                uid=uid,
                is_nameless=uid != entry.uid,
                is_foreign=uid in foreign,
                workspace_id=ids.get(entry.workspace.uid) if entry.workspace else None,
                ended_at=Now() if are_over or entry.status in models.Workstation.ENDED_STATUSES else None,
                **_describe_workstation(entry),
                # With all of it they would count as stored, and be left so.
                raw=sanitize.write_json(raw=_leave_out_contents(entry.raw)),
            )
            for uid, entry in entries.items()
        ],
        ignore_conflicts=True,  # a response may be recorded at this moment, without waiting for the scan
    )


def assign_workstation(*, stored: models.Workstation, portal_request: models.Request) -> list[Model]:
    """Make the request the workstation's owner, and its requester the owner of a workspace that has none.

    That one gets the name that the request has for it. One that was asked for is theirs even where the provider's
    response leaves it out. Returns the rows that this changed, for the event.
    """
    if stored.workspace is None and portal_request.workspace_uid:
        workspace, _ = models.Workspace.objects.get_or_create(account=stored.account, uid=portal_request.workspace_uid)
        stored.change(workspace=workspace)
    if (stored.request_id, stored.made_for_id) != (portal_request.pk, None):
        stored.change(**_own(portal_request))
    finding.save_text(number=portal_request.pk, rows=[stored])
    if stored.workspace is None or stored.workspace.owner is not None or stored.workspace.is_contested:
        return [stored]
    stored.workspace.change(owner=portal_request.requester, name=portal_request.workspace_name)
    return [stored, stored.workspace]


def _own(portal_request: models.Request) -> dict[str, Any]:
    """The columns of a workstation that becomes the request's, whose life begins now."""
    lifetime = models.read_lifetime(portal_request.lifetime or models.UNENDING)
    ends_at = Now() + lifetime if lifetime else None
    return {"request": portal_request, "made_for": None, "ends_at": ends_at, "end_set_at": Now()}


def end_workstation(*, stored: models.Workstation) -> None:
    """Note that a locked workstation has ended now, in the caller's transaction."""
    stored.change(ended_at=Now(), missing_since=None, missing_tick=None)


def _store_workspace(*, account: models.Account, workspace: agentstation.Workspace | None) -> models.Workspace | None:
    if workspace is None or not sanitize.is_storable(uid=workspace.uid):
        return None
    values = _describe_workspace(workspace)
    # Not update_or_create: its lock stops whoever commits a workstation in the workspace, whom this one may wait for.
    stored, is_new = models.Workspace.objects.get_or_create(account=account, uid=workspace.uid, defaults=values)
    if not is_new:
        stored.change(**values)
    _store_contents(stored=stored, workspace=workspace)
    return stored


def _store_contents(*, stored: models.Workspace, workspace: agentstation.Workspace) -> None:
    """Insert or update a workspace's files and logs. Of one that is described twice the last description is stored."""
    files = [
        models.File(name=file.name, size=sanitize.fit_number(file.size), **_describe_entry(stored, file))
        for file in workspace.files
    ]
    logs = [models.Log(type=log.type, level=log.level, **_describe_entry(stored, log)) for log in workspace.logs]
    _store_rows(models.File, files, columns=["name", "size"])
    _store_rows(models.Log, logs, columns=["type", "level"])


def _describe_entry(stored: models.Workspace, entry: agentstation.File | agentstation.Log) -> dict[str, Any]:
    return {
        "workspace": stored,
        "uid": entry.uid,
        "url": entry.url,
        "created_at": entry.created_at,
        "raw": sanitize.write_json(raw=entry.raw),
    }


def _store_rows[Row: (models.File, models.Log)](model: type[Row], rows: list[Row], *, columns: list[str]) -> None:
    named = {row.uid: row for row in rows if sanitize.is_storable(uid=row.uid)}
    model.objects.bulk_create(
        named.values(),
        update_conflicts=True,
        unique_fields=["workspace", "uid"],
        update_fields=[*columns, "url", "created_at", "raw"],
    )


def _describe_workstation(workstation: agentstation.Workstation) -> dict[str, Any]:
    return {"type": workstation.type, "status": workstation.status, "created_at": workstation.started_at}


def _describe_workspace(workspace: agentstation.Workspace) -> dict[str, Any]:
    return {
        "status": workspace.status,
        "created_at": workspace.created_at,
        "raw": sanitize.write_json(raw=_without_contents(workspace.raw)),
    }


def _leave_out_contents(workstation: Mapping[str, object]) -> Mapping[str, object]:
    workspace = workstation.get("workspace")
    return {**workstation, "workspace": _without_contents(workspace)} if isinstance(workspace, dict) else workstation


def _without_contents(workspace: Mapping[str, object]) -> Mapping[str, object]:
    return {name: value for name, value in workspace.items() if name not in ("files", "logs")}
