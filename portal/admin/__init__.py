"""Django admin: the audit log for auditors, read-only; people and groups for superusers. Importing it registers all."""

from portal.admin import accounts, connections, events, identity, mirrors, people, requests, seals, site

__all__ = [
    "accounts",
    "connections",
    "events",
    "identity",
    "mirrors",
    "people",
    "requests",
    "seals",
    "site",
]
