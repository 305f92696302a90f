"""The probe: a harmless call that shows whether a key that was refused is accepted."""

from portal import agentstation, failures
from portal.db import release_connection
from portal.services.key import accounts, circuit_breaker
from portal.services.runtime import leases


def probe_key(*, lease: leases.Lease, client: agentstation.Client) -> bool:
    """Make a probe where one is due. True where it passed."""
    account = accounts.get_current_account()
    if account.key.probe_at is None or not circuit_breaker.is_confirmed(account=account):
        return False
    claimed = circuit_breaker.claim_probe(account=account, lease=lease)
    if claimed is None:
        return False
    release_connection()
    failure = None
    try:
        client.check_key()
    except agentstation.AgentStationError as error:
        failure = failures.classify_error(error)
    circuit_breaker.note_probe(account=account, probe=claimed, failure=failure, lease=lease)
    return failure is None
