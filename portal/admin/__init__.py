"""Django admin: the audit log for auditors, read-only; people and groups for superusers."""
