"""Reconciling: what became of requests whose outcome is unknown, by what scans of the provider's lists have shown.

`matching` decides. Here its facts are read under the key's lock, one request at a time, and what it decides is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, Max, Min, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from portal import agentstation, failures, models
from portal.services import (
    accounts,
    audit,
    clock,
    identity,
    keyhold,
    leases,
    lifecycle,
    listinglag,
    matching,
    mirror,
    restore,
    retry,
    scans,
    sharing,
    wake,
)

_MOST_NAMED = 50  # newcomers named in an event
_MOST_SCANS = 20  # whole scans that are looked at; two are enough where nothing steps
_SLOWEST = 60.0  # seconds between scans while something is to be reconciled


@dataclass(frozen=True, kw_only=True)
class Round:
    """One round of the job: its lease, and what it knows of the database's clock."""

    lease: leases.Lease
    now: datetime
    steady_since: datetime


def reconcile_requests(*, held: leases.Lease, client: agentstation.Client, steady: clock.SteadyClock) -> None:
    """Scan where a scan is due, and decide what can be decided. Finds orphans on the way."""
    account = accounts.get_current_account()
    if not keyhold.is_confirmed(account=account):
        return  # the lists may be another account's
    if scans.find_open(account=account) or _is_scan_due(account=account):
        scans.advance_scan(account=account, held=held, client=client)
    now = steady.observe(account=account, token=held.token)
    listinglag.measure_lags(account=account, now=now)
    this_round = Round(lease=held, now=now, steady_since=now - timedelta(seconds=steady.steady_seconds))
    sharing.note_sharing(account=account)
    numbers = _list_numbers(account=account)
    if numbers:
        identity.check_now()
    # What one request is about to be given is no question about another: people are asked once all has been given.
    asking = [number for number in numbers if not _reconcile(number=number, this_round=this_round, may_ask=False)]
    for number in asking:
        _reconcile(number=number, this_round=this_round, may_ask=True)


def _is_scan_due(*, account: models.Account) -> bool:
    """Often at first, then ever less while something is to be reconciled; else every few minutes, for orphans."""
    now = clock.read_clock(account=account)
    last = models.Scan.objects.filter(account=account).order_by("-id").first()
    if last is None:
        return True
    wait = settings.PORTAL_LOOK_INTERVAL
    newest = list_open_attempts(account=account).aggregate(newest=Max("ended_at"))["newest"]
    if newest is not None:
        age = (now - newest).total_seconds()
        wait = min(wait, max(settings.PORTAL_DUTY_INTERVAL, min(age / 4, _SLOWEST)))
    # A clock that stepped back must not put scans off until it has caught up.
    return not 0 <= (now - last.begun_at).total_seconds() < wait


def list_open_attempts(*, account: models.Account) -> QuerySet[models.Attempt]:
    """Attempts that may have created something that nobody knows of.

    Those of requests that were taken as not created and are queued again, too: what is listed late is still theirs.
    """
    states, outcomes = models.Request.Status, models.Attempt.Outcome
    attempts = models.Attempt.objects.filter(
        request__account=account, request__status__in=(states.UNKNOWN, states.QUEUED), outcome=outcomes.UNKNOWN
    )
    return attempts.exclude(late_answer__outcome__in=(outcomes.FAILED, outcomes.GIVEN_BACK))


def _list_numbers(*, account: models.Account) -> list[int]:
    """Requests to be reconciled; the one that was sent first comes first."""
    firsts = list_open_attempts(account=account).order_by().values("request").annotate(first=Min("claimed_tick"))
    return [row["request"] for row in firsts.order_by("first", "request")]


