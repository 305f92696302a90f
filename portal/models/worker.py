"""The workers that have been seen."""

from django.db import models

from portal.models.clock import Now


class Worker(models.Model):
    """A `manage.py work` process, and when it last showed that it lives."""

    name = models.CharField(max_length=200, primary_key=True)
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name
