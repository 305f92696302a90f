"""POST /v1/workstations: a request like any other, found again by who sends the same once more."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from portal import models
from portal.api import outcomes
from portal.api.answers import AGAIN, Refusal
from portal.api.calls import Call, Pending, Result
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


def request_workstation(call: Call) -> Result:
    _read_wish(call)
    if not call.keys:
        return _request_owed(call, call.submission)
    key = re.sub('^"(.*)"$', r"\1", call.keys[0])
    if len(call.keys) > 1 or not 0 < len(key) <= _LONGEST_KEY:
        raise Refusal(400, f"there must be one Idempotency-Key, of 1 to {_LONGEST_KEY} characters.")
    try:
        check = partial(_read_columns, call.wish)
        submission = repetitions.find_submission(token=call.token, key=key, body=call.digest, check=check)
    except repetitions.KeyReused as error:
        raise Refusal(422, str(error)) from None
    portal_request = models.Request.objects.filter(requester=call.user, submission=submission).first()
    portal_request = portal_request or _submit(call, submission)
    preferred = {one.partition(";")[0].strip().lower() for one in call.headers.get("Prefer", "").split(",")}
    if not portal_request.is_final and "respond-async" in preferred:
        return outcomes.describe_progress(portal_request)
    return _await(call, portal_request)


def _read_wish(call: Call) -> None:
    try:
        call.wish = json.loads(call.body)
        call.digest = hashlib.sha256(json.dumps(call.wish, sort_keys=True).encode()).hexdigest()
    except (ValueError, RecursionError):
        call.wish = None
    if not isinstance(call.wish, dict):
        raise Refusal(400, "the body must be a JSON object.")


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


def _submit(call: Call, submission: UUID, owe: Callable[[], None] | None = None) -> models.Request:
    columns = _read_columns(call.wish)
    try:
        return submissions.submit_request(requester=call.user, submission=submission, also=owe, **columns)
    except (submissions.WorkspaceNotFound, submissions.SubmissionReused):
        raise Refusal(422) from None
    except running.Reached as error:
        raise Refusal(429, str(error)) from None


def _request_owed(call: Call, submission: UUID) -> Pending:
    """The oldest of the same wishes whose outcome this token has not been told, or else a new one, owed from now on.

    What another call of this process waits for is that one's. One of another process may have died with it: it is
    waited for, too, and whoever is not told its outcome requests another.
    """
    for owed in repetitions.list_owed(token=call.token, body=call.digest):
        earlier = models.Request.objects.filter(requester=call.user, submission=owed.submission).first()
        if earlier is not None and owed.submission not in {*call.serving, *call.telling}:
            return _await(call, earlier, owed=owed)
    owed = models.Repetition(token=call.token, body=call.digest, submission=submission)
    return _await(call, _submit(call, submission, partial(repetitions.owe_outcome, owed=owed)), owed=owed)


def _await(call: Call, portal_request: models.Request, *, owed: models.Repetition | None = None) -> Pending:
    goal = Goal(models.Request, portal_request.pk)
    return Pending(goal=goal, finish=partial(_finish, call, portal_request.pk, owed))


def _finish(call: Call, number: int, owed: models.Repetition | None, is_gone: bool) -> Result:
    """Say what is known now. Without a key, one that still waits is cancelled: 503 says that nothing was made; and who
    has left, or is not told the outcome now, is told when they send the same again."""
    rows = models.Request.objects.select_related("requester", "workstation__workspace")
    portal_request, again = rows.get(pk=number), False
    if portal_request.status == _States.QUEUED and owed:
        # Then nothing is owed any more: a call of another process that waits for the same requests another.
        settle = partial(repetitions.note_told, owed=owed, is_over=True)
        again = submissions.withdraw_request(by=call.user, portal_request=portal_request, also=settle)
        portal_request = rows.get(pk=number)
    answer = outcomes.describe_request(portal_request)
    if again:
        answer.headers["Retry-After"] = AGAIN["Retry-After"]
        return answer
    is_made = portal_request.status not in (_States.CANCELLED, _States.FAILED)
    if owed is None or not portal_request.is_final or (is_gone and is_made):
        return answer
    if not _may_tell(call, owed):  # another call is told the outcome
        return answer if is_gone else _request_owed(call, uuid5(call.submission, str(number)))
    call.ends.append(partial(_note_told, call, owed, is_made))
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


def _note_told(call: Call, owed: models.Repetition, is_made: bool, is_sent: bool) -> None:
    repetitions.note_told(owed=owed, is_over=is_sent or not is_made)
    call.telling.pop(owed.submission, None)