@transaction.atomic
def _reconcile(*, number: int, this_round: Round, may_ask: bool) -> bool:
    """Decide about one request. False where people would have to be asked something new, and may not be yet."""
    account = keyhold.lock_key(account=models.Account.objects.get(requests=number)).account
    leases.check_lease(held=this_round.lease)
    if identity.find_doubt() is not None:
        return True  # what is unknown here may be known, and in use, in the database that this one was
    rows = models.Request.objects.select_related("requester", "account__key").select_for_update(of=("self",))
    portal_request = rows.get(pk=number)
    # Read under the lock: before it, the request may have been sent again, of which no scan can tell yet.
    attempts = list(list_open_attempts(account=account).filter(request=number).defer("answer").order_by("number"))
    if not attempts:
        return True
    unresolved = _describe_request(portal_request, attempts=attempts)
    view = _read_view(account=account, this_round=this_round)
    newcomers = _list_newcomers(portal_request, since=unresolved.attempts[0].claimed_tick, view=view)
    decision = matching.decide(unresolved=unresolved, newcomers=newcomers, view=view)
    if decision.verdict is matching.Verdict.ASK and decision.note != portal_request.operator_note and not may_ask:
        return False
    evidence = _describe_evidence(attempt=attempts[-1], newcomers=newcomers, view=view)
    _carry_out(portal_request, decision=decision, failed=len(attempts), evidence=evidence)
    return True


def _describe_request(portal_request: models.Request, *, attempts: Sequence[models.Attempt]) -> matching.Unresolved:
    late = _list_named_late(portal_request)
    has_named_other = any([attempt.names_other for attempt in attempts] + [detail["names_other"] for detail in late])
    obstacle = matching.OTHERS if has_named_other else ""
    if attempts[-1].worker == restore.WORKER:
        obstacle = matching.RESTORED
    lost = restore.list_restores(account=portal_request.account)
    # It takes the place of who was given what its call had made, and may have what theirs had made.
    owners = models.Attempt.objects.filter(request__in=[detail["owner"] for detail in late])
    owners = owners.filter(outcome=models.Attempt.Outcome.UNKNOWN).defer("answer")
    all_sent = sorted([*owners, *attempts], key=lambda attempt: attempt.claimed_tick)
    return matching.Unresolved(
        type=portal_request.type,
        workspace_uid=portal_request.workspace_uid,
        attempts=[_describe_attempt(attempt, restores=lost) for attempt in all_sent],
        is_queued=portal_request.status == models.Request.Status.QUEUED,
        denied_tick=_find_denied_tick(portal_request),
        obstacle=obstacle,
    )


def _find_denied_tick(portal_request: models.Request) -> int:
    """When the scan ended by which the request was last taken as not created; 0 where a person has said so since."""
    decided = models.Event.objects.filter(request_number=portal_request.pk, verb__in=("reconcile", "not-created"))
    newest = decided.order_by("-id").first()
    by = models.Scan.objects.filter(pk=(newest.detail.get("scan") if newest else None) or 0)
    return by.values_list("ended_tick", flat=True).first() or 0


def _list_named_late(portal_request: models.Request) -> list[dict[str, object]]:
    """What is told of late responses that named another request's workstation: attempts that ended stay as they are."""
    late = models.Event.objects.filter(verb="late-answer", request_number=portal_request.pk)
    return [detail for detail in late.values_list("detail", flat=True) if detail.get("owner")]


def _describe_attempt(attempt: models.Attempt, *, restores: Sequence[models.Restore]) -> matching.Sent:
    ended_at = attempt.ended_at or attempt.deadline_at
    claimed_at, claimed_tick = attempt.claimed_at, attempt.claimed_tick
    if attempt.worker == restore.WORKER:  # it stands for one that may have been made after the backup
        made = [row for row in restores if row.restored_tick >= claimed_tick > row.lost_since_tick]
        claimed_at = min([claimed_at, *(row.lost_since for row in made)])
        claimed_tick = min([claimed_tick, *(row.lost_since_tick for row in made)])
    # A complete 500 is the provider's own end; after any other, it may be at work until the deadline.
    is_over = attempt.failure == "500"
    return matching.Sent(
        claimed_at=claimed_at,
        claimed_tick=claimed_tick,
        ended_at=ended_at,
        ended_tick=attempt.ended_tick or 0,
        proof_from=ended_at if is_over else max(ended_at, attempt.deadline_at),
    )


