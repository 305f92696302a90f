"""After a backup was put back: what was sent since then is not known here, so nothing is sent before it is settled."""

from datetime import datetime

from django.db import transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from portal import failures, models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, circuit_breaker, database_moved, key_lock
from portal.services.lives import carrying_out
from portal.services.requests import lifecycle
from portal.services.runtime import workers

_UNSETTLED = (models.Request.Status.QUEUED, models.Request.Status.SENDING, models.Request.Status.UNKNOWN)
WORKER = "restore"  # stands where an attempt names its worker: nobody knows which one sent it, if any did


@transaction.atomic
def restore_requests() -> int:
    """Make all requests that have not ended unknown, and accept the database as it is. Returns how many."""
    return _restore(key=key_lock.lock_key(account=accounts.get_current_account()))


@transaction.atomic
def confirm_database(*, actor: models.User, account: models.Account, was_put_back: bool) -> int:
    """Say whether a database that changed was put back from a backup, and is to be restored, or was only moved.

    Returns the number of requests that this made unknown. Raises PauseRefused where nobody has to say so any more.
    """
    key = key_lock.lock_key(account=account)
    row = database_moved.find_doubt()
    if row is None:
        raise circuit_breaker.PauseRefused(_("Somebody has already said what happened to the database."))
    detail = {"before": row.doubt, "after": "put-back" if was_put_back else "moved"}
    count = 0
    if was_put_back:
        count = _restore(key=key)
    else:
        row = database_moved.accept_database(key=key)
    audit.record(Verb.CONFIRM_DATABASE, row, by=actor, detail=detail)
    workers.wake_workers()
    return count


def _restore(*, key: models.Key) -> int:
    database_moved.skip_numbers()
    lost_since, lost_since_tick = _find_beginning(account=key.account)
    restored = models.Restore(account=key.account, lost_since=lost_since, lost_since_tick=lost_since_tick)
    unsettled = models.Request.objects.filter(account=key.account, status__in=_UNSETTLED)
    rows = list(unsettled.select_related("account__key").select_for_update(of=("self",)).order_by("pk"))
    count = sum(_make_unknown(portal_request, key=key) for portal_request in rows)
    database = database_moved.accept_database(key=key)
    restored.restored_tick = key.tick
    restored.save()
    kept = carrying_out.postpone_ends(account=key.account)
    audit.record(Verb.RESTORE, restored, detail={"requests": count}, rows=[restored, database, *kept])
    return count


def _find_beginning(*, account: models.Account) -> tuple[datetime, int]:
    """When the oldest attempt was claimed of which the backup does not know what it made, or else the newest of all.

    With its tick: since the backup was put back, scans may have listed what is lost.
    """
    attempts = models.Attempt.objects.filter(request__account=account)
    outcomes = (models.Attempt.Outcome.SENDING, models.Attempt.Outcome.UNKNOWN)
    first = attempts.filter(request__status__in=_UNSETTLED, outcome__in=outcomes).exclude(worker=WORKER)
    attempt = first.order_by("claimed_tick").first() or attempts.order_by("-claimed_tick").first()
    return (attempt.claimed_at, attempt.claimed_tick) if attempt else (account.created_at, 0)


def _make_unknown(portal_request: models.Request, *, key: models.Key) -> bool:
    """Give it an attempt that stands for what may have been sent. False where it has one already."""
    last = portal_request.attempts.order_by("-number").first()
    if portal_request.status == models.Request.Status.UNKNOWN and last is not None and last.worker == WORKER:
        return False
    unknown = {"outcome": models.Attempt.Outcome.UNKNOWN, "failure": failures.NO_ANSWER.code, "ended_at": Now()}
    rows: list[Model] = []
    if last is not None and last.outcome == models.Attempt.Outcome.SENDING:  # when the backup was made
        last.change(ended_tick=key_lock.advance_tick(key=key), **unknown)
        rows.append(last)
    tick = key_lock.advance_tick(key=key)
    attempt = models.Attempt.objects.create(
        request=portal_request,
        number=portal_request.attempts.count() + 1,
        worker=WORKER,
        key_fingerprint=accounts.fingerprint_key(account=key.account),
        claimed_tick=tick,
        ended_tick=tick,
        deadline_at=Now(),
        **unknown,
    )
    is_unknown = portal_request.status == models.Request.Status.UNKNOWN
    change = {} if is_unknown else lifecycle.make_unknown(portal_request=portal_request, count_attempt=False)
    audit.record(Verb.RESTORED, attempt, detail=change, rows=[*rows, attempt, portal_request])
    return True
