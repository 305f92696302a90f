"""How far the audit log has been sent away."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class StreamPosition(models.Model):
    """The one row that says up to which event everything has left this machine."""

    last_id = models.BigIntegerField(default=0, help_text=_("The newest event that is certain to have arrived."))
    place = models.CharField(max_length=300, help_text=_("Where the database is that is sent: a copy is elsewhere."))

    class Meta:
        constraints = [models.CheckConstraint(name="stream_position_is_one", condition=Q(pk=1))]

    def __str__(self) -> str:
        return f"sent up to event {self.last_id}"
