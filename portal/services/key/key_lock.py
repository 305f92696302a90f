"""The lock of the key's row, which orders all that is claimed, recorded and decided of an account, and its tick."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models import BigIntegerField, QuerySet

from portal import models
from portal.models.compiled import compiled
from portal.services.runtime import leases


def lock_key(*, account: models.Account | int) -> models.Key:
    """The key's row, of the account or its id, locked until the transaction ends. Always a transaction's first lock."""
    found = _lock_keys(account_id=account if isinstance(account, int) else account.pk)
    if not found:
        raise models.Key.DoesNotExist
    return found[0]


@compiled(account_id=BigIntegerField())
def _lock_keys(*, account_id: int) -> QuerySet[models.Key]:
    return models.Key.objects.select_related("account").select_for_update(of=("self",)).filter(account=account_id)


@contextmanager
def holding(*, account: models.Account) -> Iterator[models.Key]:
    """A transaction of a job under the key's lock, as far as its lease is still its own."""
    with transaction.atomic():
        key = lock_key(account=account)
        leases.renew_lease()
        yield key


@contextmanager
def deciding(*, account: models.Account | int) -> Iterator[None]:
    """A transaction in which somebody decides something: where a database has lost that, its tick shows it."""
    with transaction.atomic():
        advance_tick(key=lock_key(account=account))
        yield


def advance_tick(*, key: models.Key) -> int:
    """The locked key's next tick: what has a higher one happened later, whatever the clocks say."""
    key.change(tick=key.tick + 1)
    return key.tick
