"""All pages. Imported when the site that they register with is made, whose class lies in this package too."""

from portal.admin import accounts, events, mirrors, people, requests

__all__ = ["accounts", "events", "mirrors", "people", "requests"]
