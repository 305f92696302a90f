"""A program's call that the portal does not know: it goes on with the team's key, and comes back as it is."""

import json
import threading
from dataclasses import dataclass

from django.db import transaction

from portal import agentstation, failures, models
from portal.db import release_connection
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.connections import opening
from portal.services.key import credentials
from portal.services.limits import limits
from portal.services.runtime import clients

_LONGEST = 60.0  # seconds
_LONGEST_PATH = 300  # characters of it are kept
MOST_STREAMS, _MOST_OF_ONE = 8, 2  # of this process, and of one person
_BUSY_FOR = 5.0  # seconds, before it is tried again

_streams, _lock = dict[agentstation.Stream, int](), threading.Lock()  # those that go on, and whose they are


@dataclass(frozen=True, kw_only=True)
class Wish:
    method: str
    path: str  # below the workstation's
    query: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Passed:
    """A call that was made. `body`: what the provider answered, where that is JSON, or nothing; `stream`: the same of
    what goes on, until `end_stream`. `words` say more than the status."""

    row: models.Connection
    failure: failures.Failure | None
    status: int
    body: bytes | None = None
    retry_after: float | None = None
    stream: agentstation.Stream | None = None
    words: str = ""


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
    if response.stream:
        return _take_place(row, response.stream)
    is_whole = 200 <= response.status < 600 and not response.truncated and _is_json(response.body)
    status = response.status if is_whole or 300 <= response.status < 600 else 502
    return Passed(
        row=row,
        failure=failure,
        status=status,
        body=response.body if is_whole else None,
        retry_after=response.retry_after,
    )


def _take_place(row: models.Connection, stream: agentstation.Stream) -> Passed:
    with _lock:
        people = list(_streams.values())
        if people.count(row.person_id) < _MOST_OF_ONE and len(people) < MOST_STREAMS:
            _streams[stream] = row.person_id
            return Passed(row=row, failure=None, status=200, stream=stream)
    stream.close()
    words = f"{_MOST_OF_ONE} streams of yours, or {MOST_STREAMS} in all, go on already."
    return Passed(row=row, failure=None, status=503, retry_after=_BUSY_FOR, words=words)


def end_stream(*, passed: Passed) -> None:
    """Close the stream, note that it has ended, and give its place back. May be tried again."""
    if passed.stream:
        passed.stream.close()
        models.Connection.calls.filter(pk=passed.row.pk).update(ended_at=Now())
        _streams.pop(passed.stream, None)


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
    models.Connection.calls.filter(pk=passed.row.pk).update(ended_at=None if passed.stream else Now())
    detail = {"method": method, "path": path[:_LONGEST_PATH], "status": passed.status}
    audit.record(Verb.PASS_ON, passed.row.workstation, by=passed.row.person, detail=detail, rows=())
