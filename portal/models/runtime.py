"""What running processes keep: who does a job, which workers live, how often somebody did what, and Django's cache."""

from django.db import models
from django.db.models import F

from portal.models.clock import Now


class Lease(models.Model):
    """The right to do one job until it expires. All transactions of a holder check its token, the highest so far."""

    name = models.CharField(max_length=32, primary_key=True)
    holder = models.CharField(max_length=200)
    token = models.PositiveBigIntegerField(default=0)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Worker(models.Model):
    """A `manage.py work` process, and when it last showed that it lives."""

    name = models.CharField(max_length=200, primary_key=True)
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class Limit(models.Model):
    """What one person did of one kind in the present window. Of failures to sign in `who` is a keyed digest."""

    pk = models.CompositePrimaryKey("kind", "who")
    kind = models.CharField(max_length=16)
    who = models.CharField(max_length=64)
    count = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(db_default=Now())  # when the window began; of failures to sign in, the last one
    blocked_until = models.DateTimeField(null=True)
    left_out = models.PositiveIntegerField(default=0)  # refusals since the last event about one
    addresses = models.JSONField(default=dict)  # of failures to sign in: how many of these came from where

    class Meta:
        indexes = [models.Index(F("at"), name="limit_by_time")]

    def __str__(self) -> str:
        return f"{self.count} of {self.kind}"


class CacheEntry(models.Model):
    """A row of Django's cache in the database: portal/accounts/cache.py."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "portal_cache"

    def __str__(self) -> str:
        return self.cache_key
