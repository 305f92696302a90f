"""The audit log: what was done, by whom, and the proof that nobody changed it since.

django-auditlog and django-simple-history hear of changes by Django's signals, which QuerySet.update() does not send,
django-pghistory by triggers of PostgreSQL alone. All three keep plain rows, which whoever writes there can change.
"""

from portal.services.audit.events import collect_events, describe_moment, record

__all__ = ["collect_events", "describe_moment", "record"]
