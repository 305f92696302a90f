"""Django admin: the audit log for auditors, read-only; people and groups for superusers. Importing it registers all."""

from portal.admin import accounts, events, findings, identity, mirrors, people, requests, seals, site

__all__ = ["accounts", "events", "findings", "identity", "mirrors", "people", "requests", "seals", "site"]
