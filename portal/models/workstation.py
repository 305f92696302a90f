"""Mirrors of the provider's workstations."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import BigIntegerField, Case, Exists, F, OuterRef, Q, TextField, When
from django.db.models.functions import Cast, Coalesce, Length
from django.utils.translation import gettext_lazy as _

from portal import failures
from portal.models.account import Account
from portal.models.attempt import Attempt
from portal.models.clock import Now, Seconds
from portal.models.ids import MAX_ID
from portal.models.request import Request
from portal.models.user import User
from portal.models.workspace import Beginning, Mirror, Workspace

ENDS_LATE = timedelta(minutes=10)
RELEASES_WAIT = timedelta(minutes=1)  # for which a rate limit that one release met is obeyed by the others
_LIMITS = [code for code, row in failures.CATALOGUE.items() if row.pause is failures.Pause.UNTIL_RETRY_AFTER]
# Of the seconds for which one was seen live: an index separates short runs from long ones by it.
RUN_DIGITS = Length(Cast(Cast(Seconds("ended_at", "first_seen_at"), BigIntegerField()), TextField()))


class WorkstationQuerySet(models.QuerySet["Workstation"]):
    def visible_to(self, user: User) -> "WorkstationQuerySet":
        """One's own, or everybody's with the right to see everything."""
        return self if user.sees_all else self.filter(request__requester=user)

    def running(self) -> "WorkstationQuerySet":
        """Those that have not ended."""
        return self.filter(ended_at=None)

    def live(self) -> "WorkstationQuerySet":
        """Those that run and have a name by which they can be asked about."""
        return self.running().filter(is_nameless=False)

    def late(self) -> "WorkstationQuerySet":
        """Those that should have ended a while ago."""
        return self.live().filter(ends_at__lt=Now() - ENDS_LATE, request__isnull=False)

    def due_for_release(self, account: Account) -> "WorkstationQuerySet":
        """Those whose release may be sent now: people's first, then the least tried, then the longest due.

        A 429 to one release is obeyed by all others for a minute; then one of them shows whether it still holds.
        """
        asked = self.live().filter(account=account, release_requested_at__isnull=False)
        due = asked.filter(~Exists(self.refused_releases(account)), release_due_at__lte=Now())
        own_last = Case(When(release_requested_by=None, then=1), default=0)
        return due.order_by(own_last, "release_tries", "release_due_at", "pk")

    def refused_releases(self, account: Account) -> "WorkstationQuerySet":
        """Those whose release met a rate limit that the others still obey."""
        asked = self.live().filter(account=account, release_requested_at__isnull=False, release_failure__in=_LIMITS)
        return asked.filter(release_due_at__gt=Now(), release_tried_at__gt=Now() - RELEASES_WAIT)

    def unclaimed(self) -> "WorkstationQuerySet":
        """Those that no request owns, that are not foreign, and that a call under way cannot have created."""
        return self.filter(request=None, is_foreign=False).exclude(Exists(list_calls_before_listing()))

    def orphans(self) -> "WorkstationQuerySet":
        """Those that run and are unclaimed, also where their name is none to be asked about."""
        return self.running().unclaimed()


def list_calls_before_listing() -> models.QuerySet[Attempt]:
    """For a subquery on workstations: calls under way that may have created the workstation.

    One that was claimed after a scan had listed the workstation cannot have.
    """
    return Attempt.objects.filter(
        outcome=Attempt.Outcome.SENDING,
        request__account=OuterRef("account"),
        claimed_tick__lte=Coalesce(OuterRef("listed_tick"), MAX_ID),
    )


class Workstation(Mirror):
    """A workstation at the provider, made for at most one request. Without one it may be an orphan: see `orphans()`."""

    AUDITED = (
        *("account_id", "uid", "request_id", "made_for_id", "is_foreign"),
        *("release_requested_at", "release_requested_by_id", "ended_at"),
    )
    ENDED_STATUSES = frozenset({"completed", "errored"})

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="workstations", db_index=False)
    request = models.OneToOneField(Request, on_delete=models.PROTECT, null=True, related_name="workstation")
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, null=True, related_name="workstations")
    made_for = models.ForeignKey(
        Request,
        on_delete=models.PROTECT,
        null=True,
        related_name="named_late",
        help_text=_("The request whose late response named it, when that had ended otherwise."),
    )
    is_foreign = models.BooleanField(
        default=False,
        help_text=_(
            "Nobody's here: it was there before the portal first used the account, or its request was pruned. Of one "
            "that has a request: no scan need show it."
        ),
    )
    is_nameless = models.BooleanField(
        default=False,
        help_text=_("AgentStation listed it under an id that cannot be kept, or under none: `uid` is a digest."),
    )
    listed_at = models.DateTimeField(null=True, help_text=_("When a scan first showed it."))
    listed_tick = models.PositiveBigIntegerField(
        null=True, help_text=_("The key's tick then: whatever was claimed later has not made it.")
    )
    # No foreign key: scans are pruned.
    last_scan_id = models.PositiveBigIntegerField(
        null=True, help_text=_("The newest scan that showed it, noted until a day after its end.")
    )
    type = models.TextField()
    status = models.TextField()
    refreshed_at = models.DateTimeField(db_default=Now(), help_text=_("When AgentStation last described it."))
    refresh_due_at = models.DateTimeField(db_default=Now())
    release_requested_at = models.DateTimeField(null=True)
    release_requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    release_due_at = models.DateTimeField(
        null=True, help_text=_("When it is next to be released; while a try is under way, its deadline.")
    )
    release_tried_at = models.DateTimeField(null=True, help_text=_("When its release was last tried."))
    release_tries = models.PositiveIntegerField(default=0, help_text=_("How often its release was tried."))
    release_failure = models.CharField(
        max_length=32, help_text=_("Code of the failure that the last try to release it met.")
    )
    ends_at = models.DateTimeField(
        null=True, help_text=_("When the portal releases it; empty: never, until somebody does.")
    )
    end_set_at = models.DateTimeField(null=True, help_text=_("When somebody, or its request, chose that."))
    end_warnings = models.PositiveSmallIntegerField(default=0, help_text=_("How often this end was announced."))
    end_seen = models.FloatField(
        null=True, help_text=_("Seconds since its last announcement that workers have seen pass; empty: none yet.")
    )
    end_is_idle = models.BooleanField(default=False, help_text=_("It ends because nobody uses it."))
    planned_end_at = models.DateTimeField(null=True, help_text=_("When it ends if somebody uses it again."))
    refused_connections = models.JSONField(
        default=dict, help_text=_("AgentStation's words by kind of connection, where it opened none.")
    )
    missing_since = models.DateTimeField(
        null=True, help_text=_("Since when AgentStation no longer finds it, though nothing says that it ended.")
    )
    missing_tick = models.PositiveBigIntegerField(null=True, help_text=_("The key's tick then."))
    ended_at = models.DateTimeField(null=True, help_text=_("When the portal learned that it had ended."))

    objects = WorkstationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "uid"], name="workstation_uid_once"),
            models.CheckConstraint(
                name="workstation_asker_has_release",
                condition=Q(release_requested_by=None) | Q(release_requested_at__isnull=False),
            ),
            models.CheckConstraint(
                name="workstation_release_is_due_once_asked",
                condition=Q(release_requested_at=None, release_due_at=None)
                | (
                    Q(release_requested_at__isnull=False)
                    & (Q(release_due_at__isnull=False) | Q(ended_at__isnull=False))
                ),
            ),
            models.CheckConstraint(
                name="workstation_missing_only_while_live",
                condition=Q(missing_since=None, missing_tick=None)
                | Q(missing_since__isnull=False, missing_tick__isnull=False, ended_at=None),
            ),
            models.CheckConstraint(
                name="workstation_end_was_set", condition=Q(ends_at=None) | Q(end_set_at__isnull=False)
            ),
            models.CheckConstraint(
                name="workstation_nameless_is_nobody_s", condition=Q(is_nameless=False) | Q(request=None, made_for=None)
            ),
        ]
        indexes = [
            models.Index(F("uid"), F("id").desc(), name="workstation_by_uid"),
            models.Index(Beginning("status"), F("id").desc(), name="workstation_by_status"),
            models.Index(Beginning("type"), F("id").desc(), name="workstation_by_type"),
            models.Index(Beginning("type"), Beginning("status"), F("id").desc(), name="workstation_by_both"),
            models.Index(F("account"), F("type"), name="workstation_unowned", condition=Q(request=None)),
            models.Index(F("made_for"), name="workstation_made_for", condition=Q(made_for__isnull=False)),
            models.Index(F("account"), F("listed_tick"), name="workstation_by_listing"),
            models.Index(F("account"), F("refresh_due_at"), name="workstation_live", condition=Q(ended_at=None)),
            models.Index(
                F("account"),
                F("release_due_at"),
                name="workstation_release_due",
                condition=Q(ended_at=None, release_requested_at__isnull=False),
            ),
            models.Index(
                F("account"),
                F("release_tried_at"),
                name="workstation_release_tried",
                condition=Q(release_tried_at__isnull=False),
            ),
            models.Index(
                F("account"),
                F("ends_at"),
                name="workstation_by_end",
                condition=Q(ended_at=None, release_requested_at=None, ends_at__isnull=False),
            ),
            models.Index(F("last_scan_id"), name="workstation_by_scan", condition=Q(last_scan_id__isnull=False)),
            models.Index(RUN_DIGITS, F("id").desc(), name="workstation_by_length", condition=Q(ended_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.uid

    @staticmethod
    def is_free() -> Q:
        """A condition: no late response has named it for a request that lacks a workstation."""
        return Q(made_for=None) | Q(made_for__status=Request.Status.SUCCEEDED)

    @property
    def is_live(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None

    @property
    def owner_id(self) -> int | None:
        """Whose it is: its request's requester; nobody's without a request."""
        return self.request.requester_id if self.request else None

    @property
    def is_kept_by_a_press(self) -> bool:
        """Whether the portal itself releases it, and that was not sent yet."""
        is_asked = self.release_requested_at is not None and self.release_requested_by_id is None
        return self.is_live and is_asked and self.release_tries == 0

    @property
    def seconds_run(self) -> float | None:
        """From its start to its end; None where that is not known: it runs, or had ended when it was first seen."""
        if self.ended_at is None or self.ended_at <= self.first_seen_at:
            return None
        return max(0.0, (self.ended_at - (self.created_at or self.first_seen_at)).total_seconds())
