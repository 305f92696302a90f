"""A request: its life is the table of transitions here."""

from collections.abc import Mapping
from types import MappingProxyType

from django.conf import settings
from django.db import models
from django.db.models import F, OrderBy, OuterRef, Q
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal import failures
from portal.models.account import Account
from portal.models.audited import Audited
from portal.models.clock import Now
from portal.models.user import User

LONGEST_TYPE = 200  # characters: an index has the whole of it


def _list_filter_indexes() -> list[models.Index]:
    """For each filter its requests in the order of the list, with all that the other filters ask of them.

    Any filters together are read from one of them. With fewer columns, PostgreSQL would go to the table for every
    request that the first filter has.
    """
    columns = ("requester", "status", "type", "failure", "was_unknown", "took")

    def list_columns(*first: str) -> list[models.F | OrderBy]:
        return [*map(F, first), F("id").desc(), *(F(other) for other in columns if other not in first)]

    return [
        models.Index(*list_columns("requester"), name="request_by_person"),
        models.Index(*list_columns("status"), name="request_by_status"),
        models.Index(*list_columns("type"), name="request_by_type"),
        models.Index(*list_columns("failure"), name="request_by_failure"),
        models.Index(*list_columns()[:-2], F("took"), name="request_was_unknown", condition=Q(was_unknown=True)),
    ]


class RequestQuerySet(models.QuerySet["Request"]):
    def visible_to(self, user: User) -> "RequestQuerySet":
        """One's own, or everybody's with the right to see everything."""
        return self if user.sees_all else self.filter(requester=user)

    def due(self, account: Account | int | OuterRef) -> "RequestQuerySet":
        """Those of the account that may be sent now, oldest first; whose turn it is, is not said here."""
        return self.filter(
            Q(next_attempt_at=None) | Q(next_attempt_at__lte=Now()), account=account, status=Request.Status.QUEUED
        ).order_by("queued_at", "id")

    def needing_review(self) -> "RequestQuerySet":
        """Unknown ones that only a person can settle: the portal says so, or it has left their account."""
        return self.filter(status=Request.Status.UNKNOWN).exclude(operator_note="", account__retired_at=None)

    def count_under_way(self, account: Account) -> dict[str, int]:
        """How many are QUEUED, SENDING and UNKNOWN."""
        states = Request.Status
        counts: dict[str, int] = dict.fromkeys((states.QUEUED, states.SENDING, states.UNKNOWN), 0)
        rows = self.filter(account=account, status__in=counts).order_by()
        return counts | dict(rows.values_list("status").annotate(models.Count("pk")))

    def with_end(self) -> "RequestQuerySet":
        """With `is_over`: whether the workstation of each has ended."""
        return self.annotate(is_over=models.Q(workstation__ended_at__isnull=False))

    def being_checked(self) -> "RequestQuerySet":
        """Those whose outcome the portal still finds out by itself."""
        return self.filter(status=Request.Status.UNKNOWN, operator_note="", account__retired_at=None)


