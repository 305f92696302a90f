"""Leases: which worker does a job now."""

from django.db import models


class Lease(models.Model):
    """The right to do one job until it expires.

    Each new holder gets a higher fencing token, which all its transactions check.
    """

    name = models.CharField(max_length=32, primary_key=True)
    holder = models.CharField(max_length=200)
    token = models.PositiveBigIntegerField(default=0)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
