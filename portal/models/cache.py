"""Django's cache in the database, for what all machines must know for a short time."""

from django.db import models


class CacheEntry(models.Model):
    """A row of the table that Django's DatabaseCache reads and writes by SQL of its own."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "portal_cache"

    def __str__(self) -> str:
        return self.cache_key
