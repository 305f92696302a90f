"""Retention: what is older than PORTAL_KEEP_DAYS goes, requests first and then their events."""
