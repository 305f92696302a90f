"""What the provider says of a workstation, and storing it."""

from typing import Any

from django.db import transaction

from portal import agentstation, models
from portal.services.key import accounts
from portal.services.mirrors import mirror


def response(**changes: object) -> dict[str, Any]:
    return {
        "id": "Il4lMTpQUC3L",
        "type": "python",
        "status": "active",
        "startedAt": "2026-01-02T03:04:05Z",
        "workspace": {
            "id": "bMf1euMgczAY",
            "status": "active",
            "createdAt": "2026-01-02T03:04:05Z",
            "files": {"data": [{"id": "f1", "name": "a.txt", "url": "https://files.example/a", "size": 3}]},
            "logs": {"data": [{"id": "l1", "type": "boot", "level": "info"}]},
        },
    } | changes


def store(document: dict[str, object], portal_request: models.Request | None = None) -> models.Workstation:
    account, workstation = accounts.get_current_account(), agentstation.Workstation.from_dict(document)
    with transaction.atomic():
        stored = mirror.store_response(account=account, workstation=workstation, portal_request=None)
        mirror.store_workstation(stored=stored, workstation=workstation)
        if portal_request is not None:
            mirror.assign_workstation(stored=stored, portal_request=portal_request)
        return stored
