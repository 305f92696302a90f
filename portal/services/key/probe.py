"""The probe: a harmless call that shows whether a key that was refused works again."""

from portal import agentstation
from portal.db import release_connection
from portal.services.key import accounts, circuit_breaker
from portal.services.runtime import leases


def probe_key(*, lease: leases.Lease, client: agentstation.Client) -> bool:
    """Make a probe where one is due. True where it passed."""
    account = accounts.get_current_account()
    if not account.key.is_paused or not circuit_breaker.is_confirmed(account=account):
        return False
    if not circuit_breaker.claim_probe(account=account, lease=lease):
        return False
    release_connection()
    try:
        client.check_key()
    except agentstation.AgentStationError:
        passed = False
    else:
        passed = True
    circuit_breaker.note_probe(account=account, passed=passed, lease=lease)
    return passed
