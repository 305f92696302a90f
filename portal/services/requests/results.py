"""Records what a call ended in: on its attempt, past the deadline as a late response, and without one as a lost one."""

from dataclasses import replace

from django.db import transaction
from django.db.models import BigIntegerField, CharField, Model, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from portal import agentstation, failures, models
from portal.models.clock import Now
from portal.models.compiled import compiled
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, circuit_breaker, credentials, database_moved, key_lock
from portal.services.mirrors import contract_drift, mirror, releases, sanitize
from portal.services.requests import dispatch, lifecycle
from portal.services.runtime import hidden, workers
from portal.services.search import finding


@transaction.atomic
def record_result(*, call: dispatch.Call, result: dispatch.Result) -> None:
    """Write what the call ended in, in a transaction of its own. Safe to repeat after an error."""
    workers.announce_outcomes(requests=save_result(key=_lock_key(call), call=call, result=result))


def save_result(*, key: models.Key, call: dispatch.Call, result: dispatch.Result) -> list[models.Request]:
    """Write what the call ended in, under its account's locked key and in the caller's transaction: all, or nothing.
    Returns its request; empty where the database has gone back."""
    attempt = _lock_attempt(call, key=key, workstation=result.value)
    if attempt is None:
        _keep_lost(call, result=result)
        return []
    taken = _find_taken(attempt)
    ours = _end_attempt(attempt, key=key, result=result, taken=taken)
    if result.response is not None:
        contract_drift.note_deviations(deviations=result.response.deviations, request_number=attempt.request_id)
    if not ours:
        _record_late(attempt=attempt, result=result, taken=taken)
        return [attempt.request]
    before = attempt.request.status
    mirrors = _use_result(result, key=key, attempt=attempt, taken=taken)
    # Only now: the event keeps what the rows are after all that followed from the response.
    finding.save_text(number=attempt.request_id, rows=[attempt])
    detail = {"outcome": attempt.outcome, "failure": attempt.failure, "before": before, "after": attempt.request.status}
    audit.record(Verb.RESPONSE, attempt, detail=detail, rows=[attempt, attempt.request, *mirrors])
    return [attempt.request]


def record_unreadable(*, call: dispatch.Call, result: dispatch.Result) -> None:
    """Keep a response that our own code breaks on: its bytes, and an unknown outcome. Nothing else is made of it."""
    response = result.response and replace(result.response, error="", message="", retry_after=None, deviations=())
    failure = failures.UNREADABLE if response else failures.NO_ANSWER
    record_result(call=call, result=dispatch.Result(failure=failure, response=response))


def _lock_key(call: dispatch.Call) -> models.Key:
    """The key of the call's account; the current one's where the database has gone back to before that account."""
    try:
        return key_lock.lock_key(account=call.account_id)
    except models.Key.DoesNotExist:
        return key_lock.lock_key(account=accounts.get_current_account())


def _lock_attempt(
    call: dispatch.Call, *, key: models.Key, workstation: agentstation.Workstation | None = None
) -> models.Attempt | None:
    """The call's attempt with its request, the time, and what is stored already of the workstation that came.

    None where the database has gone back since the claim, and the id may be another attempt's.
    """
    found = _lock_attempts(
        attempt_id=call.attempt_id,
        token=call.token,
        account_id=key.account_id,
        workstation=_find_uid(workstation),
        workspace=_find_uid(workstation.workspace if workstation else None),
    )
    if not found:
        return None
    # With this instance comes the locked key, as it is now.
    found[0].request.account = key.account
    return found[0]


def _find_uid(entry: agentstation.Workstation | agentstation.Workspace | None) -> str:
    return entry.uid if entry is not None and sanitize.is_storable(uid=entry.uid) else ""


@compiled(
    attempt_id=BigIntegerField(),
    token=CharField(),
    account_id=BigIntegerField(),
    workstation=CharField(),
    workspace=CharField(),
)
def _lock_attempts(
    *, attempt_id: int, token: str, account_id: int, workstation: str, workspace: str
) -> QuerySet[models.Attempt]:
    rows = models.Attempt.objects.select_related("request__requester").select_for_update(of=("self", "request"))
    stations = models.Workstation.objects.filter(account=account_id, uid=workstation).values("pk")
    spaces = models.Workspace.objects.filter(account=account_id, uid=workspace).values("pk")
    rows = rows.annotate(now=Now(), stored_workstation=Subquery(stations), stored_workspace=Subquery(spaces))  # type: ignore[no-redef]
    return rows.filter(pk=attempt_id, token=token, request__account=account_id)


