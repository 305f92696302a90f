"""Evidence: everything that is stored about a request, in one bundle. docs/evidence.md describes its shape."""

import base64
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Model, Q

import portal
from portal import models
from portal.db import clock
from portal.models.event import Verb
from portal.services import audit
from portal.services.runtime import hidden

FORMAT = "workstation-portal evidence"
VERSION = 2
# Of the key there is nothing but its fingerprint and the salt of that, and even these stay here.
_LEFT_OUT = frozenset({"key_fingerprint", "salt"})
_AS_IT_CAME = frozenset({"raw", "error", "message"})


@transaction.atomic
def take_evidence(*, actor: models.User, portal_request: models.Request) -> dict[str, Any]:
    """The bundle, fit for JSON. That it was taken, and by whom, is recorded first, so that it names itself."""
    number = portal_request.pk
    audit.record(Verb.EVIDENCE, portal_request, by=actor, rows=())
    stored = models.Request.objects.select_related("requester", "account").get(pk=number)
    events = list(models.Event.objects.filter(request_number=number).order_by("id"))
    verbs = ("reconcile", "needs-review")
    scans = {event.detail.get("scan") for event in events if event.verb in verbs}
    workstations = models.Workstation.objects.filter(Q(request=number) | Q(made_for=number)).order_by("id")
    workspaces = models.Workspace.objects.filter(
        Q(pk__in=workstations.values("workspace")) | Q(account=stored.account_id, uid=stored.workspace_uid)
    )
    attempts = stored.attempts.select_related("late_response").order_by("number")
    return {
        "format": FORMAT,
        "version": VERSION,
        "portal_version": portal.__version__,
        "taken_at": clock.read_clock().isoformat(),
        "taken_by": actor.get_username(),
        "request": _describe(stored) | {"requester": stored.requester.get_username()},
        "account": _describe(stored.account),
        "attempts": [_describe_attempt(attempt) for attempt in attempts],
        "events": [
            _describe(event) | {"changes": [_describe_change(change) for change in event.changes]} for event in events
        ],
        "scans": [_describe(scan) for scan in models.Scan.objects.filter(pk__in=scans - {None}).order_by("id")],
        "workstations": [_describe(workstation) for workstation in workstations],
        "workspaces": [_describe(workspace) for workspace in workspaces.order_by("id")],
    }


def _describe_change(change: models.Change) -> dict[str, Any]:
    columns = {name: values for name, values in change.columns.items() if name not in _LEFT_OUT}
    return _describe(change) | {"columns": columns}


def _describe_attempt(attempt: models.Attempt) -> dict[str, Any]:
    late = getattr(attempt, "late_response", None)
    return _describe(attempt) | {"late_response": _describe(late) if late else None}


def _describe(row: Model) -> dict[str, Any]:
    """Every column, under the name that it has in the database; what the provider wrote without what is hidden."""
    names = [field.attname for field in row._meta.concrete_fields if field.attname not in _LEFT_OUT]
    described = {name: _fit(getattr(row, name)) for name in names}
    return described | {name: hidden.hide(text=described[name]) for name in _AS_IT_CAME & set(names)}


def _fit(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str() | dict() | list():
            return value
        case datetime():
            return value.isoformat()
        case bytes() | memoryview():
            return _fit_bytes(bytes(value))
        case _:
            return str(value)


def _fit_bytes(body: bytes) -> dict[str, str]:
    try:
        return {"encoding": "utf-8", "body": hidden.hide(text=body.decode("utf-8"))}
    except UnicodeDecodeError:
        shown = hidden.hide(text=body.decode("latin-1")).encode("latin-1")
        return {"encoding": "base64", "body": base64.b64encode(shown).decode("ascii")}
