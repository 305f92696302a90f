"""The probe: a harmless call that shows whether a key that was refused is accepted."""

from django.db import transaction

from portal import agentstation, failures, models
from portal.db import release_connection
from portal.services.key import accounts, circuit_breaker, credentials, key_lock
from portal.services.runtime import leases


def probe_key(*, client: agentstation.Client) -> bool:
    """Make a probe where one is due. True where it passed.

    Raises LeaseLost where the key is refused of this worker alone: another has to try its own.
    """
    account = accounts.get_current_account()
    if account.key.probe_at is None or not circuit_breaker.is_confirmed(account=account):
        return False
    claimed = circuit_breaker.claim_probe(account=account)
    if claimed is None:
        return False
    release_connection()
    failure = None
    try:
        client.check_key()
    except agentstation.AgentStationError as error:
        failure = failures.classify_error(error)
    circuit_breaker.note_probe(account=account, probe=claimed, failure=failure)
    if failure is not None and failure.pause is failures.Pause.UNTIL_ACCEPTED and _withdraw_key(account=account):
        leases.drop_lease()
        raise leases.LeaseLost("the key of this worker is refused, and another worker has one that may be accepted")
    return failure is None


@transaction.atomic
def _withdraw_key(*, account: models.Account) -> bool:
    key = key_lock.lock_key(account=account)
    return credentials.withdraw_key(key=key, fingerprint=accounts.fingerprint_key(account=account))