def _end_attempt(
    attempt: models.Attempt, *, key: models.Key, result: dispatch.Result, taken: models.Workstation | None
) -> bool:
    """Write the outcome where the attempt is still ours, which it is not past its deadline. Returns whether it was.

    Of one that names what is taken it is not known what was made.
    """
    return attempt.update_where(
        models.Attempt.objects.filter(outcome=models.Attempt.Outcome.SENDING),
        outcome=result.outcome if taken is None else models.Attempt.Outcome.UNKNOWN,
        ended_at=attempt.now,
        ended_tick=key_lock.advance_tick(key=key),
        retry_after=result.retry_after,
        names_taken=taken is not None,
        **_describe(result, failure=result.failure if taken is None else failures.NO_ANSWER),
    )


def _use_result(
    result: dispatch.Result, *, key: models.Key, attempt: models.Attempt, taken: models.Workstation | None
) -> list[Model]:
    """All that follows from a response in time. Returns the mirrors that it changed, as do those that it calls."""
    portal_request = attempt.request
    if result.value is not None:
        circuit_breaker.note_success(key=key, attempt=attempt)
        return _use_workstation(attempt, workstation=result.value, taken=taken)
    failure, retry_after = result.failure or failures.NOT_SENT, result.retry_after
    is_other_key_s = failure.pause is failures.Pause.UNTIL_ACCEPTED and credentials.withdraw_key(
        key=key, fingerprint=attempt.key_fingerprint
    )
    is_spared = is_other_key_s or circuit_breaker.note_failure(
        key=key, attempt=attempt, failure=failure, now=attempt.now, retry_after=retry_after
    )
    return _move_on(portal_request, failure=failure, is_spared=is_spared, retry_after=retry_after)


def _describe(result: dispatch.Result, *, failure: failures.Failure | None) -> dict[str, object]:
    """The columns that an attempt and a late response have in common."""
    response = result.response
    return {
        "failure": failure.code if failure else "",
        "http_status": response.status if response else None,
        "error": hidden.hide(text=response.error) if response else "",
        "message": hidden.hide(text=response.message) if response else "",
        "response": response.body if response else None,
    }


def _find_taken(attempt: models.Attempt) -> models.Workstation | None:
    """What the response names, where another request owns it, or a list had shown it before the claim."""
    if attempt.stored_workstation is None:
        return None
    is_older = Q(request=None, listed_tick__lte=attempt.claimed_tick) & ~Q(made_for=attempt.request_id)
    rows = models.Workstation.objects.filter(is_older | Q(request__isnull=False), pk=attempt.stored_workstation)
    rows = rows.select_related("request").select_for_update(of=("self",))
    return rows.exclude(request=attempt.request_id).first()


def _use_workstation(
    attempt: models.Attempt, *, workstation: agentstation.Workstation, taken: models.Workstation | None
) -> list[Model]:
    """Keep the workstation as the request's. One that is taken stays as it is."""
    portal_request, states = attempt.request, models.Request.Status
    if taken is not None:
        if portal_request.status != states.UNKNOWN:
            is_sending = portal_request.status == states.SENDING
            lifecycle.make_unknown(portal_request=portal_request, count_attempt=is_sending)
        _spare(taken, named=workstation)
        return []
    accounts.learn_offset(attempt=attempt, started_at=workstation.started_at)
    mirrors = mirror.adopt_response(attempt=attempt, workstation=workstation)
    lifecycle.move_request(portal_request=portal_request, status=states.SUCCEEDED)
    return mirrors


def _spare(taken: models.Workstation, *, named: agentstation.Workstation) -> None:
    """By its ID another may run by now, which neither an old wish to release it, nor the end that it had, may end."""
    if taken.is_live and not mirror.is_same(stored=taken, entry=named):
        why = _("AgentStation has named its ID to another request, so its release could end the other's workstation.")
        releases.withdraw_release(stored=taken, reason=why)


def _move_on(
    portal_request: models.Request, *, failure: failures.Failure, is_spared: bool, retry_after: float | None
) -> list[Model]:
    """Move the request on after a failed or unknown attempt. What an earlier one named late is given to it first."""
    if mirrors := _take_named(portal_request, count_attempt=True):
        return mirrors
    if _names_anothers(portal_request):
        lifecycle.make_unknown(portal_request=portal_request, count_attempt=True)
        return []
    lifecycle.move_on(portal_request=portal_request, failure=failure, is_spared=is_spared, retry_after=retry_after)
    return []


def _names_anothers(portal_request: models.Request) -> bool:
    """Whether an earlier attempt was late to name what is another request's: an operator decides, nothing is sent."""
    if not portal_request.was_unknown:
        return False
    late = models.LateResponse.objects.filter(attempt__request=portal_request)
    return late.filter(outcome=models.Attempt.Outcome.SUCCEEDED).exists()


