"""The database's clock: the one that all machines share."""

from datetime import datetime

from portal import models
from portal.models.clock import Now


def read_clock(*, account: models.Account) -> datetime:
    """The time by the database, read anew (the account's row is only there to have something to select from)."""
    now: datetime = models.Account.objects.filter(pk=account.pk).values_list(Now(), flat=True).get()
    return now
