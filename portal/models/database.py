"""What the portal knows of its own database: which one it is, when it went back, and what came for nobody."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.models.account import Account
from portal.models.attempt import ProviderResponse, UnawaitedResponse
from portal.models.audited import Audited
from portal.models.clock import Now


class Database(Audited):
    """The one row by which a worker knows its database, and recognizes a copy or an older state of it."""

    AUDITED = ("identity", "place", "timeline", "timeline_tick", "doubt", "doubted_at")

    identity = models.CharField(max_length=32, unique=True, help_text=_("Random; a copy of the database has it too."))
    place = models.CharField(max_length=300, help_text=_("Where it was when it was last in use; a copy is elsewhere."))
    timeline = models.BigIntegerField(default=0, help_text=_("PostgreSQL's: another one after a replica took over."))
    timeline_tick = models.PositiveBigIntegerField(
        default=0, help_text=_("The key's tick when the timeline was taken as it is.")
    )
    doubt = models.CharField(
        max_length=32, help_text=_("What changed, until an operator says what became of the database.")
    )
    doubted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="database_is_one", condition=Q(pk=1)),
            models.CheckConstraint(
                name="database_doubt_has_time",
                condition=Q(doubt="", doubted_at=None) | (~Q(doubt="") & Q(doubted_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return self.identity

    @property
    def explanation(self) -> str:
        """Why the database is in doubt, in a sentence; empty where it is not."""
        return str(_EXPLANATIONS.get(self.doubt, ""))


_EXPLANATIONS = {
    "place": _("It is in another place than before, as a copy would be."),
    "no-file": _("The file beside it that remembers it is missing."),
    "identity": _("It is another one than the file beside it, or the worker, remembers."),
    "tick": _("What the worker has seen in it is missing, as after a backup was restored."),
    "timeline": _("A replica has taken over, and nobody saw whether it had everything."),
    "lost-attempt": _("A response came from AgentStation for a request that it does not know to have been sent."),
}


class Restore(Audited):
    """A backup was put back: of what happened at the provider between the two moments nothing is known here."""

    AUDITED = ("account_id", "lost_since", "lost_since_tick", "restored_at", "restored_tick")
    BEGINS = True

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="restores")
    lost_since = models.DateTimeField(help_text=_("The newest claim that the backup has; what came later is lost."))
    lost_since_tick = models.PositiveBigIntegerField(help_text=_("The key's tick in the backup."))
    restored_at = models.DateTimeField(db_default=Now())
    restored_tick = models.PositiveBigIntegerField(help_text=_("The key's tick from then on."))

    class Meta:
        indexes = [models.Index(F("account"), F("id").desc(), name="restore_by_account")]

    def __str__(self) -> str:
        return f"restore {self.pk}"


class LostResponse(UnawaitedResponse):
    """A response to an attempt that is not in the database, which has gone back since it was claimed."""

    AUDITED = ("account_id", "attempt_number", "token", "came_at", *ProviderResponse.COLUMNS)

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="lost_responses")
    attempt_number = models.PositiveBigIntegerField(help_text=_("The id that the attempt had."))
    token = models.CharField(max_length=32, unique=True, help_text=_("The attempt's own."))

    def __str__(self) -> str:
        return f"response {self.pk} to an attempt that is lost"