def _take_named(portal_request: models.Request, *, count_attempt: bool) -> list[Model]:
    """What an earlier attempt was late to name, ended or not, is the request's; empty where there is nothing."""
    named_late = portal_request.named_late.filter(request=None).first()
    if named_late is None:
        return []
    mirrors = mirror.assign_workstation(stored=named_late, portal_request=portal_request)
    succeeded = models.Request.Status.SUCCEEDED
    lifecycle.move_request(portal_request=portal_request, status=succeeded, count_attempt=count_attempt)
    return mirrors


def _record_late(*, attempt: models.Attempt, result: dispatch.Result, taken: models.Workstation | None) -> None:
    """Keep a response that came after the deadline, and use it where that is still possible."""
    portal_request, description = attempt.request, _describe(result, failure=result.failure)
    ended_so = (attempt.outcome, attempt.failure) == (result.outcome, description["failure"])
    if (ended_so and result.response is None) or attempt.http_status is not None:
        return  # late news that is none; or recorded already, by a transaction whose commit was not confirmed
    late, is_new = models.LateResponse.objects.get_or_create(
        attempt=attempt, defaults={"outcome": result.outcome, **description}
    )
    if not is_new:
        return
    before, mirrors = portal_request.status, list[Model]()
    newer = portal_request.attempts.filter(number__gt=attempt.number)
    if result.value is not None:
        mirrors = _use_late_workstation(attempt, workstation=result.value, taken=taken)
    elif portal_request.status == models.Request.Status.UNKNOWN and not newer.exists():
        mirrors = _use_late_refusal(portal_request, failure=result.failure)
    finding.save_text(number=portal_request.pk, rows=[late, *mirrors])
    detail = {
        "outcome": late.outcome,
        "failure": late.failure,
        "owner": taken.request_id if taken else None,
        "names_taken": taken is not None,
        "before": before,
        "after": portal_request.status,
    }
    audit.record(Verb.LATE_RESPONSE, attempt, detail=detail, rows=[late, portal_request, *mirrors])


def _use_late_workstation(
    attempt: models.Attempt, *, workstation: agentstation.Workstation, taken: models.Workstation | None
) -> list[Model]:
    portal_request, states = attempt.request, models.Request.Status
    if portal_request.status in (states.UNKNOWN, states.QUEUED):
        return _use_workstation(attempt, workstation=workstation, taken=taken)
    if taken is not None:
        _spare(taken, named=workstation)
        return []
    account = portal_request.account
    stored = mirror.store_response(account=account, workstation=workstation, portal_request=portal_request)
    if stored.request is None:
        stored.change(made_for=portal_request, is_foreign=False)
    return [stored]


def _use_late_refusal(portal_request: models.Request, *, failure: failures.Failure | None) -> list[Model]:
    """Nothing was created (or, without a failure, not even sent): what follows is as if that had been known in time."""
    states = models.Request.Status
    if failure is not None and failure.may_exist:
        return []
    if mirrors := _take_named(portal_request, count_attempt=False):
        return mirrors
    if portal_request.cancel_requested_at is not None:
        lifecycle.move_request(portal_request=portal_request, status=states.CANCELLED)
    elif failure is None:
        lifecycle.move_request(portal_request=portal_request, status=states.QUEUED)
    else:
        is_spared = failure.pause.is_lasting
        lifecycle.move_on(portal_request=portal_request, failure=failure, is_spared=is_spared, retry_after=None)
    return []


def _keep_lost(call: dispatch.Call, *, result: dispatch.Result) -> None:
    """Keep the response in the caller's transaction; its workstation becomes an orphan. Safe to repeat.

    That the attempt is missing shows that the database went back, which pauses the key.
    """
    if result.outcome == models.Attempt.Outcome.NOT_SENT:
        return  # nothing was sent: there is nothing to keep
    account, workstation = accounts.get_current_account(), result.value
    key = key_lock.lock_key(account=account)
    columns = _describe(result, failure=result.failure)
    defaults = {"account": account, "attempt_number": call.attempt_id, "outcome": result.outcome, **columns}
    lost, is_new = models.LostResponse.objects.get_or_create(token=call.token, defaults=defaults)
    if not is_new:
        return
    rows: list[Model] = [lost]
    if workstation is not None:
        contract_drift.note_deviations(deviations=workstation.deviations)
        stored = mirror.store_response(account=account, workstation=workstation, portal_request=None)
        if stored.request_id is None:  # else somebody owns it already
            stored.change(is_foreign=False)  # it was made here
            rows.append(stored)
    detail = {"outcome": result.outcome, "workstation": workstation.uid if workstation else None}
    audit.record(Verb.LOST_RESPONSE, lost, detail=detail, rows=rows)
    database_moved.doubt_database(key=key, what="lost-attempt")
