"""All pages. Imported when the site that they register with is made, whose class lies in this package too."""

from portal.admin import accounts, connections, events, identity, mirrors, people, requests, seals

__all__ = ["accounts", "connections", "events", "identity", "mirrors", "people", "requests", "seals"]
