"""The record: what was done, by whom, and the proof that nobody changed it since."""

from portal.services.audit.events import collect_events, describe_moment, record

__all__ = ["collect_events", "describe_moment", "record"]
