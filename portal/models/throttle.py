"""How often signing in has failed of late."""

from django.db import models


class SignInThrottle(models.Model):
    """The failures under one name, from one address, or of one browser. Which one is known by a keyed digest alone."""

    digest = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=16)
    failures = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()
    blocked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["last_at"], name="throttle_by_time")]

    def __str__(self) -> str:
        return f"{self.failures} failures of one {self.kind}"
