"""The record: what was done, by whom, and the proof that nobody changed it since."""

from portal.services.audit.events import record_event

__all__ = ["record_event"]
