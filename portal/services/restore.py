"""After a backup was put back: what was sent since then is not known here, so all is settled before it is sent."""

from django.db import transaction

from portal import failures, models
from portal.models.clock import Now
from portal.services import accounts, audit, keyhold, lifecycle

WORKER = "restore"  # stands where an attempt names its worker: nobody knows which one sent it, if any did


@transaction.atomic
def restore_requests() -> int:
    """Make every waiting request of the account unknown, with an attempt that stands for what may have been sent.

    Settling then goes by the provider's lists as always. Returns how many.
    """
    key = keyhold.lock_key(account=accounts.get_current_account())
    queued = models.Request.objects.filter(account=key.account, status=models.Request.Status.QUEUED)
    rows = list(queued.select_related("account__key").select_for_update(of=("self",)).order_by("pk"))
    for portal_request in rows:
        _make_unknown(portal_request, key=key)
    audit.record_event(actor=None, verb="restore", target=key, detail={"requests": len(rows)}, rows=())
    return len(rows)


def _make_unknown(portal_request: models.Request, *, key: models.Key) -> None:
    tick = keyhold.advance_tick(key=key)
    attempt = models.Attempt.objects.create(
        request=portal_request,
        number=portal_request.attempts.count() + 1,
        worker=WORKER,
        key_fingerprint=accounts.fingerprint_key(account=key.account),
        claimed_tick=tick,
        ended_tick=tick,
        deadline_at=Now(),
        ended_at=Now(),
        outcome=models.Attempt.Outcome.UNKNOWN,
        failure=failures.NO_ANSWER.code,
    )
    change = lifecycle.move_request(
        portal_request=portal_request, status=models.Request.Status.UNKNOWN, failure=failures.NO_ANSWER
    )
    audit.record_event(
        actor=None,
        verb="restored",
        target=attempt,
        request_number=portal_request.pk,
        detail=change,
        rows=[attempt, portal_request],
    )