def _read_view(*, account: models.Account, this_round: Round) -> matching.View:
    whole = list(models.Scan.objects.filter(account=account, is_whole=True).order_by("-id")[:_MOST_SCANS])
    scans_read = [
        matching.WholeScan(
            id=scan.pk,
            begun_at=scan.begun_at,
            begun_tick=scan.begun_tick,
            own_count=scan.own_count,
            witness_tick=scan.witness_tick,
        )
        for scan in whole
    ]
    offset = next((scan.clock_offset for scan in whole if scan.clock_offset is not None), None)
    return matching.View(
        now=this_round.now,
        steady_since=this_round.steady_since,
        grace=listinglag.choose_grace(account=account, now=this_round.now),
        minute=timedelta(seconds=settings.PORTAL_SETTLE_GRACE),
        clock_offset=None if offset is None else timedelta(seconds=offset),
        scans=scans_read,
        documented_types=frozenset(models.Request.Type.values),
        has_no_lists=scans.has_no_lists(account=account, now=this_round.now),
        is_shared=account.shared_at is not None,
    )


def _list_newcomers(portal_request: models.Request, *, since: int, view: matching.View) -> list[matching.Newcomer]:
    """Workstations that no request owns and that no scan had listed by this tick.

    One that an operator releases is nobody's. One that a late response named is that request's, unless it has another.
    """
    account = portal_request.account
    free = models.Workstation.is_free() & Q(is_foreign=False, release_asked_at=None)
    rows = models.Workstation.objects.filter(account=account, request=None).exclude(listed_tick__lte=since)
    rows = rows.filter(free | Q(made_for=portal_request))
    others = models.Workstation.objects.filter(workspace=OuterRef("workspace")).exclude(pk=OuterRef("pk"))
    named = models.Request.objects.filter(account=account, workspace_uid=OuterRef("workspace__uid"))
    rows = rows.select_related("workspace").annotate(
        is_in_flight=Exists(models.list_calls_before_listing()),
        is_named=Exists(named),
        # What only a scan that has not ended showed may have been there for long.
        workspace_tick=Subquery(
            others.order_by(F("listed_tick").asc(nulls_first=True)).values(tick=Coalesce("listed_tick", 0))[:1]
        ),
    )
    lost = restore.list_restores(account=account)
    return [
        _describe_newcomer(row, portal_request=portal_request, restores=lost, view=view) for row in rows.order_by("id")
    ]


def _describe_newcomer(
    row: models.Workstation,
    *,
    portal_request: models.Request,
    restores: Sequence[models.Restore],
    view: matching.View,
) -> matching.Newcomer:
    space = row.workspace
    return matching.Newcomer(
        id=row.pk,
        uid=row.uid,
        type=row.type,
        workspace_uid=space.uid if space else None,
        workspace_tick=row.workspace_tick,  # type: ignore[attr-defined]
        is_workspace_taken=space is not None and (space.owner_id is not None or row.is_named),  # type: ignore[attr-defined]
        started_at=row.created_at,
        listed_tick=row.listed_tick,
        is_nameless=row.is_nameless,
        is_in_flight=row.is_in_flight,  # type: ignore[attr-defined]
        is_told=row.made_for_id == portal_request.pk,
        is_spare=row.made_for_id not in (None, portal_request.pk),
        must_confirm=any(
            matching.is_within(
                started_at=row.created_at, since=lost.lost_since, until=lost.restored_at + view.grace, view=view
            )
            for lost in restores  # a call that was lost may have been under way
        ),
    )


def _describe_evidence(
    *, attempt: models.Attempt, newcomers: Sequence[matching.Newcomer], view: matching.View
) -> dict[str, object]:
    """What the decision goes by: the newest whole scan, and what it showed that nobody owns."""
    newest = models.Scan.objects.filter(pk=view.scans[0].id).first() if view.scans else None
    return {
        "attempt": attempt.number,
        "scan": newest.pk if newest else None,
        "scan_begun_at": newest.begun_at.isoformat() if newest else None,
        "active": newest.active_count if newest else None,
        "history": newest.history_count if newest else None,
        "newcomers": [one.uid for one in newcomers[:_MOST_NAMED]],
        "grace": view.grace.total_seconds(),
        "is_witnessed": newest is not None and newest.witness_tick > (attempt.ended_tick or 0),
    }


