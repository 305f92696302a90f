"""Shares: whom an owner lets into a workstation."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.models.audited import Audited
from portal.models.clock import Now
from portal.models.user import User
from portal.models.workstation import Workstation


class ShareQuerySet(models.QuerySet["Share"]):
    def current(self) -> "ShareQuerySet":
        return self.filter(
            Q(until=None) | Q(until__gt=Now()), ended_at=None, workstation__in=Workstation.objects.live()
        )

    def of(self, person: User) -> "ShareQuerySet":
        return self.current().filter(person=person)


class Share(Audited):
    """A person whom the owner of a workstation lets look or work, for as long as it lives or until a time."""

    AUDITED = ("workstation_id", "person_id", "level", "until", "ended_at")
    BEGINS = True

    class Level(models.TextChoices):
        LOOK = "look", _("Look only")
        WORK = "work", _("Look and work")

    workstation = models.ForeignKey(Workstation, on_delete=models.PROTECT, related_name="shares")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="shares")
    level = models.CharField(max_length=8, choices=Level)
    created_at = models.DateTimeField(db_default=Now())
    until = models.DateTimeField(null=True, help_text=_("Empty: for as long as the workstation lives."))
    ended_at = models.DateTimeField(null=True, help_text=_("When it was taken back."))

    objects = ShareQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(F("workstation"), F("person"), name="share_once", condition=Q(ended_at=None))
        ]

    def __str__(self) -> str:
        return f"{self.workstation} with {self.person}"

    @property
    def is_for_looking(self) -> bool:
        return self.level == self.Level.LOOK
