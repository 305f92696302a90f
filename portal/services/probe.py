"""The probe: a harmless call that shows whether a key that was refused works again."""

from portal import agentstation
from portal.db import release_connection
from portal.services import accounts, keyhold, leases


def probe_key(*, held: leases.Lease, client: agentstation.Client) -> bool:
    """Make a probe where one is due. True where it passed."""
    account = accounts.get_current_account()
    if not account.key.is_held or not keyhold.is_confirmed(account=account):
        return False
    if not keyhold.claim_probe(account=account, held=held):
        return False
    release_connection()
    try:
        client.check_key()
    except agentstation.AgentStationError:
        passed = False
    else:
        passed = True
    keyhold.note_probe(account=account, passed=passed, held=held)
    return passed
