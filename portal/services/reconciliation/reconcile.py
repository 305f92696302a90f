"""Reconciling: what became of requests whose outcome is unknown, by what scans of the provider's lists have shown.

`matching` decides. Here its facts are read under the key's lock, one request at a time, and what it decides is done.
Most often that is nothing: a first look without the lock spares whoever sends the waiting for it. A question to people
gives nothing away, and is asked without the lock.
"""

import itertools
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet

from portal import agentstation, failures, models
from portal.db import clock, is_unable
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, database_moved, key_lock, sharing, steady_clock
from portal.services.mirrors import mirror
from portal.services.reconciliation import completeness, matching, scans, unresolved
from portal.services.requests import lifecycle, notes
from portal.services.runtime import leases, workers

logger = logging.getLogger(__name__)

_ASKED_AT_ONCE = 20  # requests in one transaction, which is over soon
_MOST_NAMED = 50  # newcomers named in an event
_QUESTION_DEPENDS_ON = ("operator_note", "attempt_count", "cancel_requested_at")
SLOWEST = 60.0  # seconds between scans while something is to be reconciled


type _Decided = tuple[unresolved.Facts, matching.Decision]


@dataclass(frozen=True, kw_only=True)
class Round:
    now: datetime
    steady_since: datetime


def reconcile_requests(*, client: agentstation.Client, steady: steady_clock.SteadyClock) -> None:
    """Scan where a scan is due, and decide what can be decided. Finds orphans on the way."""
    account = accounts.get_current_account()
    if not accounts.is_key_accepted(account=account):
        return  # the lists may be another account's
    if _is_scan_due(account=account):
        _scan(account=account, client=client)
        completeness.measure_lags(account=account)
    now = steady.observe(token=leases.get_lease().token)
    this_round = Round(now=now, steady_since=now - timedelta(seconds=steady.steady_seconds))
    sharing.note_sharing(account=account, lag=completeness.choose_grace(account=account, now=now))
    decisions = _decide_all(account=account, this_round=this_round)
    if decisions:
        database_moved.check_database()
    found = [facts for facts, decision in decisions if decision.verdict is matching.Verdict.FOUND]
    giving = found or [facts for facts, decision in decisions if not _is_question(facts, decision=decision)]
    for facts in giving:
        _reconcile(facts.portal_request.pk, account=account, this_round=this_round)
    if found:
        return  # they show how long the lists lag, which the next round takes into account
    # What one request is about to be given is no question about another: people are asked once all has been given.
    if giving:
        decisions = _decide_all(account=account, this_round=this_round)
    questions = [(facts, decision) for facts, decision in decisions if _is_question(facts, decision=decision)]
    for asked in itertools.batched(questions, _ASKED_AT_ONCE):
        _ask(asked, account=account)


def _scan(*, account: models.Account, client: agentstation.Client) -> None:
    """Whatever our own code breaks on in the lists, what is known already can be decided and asked."""
    try:
        scans.advance_scan(account=account, client=client)
    except Exception as error:
        if isinstance(error, leases.LeaseLost) or is_unable(error):
            raise
        logger.exception("A scan of the provider's lists broke, and has ended.")
        scans.end_broken_scan(account=account)


def _is_scan_due(*, account: models.Account) -> bool:
    """Often at first, then less and less while something is to be reconciled; else every few minutes, for orphans."""
    now = clock.read_clock()
    last = models.Scan.objects.filter(account=account).order_by("-id").first()
    if last is None or last.ended_at is None:
        return True
    wait = settings.PORTAL_SCAN_INTERVAL
    unasked = unresolved.list_open_attempts().filter(request__account=account, request__operator_note="")
    newest = unasked.aggregate(newest=Max("ended_at"))["newest"]
    if newest is not None:
        age = (now - newest).total_seconds()
        wait = min(wait, max(settings.PORTAL_JOB_INTERVAL, min(age / 4, SLOWEST)))
    # A clock that stepped back must not put scans off until it has caught up.
    return not 0 <= (now - last.begun_at).total_seconds() < wait


