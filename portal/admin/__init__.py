"""Django admin: the record for auditors, read-only; people and groups for superusers. Importing it registers all."""

from portal.admin import accounts, events, mirrors, people, requests, seals, site

__all__ = ["accounts", "events", "mirrors", "people", "requests", "seals", "site"]
