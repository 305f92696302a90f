"""Group commit: one transaction records what a worker's senders have brought and claims requests for them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction

from portal import agentstation, models
from portal.services import audit
from portal.services.key import key_lock
from portal.services.requests import dispatch, results
from portal.services.runtime import workers

LARGEST = 16  # results, and claims
LONGEST = 0.05  # seconds of recording; others wait for the key meanwhile


@dataclass(frozen=True, kw_only=True)
class Delivery:
    call: dispatch.Call
    result: dispatch.Result


@dataclass(kw_only=True)
class Batch:
    """What is to be recorded, how many requests may be claimed at most, and what came of it.

    After an error `claimed` may be in the database or not; what was to be recorded, too, and can be recorded again.
    """

    brought: Sequence[Delivery]
    most: int
    account: models.Account | None = None  # given where it is not to be looked for what may be claimed
    is_any_due: bool = True  # as the look says, and then the claim
    recorded: list[Delivery] = field(default_factory=list)
    requests: list[models.Request] = field(default_factory=list)  # of what is recorded
    apart: list[Delivery] = field(default_factory=list)  # to be recorded by themselves
    claimed: list[dispatch.Call] = field(default_factory=list)


def commit_batch(*, batch: Batch, worker: str) -> None:
    """All, or nothing. Record first: that frees what may be in flight. Takes no lock where there is nothing to do."""
    boottime = agentstation.boottime()
    if batch.account is None:
        batch.account, batch.is_any_due = dispatch.look_for_requests()
    may_claim = batch.is_any_due and batch.most > 0
    if not (batch.brought or may_claim):
        return
    with transaction.atomic(), audit.collect_events():
        key = key_lock.lock_key(account=batch.account)
        _save_results(batch, key=key)
        workers.announce_outcomes(requests=batch.requests)
        if may_claim:
            batch.claimed, batch.is_any_due = dispatch.claim_with_key(
                key=key, worker=worker, most=min(batch.most, LARGEST), boottime=boottime
            )
        else:  # what was recorded may have to be sent again, which no look has seen
            batch.is_any_due = True


def _save_results(batch: Batch, *, key: models.Key) -> None:
    begun_at = time.monotonic()
    for delivery in batch.brought[:LARGEST]:
        if batch.recorded and time.monotonic() - begun_at > LONGEST:
            break
        if delivery.call.account_id != key.account_id:
            batch.apart.append(delivery)  # another key's lock is for another transaction
            continue
        batch.requests += results.save_result(key=key, call=delivery.call, result=delivery.result)
        batch.recorded.append(delivery)
