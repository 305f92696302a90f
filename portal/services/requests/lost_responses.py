"""Responses to attempts that are not in the database any more: kept, and given to nobody."""

from collections.abc import Mapping

from django.db.models import Model

from portal import agentstation, models
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, database_moved, key_lock
from portal.services.mirrors import contract_drift, mirror
from portal.services.requests import dispatch


def keep_response(*, call: dispatch.Call, result: dispatch.Result, columns: Mapping[str, object]) -> None:
    """Keep the response in the caller's transaction; its workstation becomes an orphan. Safe to repeat.

    That the attempt is missing shows that the database went back, which pauses the key.
    """
    if result.outcome == models.Attempt.Outcome.NOT_SENT:
        return  # nothing was sent: there is nothing to keep
    account, workstation = accounts.get_current_account(), result.value
    key = key_lock.lock_key(account=account)
    defaults = {"account": account, "attempt_number": call.attempt_id, "outcome": result.outcome, **columns}
    lost, is_new = models.LostResponse.objects.get_or_create(token=call.token, defaults=defaults)
    if not is_new:
        return
    rows: list[Model] = [lost]
    if workstation is not None:
        rows += _keep_orphan(account=account, workstation=workstation)
    detail = {"outcome": result.outcome, "workstation": workstation.uid if workstation else None}
    audit.record(Verb.LOST_RESPONSE, lost, detail=detail, rows=rows)
    database_moved.doubt_database(key=key, what="lost-attempt")


def _keep_orphan(*, account: models.Account, workstation: agentstation.Workstation) -> list[Model]:
    """The mirror, unless somebody owns it already. It was made here, so it is not foreign."""
    contract_drift.note_deviations(deviations=workstation.deviations)
    stored = mirror.store_response(account=account, workstation=workstation, portal_request=None)
    if stored.request_id is not None:
        return []
    stored.change(is_foreign=False)
    return [stored]
