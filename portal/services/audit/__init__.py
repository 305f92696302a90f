"""The record: what was done, by whom, and the proof that nobody changed it since."""

from portal.services.audit.events import describe_moment, record

__all__ = ["describe_moment", "record"]
