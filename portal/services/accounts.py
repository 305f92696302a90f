"""The account that the server's key belongs to."""

import hashlib
import hmac

from django.conf import settings
from django.db import transaction

from portal import models
from portal.services import databases


def get_current_account() -> models.Account:
    """The account of the configured base URL; made, with an open key, at its first use."""
    account = models.Account.objects.filter(base_url=settings.AGENTSTATION_BASE_URL, retired_at=None).first()
    return account or _create_account()


def fingerprint_key() -> str:
    """A short name for the server's key, which tells nothing of it to whoever does not hold SECRET_KEY."""
    secret = settings.SECRET_KEY.encode()
    return hmac.new(secret, b"agentstation key " + settings.AGENTSTATION_API_KEY.encode(), hashlib.sha256).hexdigest()[
        :16
    ]


@transaction.atomic
def _create_account() -> models.Account:
    account, _ = models.Account.objects.get_or_create(base_url=settings.AGENTSTATION_BASE_URL, retired_at=None)
    models.Key.objects.get_or_create(account=account, defaults={"fingerprint": fingerprint_key()})
    databases.get_database()  # before anything waits in it: a copy is told by the place that is noted now
    return account
