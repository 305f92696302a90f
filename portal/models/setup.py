"""The link with which the first administrator is made."""

from django.db import models

from portal.models.clock import Now


class SetupLink(models.Model):
    """A one-time link. Only the hash of its token is kept; a newer link replaces it."""

    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"set-up link of {self.created_at}"
