"""Files and logs of workspaces, as the provider described them."""

from typing import Any

from portal import agentstation, models
from portal.services.mirrors import sanitize


def store_contents(*, stored: models.Workspace, workspace: agentstation.Workspace) -> None:
    """Insert or update a workspace's files and logs. Of one that is described twice the last description is stored."""
    files = [
        models.File(name=file.name, size=sanitize.fit_number(file.size), **_describe(stored, file))
        for file in workspace.files
    ]
    logs = [models.Log(type=log.type, level=log.level, **_describe(stored, log)) for log in workspace.logs]
    _store(models.File, files, columns=["name", "size"])
    _store(models.Log, logs, columns=["type", "level"])


def _describe(stored: models.Workspace, entry: agentstation.File | agentstation.Log) -> dict[str, Any]:
    return {
        "workspace": stored,
        "uid": entry.uid,
        "url": entry.url,
        "created_at": sanitize.fit_time(entry.created_at),
        "raw": sanitize.write_json(raw=entry.raw),
    }


def _store[Row: (models.File, models.Log)](model: type[Row], rows: list[Row], *, columns: list[str]) -> None:
    named = {row.uid: row for row in rows if sanitize.is_storable(uid=row.uid)}
    model.objects.bulk_create(
        named.values(),
        update_conflicts=True,
        unique_fields=["workspace", "uid"],
        update_fields=[*columns, "url", "created_at", "raw"],
    )
