"""The audit log: what was done, by whom, and the proof that nobody changed it since.

See docs/audit-log.md, and for the alternatives docs/decisions/0006-signed-events-and-seals.md.
"""

from portal.services.audit.events import acting_from, collect_events, describe_moment, record

__all__ = ["acting_from", "collect_events", "describe_moment", "record"]
