"""POST /v1/workstations: a request like any other, found again by who sends the same once more."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from portal import models
from portal.api import outcomes
from portal.api.answers import AGAIN, Refusal
from portal.api.calls import Call, Pending, Result, Task
from portal.api.waiting import Goal
from portal.services.key import accounts
from portal.services.mirrors import types
from portal.services.people import policy
from portal.services.requests import running, submissions
from portal.services.tokens import repetitions

_UID = re.compile("[0-9A-Za-z_-]{1,64}")
_LONGEST_KEY = 255
_READ = {"type", "workspace_id", "lifetime"}
_States = models.Request.Status


class Wish(NamedTuple):
    """What a POST asks for, and a digest of all that it says."""

    task: Task
    body: Mapping[str, Any]
    digest: str


def request_workstation(task: Task) -> Result:
    wish, key = _read_wish(task), task.call.key
    if key is None:
        return _request_owed(wish, task.call.submission)
    if not 0 < len(key) <= _LONGEST_KEY:
        raise Refusal(400, f"Idempotency-Key must have from 1 to {_LONGEST_KEY} characters.")
    try:
        check = partial(_read_columns, wish.body)
        submission = repetitions.find_submission(token=task.token, key=key, body=wish.digest, check=check)
    except repetitions.KeyReused as error:
        raise Refusal(422, str(error)) from None
    portal_request = models.Request.objects.filter(requester=task.person, submission=submission).first()
    portal_request = portal_request or _submit(wish, submission)
    preferred = {one.partition(";")[0].strip().lower() for one in task.call.http.headers.get("Prefer", "").split(",")}
    if not portal_request.is_final and "respond-async" in preferred:
        return outcomes.describe_progress(portal_request)
    return _await(wish, portal_request)


def _read_wish(task: Task) -> Wish:
    try:
        body = json.loads(task.call.http.body)
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "the body must be a JSON object.")
    return Wish(task, body, digest)


def _read_columns(body: Mapping[str, Any]) -> dict[str, Any]:
    """The account, what is decided, what is sent, what the portal goes by, and the other fields, kept beside them."""
    decided, account = policy.read_policy(), accounts.get_current_account()
    offered = [one.name for one in types.list_offered_types(account=account)]
    type_, uid = body.get("type", "default"), body.get("workspace_id", "")
    lifetime = str(body.get("lifetime", decided.lifetime))
    if type_ not in offered:
        raise Refusal(400, f"type must be one of {', '.join(offered)}.")
    if not isinstance(uid, str):
        raise Refusal(400, "workspace_id must be a string.")
    if "workspace_id" in body and not _UID.fullmatch(uid):
        raise Refusal(422)
    try:
        is_allowed = decided.allows(lifetime)
    except ValueError:
        is_allowed = False
    if not is_allowed:
        raise Refusal(400, f"lifetime must be one of {', '.join(decided.lifetimes.split())}, or shorter.")
    others = {name: value for name, value in body.items() if name not in _READ}
    written = json.dumps(others, sort_keys=True) if others else ""
    columns = {"type": type_, "workspace_uid": uid, "lifetime": lifetime, "other_fields": written}
    return {"account": account, "decided": decided, **columns}


def _submit(wish: Wish, submission: UUID, owe: Callable[[], None] | None = None) -> models.Request:
    person, columns = wish.task.person, _read_columns(wish.body)
    try:
        return submissions.submit_request(requester=person, submission=submission, also=owe, **columns)
    except (submissions.WorkspaceNotFound, submissions.SubmissionReused):
        raise Refusal(422) from None
    except running.Reached as error:
        raise Refusal(429, str(error)) from None


def _request_owed(wish: Wish, submission: UUID) -> Pending:
    """The oldest of the same wishes whose outcome this token has not been told, or else a new one, owed from now on.

    What another call of this process waits for is that one's. One of another process may have died with it: it is
    waited for, too, and whoever is not told its outcome requests another.
    """
    call = wish.task.call
    for owed in repetitions.list_owed(token=wish.task.token, body=wish.digest):
        earlier = models.Request.objects.filter(requester=wish.task.person, submission=owed.submission).first()
        if earlier is not None and owed.submission not in {*call.serving, *call.telling}:
            return _await(wish, earlier, owed=owed)
    owed = models.Repetition(token=wish.task.token, body=wish.digest, submission=submission)
    return _await(wish, _submit(wish, submission, partial(repetitions.owe_outcome, owed=owed)), owed=owed)


def _await(wish: Wish, portal_request: models.Request, *, owed: models.Repetition | None = None) -> Pending:
    goal = Goal(models.Request, portal_request.pk)
    return Pending(goal=goal, task=wish.task, finish=partial(_finish, wish, portal_request.pk, owed))


def _finish(wish: Wish, number: int, owed: models.Repetition | None, is_gone: bool) -> Result:
    """Say what is known now. Without a key, one that still waits is cancelled: 503 says that nothing was made; and who
    has left, or is not told the outcome now, is told when they send the same again."""
    rows = models.Request.objects.select_related("requester", "workstation__workspace")
    portal_request, again = rows.get(pk=number), False
    if portal_request.status == _States.QUEUED and owed:
        # Then nothing is owed any more: a call of another process that waits for the same requests another.
        settle = partial(repetitions.note_told, owed=owed, is_over=True)
        again = submissions.withdraw_request(actor=wish.task.person, portal_request=portal_request, also=settle)
        portal_request = rows.get(pk=number)
    answer = outcomes.describe_request(portal_request)
    if again:
        return replace(answer, headers={**answer.headers, **AGAIN})
    is_made = portal_request.status not in (_States.CANCELLED, _States.FAILED)
    if owed is None or not portal_request.is_final or (is_gone and is_made):
        return answer
    if not _may_tell(wish.task.call, owed):  # another call is told the outcome
        return answer if is_gone else _request_owed(wish, uuid5(wish.task.call.submission, str(number)))
    wish.task.call.at_end(partial(_note_told, wish, owed, is_made))
    return answer


def _may_tell(call: Call, owed: models.Repetition) -> bool:
    """Raises Refusal where a call of another process may be at it."""
    if call.telling.setdefault(owed.submission, call) is not call:
        return False
    is_ours = False
    try:
        is_ours = repetitions.settle(owed=owed)
    except repetitions.BeingTold:
        raise Refusal(503, "another call is just being answered this: ask for the same again.", AGAIN) from None
    finally:
        if not is_ours:
            del call.telling[owed.submission]
    return is_ours


def _note_told(wish: Wish, owed: models.Repetition, is_made: bool, is_sent: bool) -> None:
    repetitions.note_told(owed=owed, is_over=is_sent or not is_made)
    wish.task.call.telling.pop(owed.submission, None)
