"""The audit log: what was done, by whom, and the proof that nobody changed it since. docs/audit-log.md."""

from portal.services.audit.events import Origin, acting_from, collect_events, describe_moment, read_address, record

__all__ = ["Origin", "acting_from", "collect_events", "describe_moment", "read_address", "record"]
