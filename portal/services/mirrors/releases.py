"""Releases: ending workstations at the provider. Claim, call and record, as for requests, but ahead of them."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal import agentstation, failures, models
from portal.db import clock, release_connection
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, circuit_breaker, credentials, database_moved, key_lock, pace
from portal.services.mirrors import contract_drift, missing
from portal.services.runtime import calls, workers

_LONGEST_CALL = 10.0  # seconds: a release can be repeated, and others wait for this one


class NotLive(Exception):
    """The workstation has ended, or is being released already; the message is fit for the person."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """A claimed try to release a workstation: the `number`th. `send_before` is a reading of agentstation.boottime()."""

    workstation_id: int
    uid: str
    number: int
    send_before: float


Result = calls.Result[agentstation.Released]


def request_release(*, actor: models.User, workstation: models.Workstation, reason: str = "") -> None:
    """Note that a workstation is to be released; a worker sends it. Raises NotLive where it has ended.

    Whoever releases what somebody else asked for says why.
    """
    rows = models.Workstation.objects.filter(ended_at=None, release_requested_at=None)
    with key_lock.deciding(account=workstation.account_id):
        if not mark_release_requested(workstation=workstation, rows=rows, actor=actor, reason=reason):
            raise NotLive(_("This workstation has ended, or is already being released."))


@transaction.atomic
def request_releases(*, actor: models.User, workstations: Iterable[models.Workstation], reason: str = "") -> int:
    """The same for several. Returns how many; those that have ended meanwhile are left out."""
    released = 0
    for workstation in workstations:
        with suppress(NotLive):
            request_release(actor=actor, workstation=workstation, reason=reason)
            released += 1
    return released


def mark_release_requested(
    *, workstation: models.Workstation, rows: QuerySet[models.Workstation], actor: models.User | None, reason: str
) -> bool:
    """Let the workstation be released at once, in the caller's transaction. False where it is not among the rows.

    Without an actor the portal releases it, at its end.
    """
    if not workstation.update_where(rows, release_requested_at=Now(), release_requested_by=actor, release_due_at=Now()):
        return False
    workers.wake_workers(work=workers.Work.RELEASES)
    detail = audit.describe_moment(row=workstation, column="release_requested_at")
    audit.record(Verb.REQUEST_RELEASE, workstation, by=actor, detail=detail, reason=reason)
    return True


def withdraw_release(*, stored: models.Workstation, reason: str) -> None:
    """Let a workstation run that was to end, by a wish or at its end, in the caller's transaction: its ID may be
    another's by now. It counts as unused only from now on.

    A try under way is the last.
    """
    moments = {name: getattr(stored, name) for name in ("release_requested_at", "ends_at")}
    ends = {"ends_at": None, "planned_end_at": None, "end_is_idle": False, "end_set_at": Now()}
    nothing = dict.fromkeys(("release_requested_at", "release_requested_by", "release_due_at"))
    stored.change(release_tries=0, release_failure="", **nothing, **ends)
    if not any(moments.values()):
        return
    before = {name: moment and moment.isoformat() for name, moment in moments.items()}
    audit.record(
        Verb.WITHDRAW_RELEASE, stored, detail={"before": before, "after": dict.fromkeys(moments)}, reason=reason
    )


def find_next_try(*, account: models.Account) -> datetime | None:
    """When releases go on that AgentStation's rate limit has stopped; None where it stops none."""
    refused = models.Workstation.objects.refused_releases(account)
    ends = (
        min(row.release_due_at, row.release_tried_at + models.RELEASES_WAIT)
        for row in refused
        if row.release_due_at and row.release_tried_at
    )
    return max(ends, default=None)