def _decide_all(*, account: models.Account, this_round: Round) -> list[_Decided]:
    """What is to be done about which requests, oldest first.

    They are read without a lock: what changes meanwhile is seen when it is done, or in the next round.
    """
    known = _read_facts(_list_open(account), account=account, this_round=this_round)
    decided = [(facts, facts.decide()) for facts in known]
    return [(facts, decision) for facts, decision in decided if _changes_something(facts, decision=decision)]


def _is_doubted(facts: unresolved.Facts) -> bool:
    """Whether what waits to be sent again, by no person's word, may have made what was listed since."""
    if facts.portal_request.status != models.Request.Status.QUEUED or not facts.list_possible():
        return False
    said = models.Event.objects.filter(request_number=facts.portal_request.pk, verb=Verb.NOT_CREATED)
    return not said.filter(at__gt=facts.unresolved.attempts[-1].ended_at).exists()


def _is_question(facts: unresolved.Facts, *, decision: matching.Decision) -> bool:
    """Whether nothing but what people are asked changes."""
    is_asked = decision.verdict in (matching.Verdict.ASK, matching.Verdict.WAIT)
    return is_asked and not (_is_unwanted(facts.portal_request, decision=decision) or _is_doubted(facts))


def _list_open(account: models.Account) -> QuerySet[models.Request]:
    attempts = unresolved.list_open_attempts().filter(request__account=account)
    rows = models.Request.objects.filter(pk__in=attempts.values("request"))
    return rows.select_related("requester", "account__key")


def _read_facts(
    rows: QuerySet[models.Request], *, account: models.Account, this_round: Round
) -> list[unresolved.Facts]:
    found = unresolved.read_facts(account=account, rows=rows, now=this_round.now, steady_since=this_round.steady_since)
    return sorted((facts for facts in found if facts.attempts), key=lambda facts: facts.attempts[0].claimed_tick)


def _changes_something(facts: unresolved.Facts, *, decision: matching.Decision) -> bool:
    portal_request = facts.portal_request
    if portal_request.status == models.Request.Status.QUEUED:
        return decision.verdict is matching.Verdict.FOUND or _is_doubted(facts)
    return not _is_question(facts, decision=decision) or decision.note != portal_request.operator_note


@transaction.atomic
def _reconcile(number: int, *, account: models.Account, this_round: Round) -> None:
    """Decide about a request by what is so now; no question is asked."""
    account = key_lock.lock_key(account=account).account
    leases.renew_lease()
    if database_moved.find_doubt() is not None:
        return  # what is unknown here may be known, and in use, in the database that this one was
    # Read again under the lock: before it, a request may have been sent again, which no scan can show yet.
    rows = _list_open(account).filter(pk=number).select_for_update(of=("self",))
    for facts in _read_facts(rows, account=account, this_round=this_round):
        decision = facts.decide()
        if _changes_something(facts, decision=decision) and not _is_question(facts, decision=decision):
            _carry_out(facts.portal_request, decision=decision, evidence=_describe_evidence(facts))


@transaction.atomic
def _ask(questions: Iterable[_Decided], *, account: models.Account) -> None:
    """Ask people, or no longer, about requests to which nothing has happened since that was decided.

    Without the key's lock, which thousands of newcomers would hold for a second: a question gives nothing away, and the
    next round takes back what is no longer one.
    """
    leases.renew_lease()
    if database_moved.find_doubt() is not None:
        return
    rows = _list_open(account).filter(status=models.Request.Status.UNKNOWN).select_for_update(of=("self",))
    stored = {row.pk: row for row in rows.filter(pk__in=[facts.portal_request.pk for facts, _ in questions])}
    for facts, decision in questions:
        before, row = facts.portal_request, stored.get(facts.portal_request.pk)
        if row is not None and all(getattr(row, name) == getattr(before, name) for name in _QUESTION_DEPENDS_ON):
            _set_review_note(row, note=decision.note, evidence=_describe_evidence(facts))