class Request(Audited):
    """One submission of the form, shown as R-<number>. Its number is its id."""

    # What the form says, which never changes. The texts are for people, and shown as they are; the words are searched.
    TEXTS = ("note",)
    WORDS = ("workspace_uid", "workspace_name", *TEXTS)
    SUBMITTED = ("type", "lifetime", *WORDS)
    AUDITED = (
        *("account_id", "requester_id", "submission", *SUBMITTED, "other_fields", "created_at"),
        *("status", "failure", "attempt_count", "ended_at", "cancel_requested_at", "operator_note"),
    )
    PRIVATE = frozenset({"workspace_name", "other_fields", *TEXTS})
    BEGINS = True

    class Status(models.TextChoices):
        QUEUED = "QUEUED", _("Queued")
        SENDING = "SENDING", _("Sending")
        SUCCEEDED = "SUCCEEDED", _("Ready")
        FAILED = "FAILED", _("Failed")
        UNKNOWN = "UNKNOWN", _("Checking")
        CANCELLED = "CANCELLED", _("Cancelled")

    AWAITED = (Status.QUEUED, Status.SENDING)  # the outcome of the next attempt is still ahead

    class Type(models.TextChoices):
        """The types of the provider's contract. A request may have others: the provider's list says which."""

        MAX = "max", _("Max")
        ZOOM_CHROMIUM = "zoom-chromium", _("Zoom and Chromium")
        MEET_CHROMIUM = "meet-chromium", _("Meet and Chromium")
        VOIP = "voip", _("VoIP")
        VOIP_CHROMIUM = "voip-chromium", _("VoIP and Chromium")
        CHROMIUM = "chromium", _("Chromium")
        PYTHON = "python", _("Python")
        NODEJS = "nodejs", _("Node.js")
        GOLANG = "golang", _("Go")

    # Without an index: there are few accounts.
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="requests", db_index=False)
    # Without an index of its own: two others begin with it.
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="requests", db_index=False
    )
    submission = models.UUIDField(help_text=_("Names one filled-in form, so that sending it twice makes one request."))
    type = models.CharField(max_length=LONGEST_TYPE)
    lifetime = models.CharField(
        max_length=6, help_text=_("How long the workstation is to live, such as 8h; empty or none: until its release.")
    )
    workspace_uid = models.CharField(max_length=64, help_text=_("The workspace asked for; empty: a new one."))
    workspace_name = models.CharField(
        max_length=60, help_text=_("What the new workspace is to be called. AgentStation does not see it.")
    )
    note = models.CharField(max_length=500, help_text=_("Stays here; AgentStation does not see it."))
    other_fields = models.TextField(
        default="", db_default="", help_text=_("What else a program said, as JSON. AgentStation does not see it.")
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    failure = models.CharField(max_length=32, help_text=_("Code of the failure that it ended in."))
    attempt_count = models.PositiveIntegerField(
        default=0, help_text=_("Attempts that count against the limit of tries.")
    )
    created_at = models.DateTimeField(db_default=Now())
    queued_at = models.DateTimeField(db_default=Now(), help_text=_("When it was last put into the queue."))
    paused_seconds_before = models.FloatField(default=0, help_text=_("The key's paused_seconds when it was queued."))
    next_attempt_at = models.DateTimeField(null=True)
    claimed_tick = models.PositiveBigIntegerField(
        default=0, help_text=_("The key's tick when it was last claimed: people's turns are ordered by it.")
    )
    ended_at = models.DateTimeField(null=True)
    took = models.FloatField(null=True, help_text=_("Seconds from its receipt to its end."))
    was_unknown = models.BooleanField(default=False, help_text=_("Whether its outcome was unknown at some time."))
    cancel_requested_at = models.DateTimeField(null=True, help_text=_("Wanted while the outcome was unknown."))
    operator_note = models.CharField(max_length=300, help_text=_("Why a person has to decide what became of it."))

    objects = RequestQuerySet.as_manager()

    # Where the fair queue has found it:
    last_number: int  # of its attempts
    has_more: bool  # whether its requester has others that are due

    class Meta:
        permissions = [
            ("submit_request", "Can request workstations"),
            ("close_request", "Can close requests whose outcome is unknown"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["requester", "submission"], name="request_submission_once"),
            models.CheckConstraint(
                name="request_names_new_workspace", condition=Q(workspace_uid="") | Q(workspace_name="")
            ),
            models.CheckConstraint(
                name="request_failure_where_failed",
                condition=(Q(status__in=["FAILED", "UNKNOWN"]) & ~Q(failure=""))
                | (~Q(status__in=["FAILED", "UNKNOWN"]) & Q(failure="")),
            ),
            models.CheckConstraint(
                name="request_ended_where_final",
                condition=Q(status__in=["SUCCEEDED", "FAILED", "CANCELLED"], ended_at__isnull=False)
                | (~Q(status__in=["SUCCEEDED", "FAILED", "CANCELLED"]) & Q(ended_at=None)),
            ),
            models.CheckConstraint(
                name="request_next_attempt_only_queued", condition=Q(next_attempt_at=None) | Q(status="QUEUED")
            ),
            models.CheckConstraint(
                name="request_took_where_ended",
                condition=Q(ended_at=None, took=None) | Q(ended_at__isnull=False, took__isnull=False),
            ),
            models.CheckConstraint(
                name="request_unknown_is_noted", condition=~Q(status="UNKNOWN") | Q(was_unknown=True)
            ),
        ]
        indexes = [
            # Without a condition: SQLite would not see that a status given as a parameter fulfils it.
            models.Index(F("status"), F("requester"), F("queued_at"), F("id"), name="request_queue"),
            models.Index(
                F("requester"), F("claimed_tick").desc(), name="request_turn", condition=Q(claimed_tick__gt=0)
            ),
            models.Index(F("account"), F("id"), name="request_unknown", condition=Q(status="UNKNOWN")),
            *_list_filter_indexes(),
            models.Index(F("took"), F("id").desc(), name="request_by_length"),
            models.Index(F("created_at"), name="request_by_time"),
            models.Index(F("failure"), F("ended_at"), name="request_failed_lately"),
            models.Index(F("workspace_uid"), F("id").desc(), name="request_by_workspace"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """Its name on pages, such as R-1042."""
        return f"R-{self.pk}"

    @property
    def texts(self) -> list[tuple[failures.Words, str]]:
        """What people wrote in it, each with the name of its field."""
        fields = [field for field in self._meta.fields if field.name in self.TEXTS]
        return [(capfirst(field.verbose_name), text) for field in fields if (text := getattr(self, field.name))]

    @property
    def is_final(self) -> bool:
        """Whether its status changes no more."""
        return not TRANSITIONS[self.Status(self.status)]

    @property
    def has_ended(self) -> bool:
        """Whether its workstation has; of rows that were not read `with_end` it is not known, and false."""
        return bool(vars(self).get("is_over"))

    @property
    def needs_review(self) -> bool:
        """Whether it waits for a person."""
        return self.status == self.Status.UNKNOWN and bool(self.operator_note)

    @property
    def state(self) -> str:
        """Its status in the words of pages."""
        return gettext("Needs review") if self.needs_review else self.get_status_display()

    @property
    def failure_row(self) -> failures.Failure | None:
        """The row of the failure catalogue; None where it has no failure."""
        return failures.CATALOGUE.get(self.failure)


_S = Request.Status
# Every pair that is not here is refused. QUEUED to SUCCEEDED: a late 200 for an earlier attempt. QUEUED to UNKNOWN: a
# backup was put back, or a late 200 names what is another's.
TRANSITIONS: Mapping[Request.Status, frozenset[Request.Status]] = MappingProxyType(
    {
        _S.QUEUED: frozenset({_S.SENDING, _S.CANCELLED, _S.FAILED, _S.SUCCEEDED, _S.UNKNOWN}),
        _S.SENDING: frozenset({_S.SUCCEEDED, _S.FAILED, _S.UNKNOWN, _S.QUEUED}),
        _S.UNKNOWN: frozenset({_S.SUCCEEDED, _S.QUEUED, _S.FAILED, _S.CANCELLED}),
        _S.SUCCEEDED: frozenset(),
        _S.FAILED: frozenset(),
        _S.CANCELLED: frozenset(),
    }
)


class IllegalTransition(Exception):
    """The table of transitions does not allow this step."""


def check_transition(*, before: str, after: str) -> None:
    """Raise IllegalTransition unless a request may go from one status to the other."""
    if Request.Status(after) not in TRANSITIONS[Request.Status(before)]:
        raise IllegalTransition(f"a request cannot go from {before} to {after}")