def claim_release() -> Release | None:
    """Take the next release that may be sent now; None where there is none.

    Looks without a lock first, so that an idle sender does not take SQLite's only write lock.
    """
    boottime = agentstation.boottime()
    if not models.Workstation.objects.live().filter(release_requested_at__isnull=False).exists():
        return None  # an idle sender asks for no more
    account = accounts.get_current_account()
    due = models.Workstation.objects.due_for_release(account)
    if not due.exists() or not accounts.is_key_accepted(account=account):
        return None
    with transaction.atomic():
        key = key_lock.lock_key(account=account)
        if not database_moved.may_call(key=key):
            return None
        stored = pace.choose_release(account=account, now=clock.read_clock())
        return _claim(stored, boottime=boottime) if stored else None


def _claim(stored: models.Workstation, *, boottime: float) -> Release | None:
    """Put the next try off until this one's deadline, unless the workstation has ended in this moment."""
    number = stored.release_tries + 1
    claimed = _list_unchanged(stored.pk, tries=stored.release_tries).update(
        release_tries=number,
        release_tried_at=Now(),
        release_failure="",
        release_due_at=Now() + calls.get_time_limit(longest=_LONGEST_CALL),
    )
    if not claimed:
        return None
    send_before = boottime + calls.get_send_seconds(longest=_LONGEST_CALL)
    return Release(workstation_id=stored.pk, uid=stored.uid, number=number, send_before=send_before)


def send_release(*, release: Release, client: agentstation.Client) -> Result:
    """Send it to the provider. No transaction may be open, and on PostgreSQL no connection is held meanwhile."""
    call = partial(
        client.hurried(total_timeout=_LONGEST_CALL).release_workstation,
        uid=release.uid,
        send_before=release.send_before,
        may_send=lambda _seconds: _may_still_send(release),
    )
    return calls.make_call(call=call)


def _may_still_send(release: Release) -> bool:
    """Whether it is still to be sent, by the database's word: its ID may be another's by now, or the database moved."""
    try:
        stored = _list_unchanged(release.workstation_id, tries=release.number).select_related("account__key").first()
        return stored is not None and not circuit_breaker.stops_all_calls(key=stored.account.key)
    except DatabaseError:
        return False
    finally:
        release_connection()


def _list_unchanged(number: int, *, tries: int) -> QuerySet[models.Workstation]:
    """The workstation alone, while it is to be released and was tried so often."""
    asked = models.Workstation.objects.live().filter(release_requested_at__isnull=False)
    return asked.filter(pk=number, release_tries=tries)


@transaction.atomic
def record_release(*, release: Release, result: Result) -> None:
    """Write what came of it: the end, that it is missing, or when it is tried again. Safe to repeat after an error."""
    account = models.Account.objects.get(workstations=release.workstation_id)
    key = key_lock.lock_key(account=account)
    stored = models.Workstation.objects.select_for_update().get(pk=release.workstation_id)
    if result.value is not None:
        contract_drift.note_deviations(deviations=result.value.deviations, request_number=stored.request_id)
    if stored.ended_at is not None:
        return
    if result.value is not None and result.value.released:
        missing.end_workstation(stored=stored, before=missing.describe_life(stored=stored))
    elif stored.release_tries == release.number:  # else it was tried again since, which says more
        _try_again(key=key, stored=stored, result=result)


def _try_again(*, key: models.Key, stored: models.Workstation, result: Result) -> None:
    failure = failures.UNREADABLE if result.value is not None else result.failure
    if failure is not None and failure.means_missing:
        missing.note_missing(key=key, stored=stored, why="release")
    if failure is not None and failure.pause is failures.Pause.UNTIL_ACCEPTED:
        credentials.note_refusal_under_lock(key=key)
    delay = pace.choose_delay(attempt_count=stored.release_tries, retry_after=result.retry_after or None)
    # Of a workstation only the last try is counted in the pace, so there may be no more than one a minute.
    if settings.PORTAL_CALLS_PER_MINUTE:
        delay = max(delay, pace.MINUTE.total_seconds())
    due_at = Now() + timedelta(seconds=delay) if failure else Now()
    stored.change(release_failure=failure.code if failure else "", release_due_at=due_at)