def _carry_out(
    portal_request: models.Request, *, decision: matching.Decision, failed: int, evidence: dict[str, object]
) -> None:
    is_unwanted = portal_request.cancel_wished_at is not None and decision.note in (
        matching.NO_WITNESS,
        matching.RESTORED,
    )
    match decision.verdict:
        case matching.Verdict.FOUND if decision.newcomer is not None:
            _adopt(portal_request, workstation_id=decision.newcomer.id, evidence=evidence)
        case _ if decision.verdict is matching.Verdict.NOT_CREATED or is_unwanted:
            _move_on(portal_request, failed=failed, evidence=evidence)
        case matching.Verdict.ASK if portal_request.status == models.Request.Status.QUEUED:
            status, failure = models.Request.Status.UNKNOWN, failures.NO_ANSWER
            moved = lifecycle.move_request(portal_request=portal_request, status=status, failure=failure)
            _note_review(portal_request, note=decision.note, evidence={**evidence, "moved": moved})
        case _ if portal_request.status == models.Request.Status.UNKNOWN:
            _note_review(portal_request, note=decision.note, evidence=evidence)


def _adopt(portal_request: models.Request, *, workstation_id: int, evidence: dict[str, object]) -> None:
    rows = models.Workstation.objects.select_related("workspace__owner").select_for_update(of=("self",))
    stored = rows.get(pk=workstation_id)
    mirrors = mirror.give_workstation(stored=stored, portal_request=portal_request)
    change = lifecycle.move_request(portal_request=portal_request, status=models.Request.Status.SUCCEEDED)
    detail = {"decision": "found", "workstation": stored.uid, **evidence, **change}
    _record(portal_request, detail=detail, rows=[portal_request, *mirrors])


def _keep_scan(evidence: dict[str, object]) -> None:
    """Keep the scan that an event names from being pruned."""
    if isinstance(number := evidence["scan"], int):
        models.Scan.objects.filter(pk=number, is_evidence=False).update(is_evidence=True)


def _move_on(portal_request: models.Request, *, failed: int, evidence: dict[str, object]) -> None:
    """Nothing was created: cancel it where that is wanted, let it fail for good, or send it again after a while."""
    states = models.Request.Status
    if portal_request.cancel_wished_at is not None:
        change = lifecycle.move_request(portal_request=portal_request, status=states.CANCELLED)
    elif portal_request.tries >= retry.FEW:
        failure = failures.CATALOGUE[portal_request.failure]
        change = lifecycle.move_request(portal_request=portal_request, status=states.FAILED, failure=failure)
    else:
        delay = settings.PORTAL_SETTLE_GRACE * min(2.0 ** (failed - 1), matching.PATIENCE)
        change = lifecycle.move_request(portal_request=portal_request, status=states.QUEUED, delay=delay)
        wake.wake_workers()
    _record(
        portal_request,
        detail={"decision": "not created", "workstation": None, **evidence, **change},
        rows=[portal_request],
    )


def _record(portal_request: models.Request, *, detail: dict[str, object], rows: list[Model]) -> None:
    audit.record_event(
        actor=None,
        verb="reconcile",
        target=portal_request,
        request_number=portal_request.pk,
        detail=detail,
        rows=rows,
    )
    _keep_scan(detail)


def _note_review(portal_request: models.Request, *, note: str, evidence: dict[str, object]) -> None:
    """Ask a person, or no longer: what was said of the lists lapses when the next scan says otherwise."""
    if portal_request.operator_note == note:
        return
    change = {"before": {"operator_note": portal_request.operator_note}, "after": {"operator_note": note}}
    portal_request.operator_note = note
    portal_request.save(update_fields=["operator_note"])
    audit.record_event(
        actor=None,
        verb="needs-review",
        target=portal_request,
        request_number=portal_request.pk,
        detail={**evidence, **change},
        reason=note,
    )
    _keep_scan(evidence)
