"""Claims as the dispatcher makes them, without its loop."""

from django.db import transaction

from portal import agentstation
from portal.services.key import key_lock
from portal.services.requests import dispatch


def claim_requests(*, worker: str, most: int) -> list[dispatch.Call]:
    """Take the next requests that may be sent now, at most so many, and write their attempts."""
    boottime = agentstation.boottime()
    account, is_any_due = dispatch.look_for_requests()
    if not is_any_due:
        return []
    with transaction.atomic():
        key = key_lock.lock_key(account=account)
        return dispatch.claim_with_key(key=key, worker=worker, most=most, boottime=boottime)
