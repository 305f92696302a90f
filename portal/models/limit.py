"""How often somebody has done of late what costs others."""

from django.db import models
from django.db.models import F

from portal.models.clock import Now


class Limit(models.Model):
    """What one person did of one kind in the present window. Of failures to sign in `who` is a keyed digest."""

    pk = models.CompositePrimaryKey("kind", "who")
    kind = models.CharField(max_length=16)
    who = models.CharField(max_length=64)
    count = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(db_default=Now())  # when the window began; of failures to sign in, the last one
    blocked_until = models.DateTimeField(null=True)
    left_out = models.PositiveIntegerField(default=0)  # refusals since the last event about one

    class Meta:
        indexes = [models.Index(F("at"), name="limit_by_time")]

    def __str__(self) -> str:
        return f"{self.count} of {self.kind}"
