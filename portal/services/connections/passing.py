"""A program's call that the portal does not know: it goes on with the team's key, and comes back as it is."""

import json
from dataclasses import dataclass

from django.db import transaction

from portal import agentstation, failures, models
from portal.db import release_connection
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.connections import opening
from portal.services.key import credentials
from portal.services.runtime import clients, limits

_LONGEST = 60.0  # seconds
_LONGEST_PATH = 300  # characters of it are kept


@dataclass(frozen=True, kw_only=True)
class Wish:
    method: str
    path: str  # below the workstation's
    query: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Passed:
    """A call that was made. `body`: what the provider answered, where that is JSON, or nothing."""

    row: models.Connection
    failure: failures.Failure | None
    status: int
    body: bytes | None = None
    retry_after: float | None = None


def pass_on(*, person: models.User, workstation: models.Workstation, wish: Wish) -> Passed:
    """Ask the provider; no transaction may be open. Raises opening.NotOpened where it is not asked."""
    opening.check_workstation(workstation=workstation)
    kind = models.Connection.PASSED_ON
    row = models.Connection(person=person, workstation=workstation, kind=kind, is_opening=True, by_program=True)
    opening.begin_call(call=row, limit=limits.PASSING)
    release_connection()
    client, failure = clients.make_client().hurried(total_timeout=_LONGEST), None
    response: agentstation.Response | None
    try:
        response = client.pass_on(uid=workstation.uid, **vars(wish) | {"body": wish.body or None})
    except agentstation.AgentStationError as error:
        response, failure = error.response, failures.classify_error(error)
    if response is None:
        return Passed(row=row, failure=failure, status=504 if failure and failure.may_exist else 503)
    is_whole = response.status >= 200 and not response.truncated and _is_json(response.body)
    status = response.status if is_whole or response.status >= 300 else 502
    return Passed(
        row=row,
        failure=failure,
        status=status,
        body=response.body if is_whole else None,
        retry_after=response.retry_after,
    )


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body or b"null")
    except (ValueError, RecursionError):
        return False
    return True


@transaction.atomic
def record_passed(*, passed: Passed, method: str, path: str) -> None:
    """Note what was called, and what it was answered; of neither the body."""
    if passed.failure and passed.failure.pause.is_lasting:
        credentials.note_refusal(account=passed.row.workstation.account)
    models.Connection.calls.filter(pk=passed.row.pk).update(ended_at=Now())
    detail = {"method": method, "path": path[:_LONGEST_PATH], "status": passed.status}
    audit.record(Verb.PASS_ON, passed.row.workstation, by=passed.row.person, detail=detail, rows=())
