"""Files and logs of workspaces, as the provider told of them."""

from collections.abc import Sequence

from portal import agentstation, models
from portal.services.mirrors import sanitize

type _Told = Sequence[tuple[models.Workspace, agentstation.Workspace]]


def store_contents(*, told: _Told) -> None:
    """Insert or update the files and logs of these workspaces. What is told of twice is stored as it was told last."""
    _store_files(told)
    _store_logs(told)


def _store_files(told: _Told) -> None:
    rows = {
        (stored.pk, file.uid): models.File(
            workspace=stored,
            uid=file.uid,
            name=file.name,
            url=file.url,
            size=sanitize.fit_number(file.size),
            created_at=sanitize.fit_time(file.created_at),
            raw=sanitize.write_json(raw=file.raw),
        )
        for stored, workspace in told
        for file in workspace.files
        if sanitize.is_storable(uid=file.uid)
    }
    models.File.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["workspace", "uid"],
        update_fields=["name", "url", "size", "created_at", "raw"],
    )


def _store_logs(told: _Told) -> None:
    rows = {
        (stored.pk, log.uid): models.Log(
            workspace=stored,
            uid=log.uid,
            type=log.type,
            level=log.level,
            url=log.url,
            created_at=sanitize.fit_time(log.created_at),
            raw=sanitize.write_json(raw=log.raw),
        )
        for stored, workspace in told
        for log in workspace.logs
        if sanitize.is_storable(uid=log.uid)
    }
    models.Log.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["workspace", "uid"],
        update_fields=["type", "level", "url", "created_at", "raw"],
    )
