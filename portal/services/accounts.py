"""The account that the server's key belongs to."""

from django.conf import settings
from django.db import transaction

from portal import models


def get_current_account() -> models.Account:
    """The account of the configured base URL; made, with an open key, at its first use."""
    account = models.Account.objects.filter(base_url=settings.AGENTSTATION_BASE_URL).first()
    return account or _create_account()


@transaction.atomic
def _create_account() -> models.Account:
    account, _ = models.Account.objects.get_or_create(base_url=settings.AGENTSTATION_BASE_URL)
    models.Key.objects.get_or_create(account=account)
    return account