def _describe_evidence(facts: unresolved.Facts) -> dict[str, Any]:
    attempt, newest = facts.attempts[-1], next(iter(facts.state.scans), None)
    return {
        "attempt": attempt.number,
        "scan": newest.pk if newest else None,
        "scan_begun_at": newest.begun_at.isoformat() if newest else None,
        "active": newest.active_count if newest else None,
        "history": newest.history_count if newest else None,
        "newcomers": [one.uid for one in facts.list_possible()[:_MOST_NAMED]],
        "grace": facts.state.allowed_lag.total_seconds(),
        "is_witnessed": newest is not None and newest.witness_tick > (attempt.ended_tick or 0),
    }


def _carry_out(portal_request: models.Request, *, decision: matching.Decision, evidence: dict[str, Any]) -> None:
    # An event names it: it is kept from being pruned.
    models.Scan.objects.filter(pk=evidence["scan"], is_evidence=False).update(is_evidence=True)
    if decision.newcomer is not None:
        _adopt(portal_request, workstation_id=decision.newcomer.id, evidence=evidence)
    elif portal_request.status == models.Request.Status.QUEUED:
        change = lifecycle.make_unknown(portal_request=portal_request, count_attempt=False)
        audit.record(Verb.NEEDS_REVIEW, portal_request, detail={**evidence, **change})
    elif decision.verdict is matching.Verdict.NOT_CREATED or _is_unwanted(portal_request, decision=decision):
        _settle_not_created(portal_request, evidence=evidence)


def _is_unwanted(portal_request: models.Request, *, decision: matching.Decision) -> bool:
    """Whether nobody need be asked, because its requester no longer wants it."""
    return portal_request.cancel_requested_at is not None and decision.note in (notes.NO_WITNESS, notes.RESTORED)


def _adopt(portal_request: models.Request, *, workstation_id: int, evidence: dict[str, Any]) -> None:
    rows = models.Workstation.objects.select_related("workspace__owner").select_for_update(of=("self",))
    stored = rows.get(pk=workstation_id)
    mirrors = mirror.assign_workstation(stored=stored, portal_request=portal_request)
    completeness.note_lag(workstation=stored)
    change = lifecycle.move_request(portal_request=portal_request, status=models.Request.Status.SUCCEEDED)
    detail = {"decision": "found", "workstation": stored.uid, **evidence, **change}
    audit.record(Verb.RECONCILE, portal_request, detail=detail, rows=[portal_request, *mirrors])


def _settle_not_created(portal_request: models.Request, *, evidence: dict[str, Any]) -> None:
    states = models.Request.Status
    if portal_request.cancel_requested_at is not None:
        change = lifecycle.move_request(portal_request=portal_request, status=states.CANCELLED)
    elif portal_request.attempt_count >= lifecycle.MAX_ATTEMPTS:
        failure = failures.CATALOGUE[portal_request.failure]
        change = lifecycle.move_request(portal_request=portal_request, status=states.FAILED, failure=failure)
    else:
        change = lifecycle.move_request(portal_request=portal_request, status=states.QUEUED)
        workers.wake_workers()
    detail = {"decision": "not created", "workstation": None, **evidence, **change}
    audit.record(Verb.RECONCILE, portal_request, detail=detail)


def _set_review_note(portal_request: models.Request, *, note: str, evidence: dict[str, Any]) -> None:
    """Ask a person, or no longer: what was said of the lists lapses when the next scan says otherwise."""
    change = {"before": {"operator_note": portal_request.operator_note}, "after": {"operator_note": note}}
    portal_request.change(operator_note=note)
    audit.record(Verb.NEEDS_REVIEW, portal_request, detail={**evidence, **change}, reason=note)
