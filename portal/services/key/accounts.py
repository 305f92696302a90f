"""The account that this process serves, and the fingerprint of its key."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from portal import models
from portal.models.clock import Now
from portal.models.compiled import compiled
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import databases


def list_in_use() -> QuerySet[models.Account]:
    """All accounts that are not retired, newest first, each with its key's state, as every page needs that."""
    return models.Account.objects.filter(retired_at=None).select_related("key").order_by("-pk")


@compiled()
def _read_in_use() -> QuerySet[models.Account]:
    return list_in_use()


def get_current_account(*, among: Sequence[models.Account] | None = None) -> models.Account:
    """The account that accepts this process's key; while none does, that of its base URL, or the newest in use.

    Made, with this key, where there is none. `among`: those in use, newest first, where the caller reads more of them.
    """
    in_use = _read_in_use() if among is None else list(among)
    # Every page comes here, and whether a key is accepted costs a query an account.
    if len(in_use) > 1:
        in_use.sort(
            key=lambda one: (is_key_accepted(account=one), one.base_url == settings.AGENTSTATION_BASE_URL), reverse=True
        )
    return in_use[0] if in_use else _create_account()


def is_key_accepted(*, account: models.Account) -> bool:
    """Whether this process's key is known to be this account's, which is in use: others' lists show nothing of ours."""
    return list_accepted(account_id=account.pk, fingerprint=fingerprint_key(account=account)).exists()


def list_accepted(*, account_id: int, fingerprint: str) -> QuerySet[models.Credential]:
    """The credential with this fingerprint, where it is accepted for an account that is in use."""
    accepted = models.Credential.objects.accepted().filter(account=account_id, account__retired_at=None)
    return accepted.filter(fingerprint=fingerprint)


def fingerprint_key(*, account: models.Account) -> str:
    """A short name for this process's base URL and key; slow to make, so that nobody finds the key by trying."""
    return _make_fingerprint(
        salt=account.salt, base_url=settings.AGENTSTATION_BASE_URL, api_key=settings.AGENTSTATION_API_KEY
    )


@lru_cache(maxsize=16)
def _make_fingerprint(*, salt: str, base_url: str, api_key: str) -> str:
    secret = f"{base_url}\n{api_key}".encode()
    return hashlib.scrypt(secret, salt=salt.encode(), n=2**14, r=8, p=1, dklen=8).hex()


def learn_offset(*, attempt: models.Attempt, started_at: datetime | None) -> None:
    """Keep by how much startedAt is ahead of the database's clock: this one was between the claim and now."""
    if started_at is None:
        return
    account = attempt.request.account
    least, most = ((started_at - moment).total_seconds() for moment in (attempt.now, attempt.claimed_at))
    offset = min(max(account.started_offset or 0.0, least), most)
    if offset != account.started_offset:
        account.change(started_offset=offset)


@transaction.atomic
def _create_account() -> models.Account:
    base_url = settings.AGENTSTATION_BASE_URL
    account, is_new = models.Account.objects.get_or_create(base_url=base_url, retired_at=None)
    models.Key.objects.get_or_create(account=account)
    if is_new:
        credential = models.Credential.objects.create(
            account=account,
            fingerprint=fingerprint_key(account=account),
            base_url=base_url,
            is_sandbox=settings.USING_SANDBOX,
            accepted_at=Now(),
        )
        audit.record(Verb.FIRST_KEY, credential, detail={"base_url": base_url})
    databases.get_database()  # before anything waits in it: a copy is recognized by the place that is noted now
    return account
