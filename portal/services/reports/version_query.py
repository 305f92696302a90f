"""What the page of a request depends on, in one small query: hundreds of open pages ask for it every few seconds."""

from dataclasses import dataclass

from django.db.models import BigIntegerField

from portal import models
from portal.services.key import circuit_breaker

# By hand: Django takes longer to write such a query than a database to answer it. Each change of a request is an event.
_QUERY = """
    SELECT k.*, r.requester_id, r.account_id AS request_account, r.status,
        (SELECT max(e.id) FROM portal_event e WHERE e.request_number = r.id) AS last_event,
        EXISTS (SELECT 1 FROM portal_attempt t WHERE t.request_id = r.id) AS was_claimed,
        CASE WHEN r.status = 'QUEUED' THEN (
            SELECT count(*) FROM portal_request q WHERE q.status = 'QUEUED'
        ) END AS waiting,
        (
            SELECT count(*) = 1 AND min(a.id) = r.account_id FROM portal_account a WHERE a.retired_at IS NULL
        ) AS is_present
    FROM portal_request r JOIN portal_key k ON k.account_id = r.account_id
    WHERE r.id = %s
"""


@dataclass(frozen=True, kw_only=True)
class RequestVersion:
    """A request at one moment: whose it is, and whether there was an attempt; and the state of the present key.

    `facts` differ wherever what is to be shown of the request differs, its place in the queue too.
    """

    requester_id: int
    was_claimed: bool
    key: models.Key
    facts: tuple[object, ...]


def read_request_version(*, number: int) -> RequestVersion | None:
    """None where there is no such request."""
    if number > BigIntegerField.MAX_BIGINT:
        return None
    for row in models.Key.objects.raw(_QUERY, [number]):
        found = vars(row)
        key = circuit_breaker.show_key(key=row) if found["is_present"] else circuit_breaker.get_current_key()
        facts = tuple(found[name] for name in ("requester_id", "request_account", "status", "last_event"))
        if found["status"] == models.Request.Status.QUEUED:
            facts += key.tick, found["waiting"]
        return RequestVersion(
            requester_id=found["requester_id"], was_claimed=bool(found["was_claimed"]), key=key, facts=facts
        )
    return None
