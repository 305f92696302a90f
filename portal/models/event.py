"""The audit record: who did what to what, when."""

from django.db import models
from django.db.models import F, Q
from django.utils.text import camel_case_to_spaces
from django.utils.translation import gettext_lazy as _

from portal.models.canonical_json import CanonicalJSONField
from portal.models.clock import Now


class Verb(models.TextChoices):
    SUBMIT = "submit", _("submitted")
    CLAIM = "claim", _("claimed")
    RESPONSE = "response", _("responded")
    LATE_RESPONSE = "late-response", _("responded late")
    DEADLINE_PASSED = "deadline-passed", _("deadline passed")
    WORKER_DIED = "worker-died", _("worker died")
    GIVE_UP = "give-up", _("waited too long")
    CANCEL = "cancel", _("cancelled")
    REQUEST_CANCEL = "request-cancel", _("cancellation requested")
    CLOSE = "close", _("closed")
    ADOPT = "adopt", _("adopted")
    NOT_CREATED = "not-created", _("resolved: not created")
    RECONCILE = "reconcile", _("reconciled")
    NEEDS_REVIEW = "needs-review", _("needs review")
    REFUSE_WORKSPACE = "refuse-workspace", _("workspace refused")
    PAUSE = "pause", _("key paused")
    RESUME = "resume", _("key resuming")
    ACTIVATE = "activate", _("key active again")
    PROBE = "probe", _("key probed")
    FIRST_KEY = "first-key", _("first key accepted")
    ASK_ACCOUNT = "ask-account", _("asked which account the key belongs to")
    CONFIRM_KEY = "confirm-key", _("key confirmed")
    WITHDRAW_KEY = "withdraw-key", _("key no longer accepted")
    NOTE_SHARING = "note-sharing", _("key is used elsewhere")
    CLEAR_SHARING = "clear-sharing", _("key is not used elsewhere")
    BASELINE_SCAN = "baseline-scan", _("first scan")
    CHANGE_TYPES = "change-types", _("types changed")
    REQUEST_RELEASE = "request-release", _("release requested")
    RELEASED = "released", _("released")
    OPEN_CONNECTION = "open-connection", _("connection opened")
    END_CONNECTION = "end-connection", _("connection ended")
    SHARE = "share", _("shared")
    END_SHARE = "end-share", _("sharing ended")
    GIVE_WORKSPACE = "give-workspace", _("workspace given an owner")
    NAME_WORKSPACE = "name-workspace", _("workspace named")
    ENDED = "ended", _("ended")
    MISSING = "missing", _("missing")
    FOUND_AGAIN = "found-again", _("found again")
    REOPEN = "reopen", _("active again")
    DISOWN = "disown", _("declared not ours")
    LEAVE_OUT = "leave-out", _("left out of scans")
    LOST_RESPONSE = "lost-response", _("response of no known attempt")
    RESTORE = "restore", _("backup restored")
    RESTORED = "restored", _("restored")
    DATABASE_CHANGED = "database-changed", _("database changed")
    CONFIRM_DATABASE = "confirm-database", _("database confirmed")
    CLOCK_STEP = "clock-step", _("clock stepped")
    SETTINGS = "settings", _("settings changed")
    NOTICE = "notice", _("API change noticed")
    SIGN_IN = "sign-in", _("signed in")
    SIGN_IN_FAILED = "sign-in-failed", _("sign-in failed")
    SIGN_IN_BLOCKED = "sign-in-blocked", _("sign-in blocked")
    SIGN_OUT = "sign-out", _("signed out")
    END_SESSIONS = "end-sessions", _("sessions ended")
    ADD_FACTOR = "add-factor", _("second factor added")
    REMOVE_FACTOR = "remove-factor", _("second factor removed")
    RESET_FACTORS = "reset-factors", _("second factors reset")
    RENEW_CODES = "renew-codes", _("recovery codes renewed")
    LINK_IDENTITY = "link-identity", _("identity linked")
    UNLINK_IDENTITY = "unlink-identity", _("identity unlinked")
    SET_UP = "set-up", _("set up")
    CHANGE_PASSWORD = "change-password", _("password changed")
    SET_TIME_ZONE = "set-time-zone", _("time zone changed")
    ADD_PERSON = "add-person", _("person added")
    CHANGE_PERSON = "change-person", _("person changed")
    MAKE_LINK = "make-link", _("sign-in link made")
    ASK_LINK = "ask-link", _("sign-in link asked for")
    MAIL_FAILED = "mail-failed", _("mail not sent")
    USE_LINK = "use-link", _("sign-in link used")
    ADD_GROUP = "add-group", _("group added")
    CHANGE_GROUP = "change-group", _("group changed")
    DELETE_GROUP = "delete-group", _("group deleted")
    CHECKED = "checked", _("audit log checked")
    EVIDENCE = "evidence", _("audit bundle downloaded")
    REFUSED = "refused", _("refused")
    EXPORT = "export", _("exported")
    PRUNE = "prune", _("pruned")


def name_target(row: models.Model) -> str:
    """The row as events name it: by its kind, in the code's words, which stay when pages find better ones."""
    return f"{camel_case_to_spaces(row._meta.object_name or '')} {row}"


class Event(models.Model):
    """A line of the audit log, written in the transaction that it records. No foreign keys: it outlives all others."""

    at = models.DateTimeField(db_default=Now())
    actor_id = models.BigIntegerField(null=True, help_text=_("Empty: the portal itself."))
    actor_name = models.CharField(max_length=150)
    address = models.CharField(max_length=45, help_text=_("Where the actor's HTTP request came from."))
    verb = models.CharField(max_length=32, choices=Verb)
    target = models.CharField(max_length=300, help_text=_("Kind and name of what it was done to."))
    request_number = models.BigIntegerField(null=True, help_text=_("The request that it belongs to."))
    detail = CanonicalJSONField(default=dict)
    reason = models.TextField()
    http_request = models.CharField(
        max_length=64,
        db_default="",
        help_text=_("Id of the HTTP request that did it: all that one click did has the same. Empty: no page did it."),
    )
    signature = models.CharField(
        max_length=48, db_default="", help_text=_("Of all this and of what it changed, with the audit key.")
    )

    class Meta:
        indexes = [
            models.Index(F("request_number"), F("id"), name="event_of_request"),
            models.Index(F("verb"), F("id").desc(), name="event_by_verb"),
            models.Index(F("verb"), F("id").desc(), name="event_of_people", condition=Q(actor_id__isnull=False)),
            models.Index(F("verb"), F("id").desc(), name="event_of_portal", condition=Q(actor_id=None)),
            models.Index(F("actor_name"), F("id").desc(), name="event_by_actor"),
            models.Index(F("target"), F("id").desc(), name="event_by_target"),
            # The reason too: to look through them all is then to read this index alone. Forms take 500 characters.
            models.Index(F("id"), F("reason"), name="event_with_reason", condition=~Q(reason="")),
            models.Index(
                F("http_request"), F("id").desc(), name="event_by_http_request", condition=~Q(http_request="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.actor_name or 'the portal'}, {self.get_verb_display()}, {self.target}"

    @property
    def changes(self) -> "models.QuerySet[Change]":
        return Change.objects.filter(event_id=self.pk).order_by("position")


class EventNumber(models.Model):
    """The number that the newest event has: SQLite has no sequence that a forged number would not move."""

    last = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(name="event_number_is_one", condition=Q(pk=1))]

    def __str__(self) -> str:
        return str(self.last)


class Change(models.Model):
    """What one event changed about one row: the audited columns before and after. The event's signature covers it."""

    class Act(models.TextChoices):
        ADDED = "ADDED", _("added")
        CHANGED = "CHANGED", _("changed")
        REMOVED = "REMOVED", _("removed")

    pk = models.CompositePrimaryKey("event_id", "position")
    event_id = models.BigIntegerField()
    position = models.PositiveIntegerField(help_text=_("Among the changes of its event: 0, 1, 2 ..."))
    kind = models.CharField(max_length=32, help_text=_("Of the row."))
    row_id = models.BigIntegerField()
    act = models.CharField(max_length=8, choices=Act)
    columns = CanonicalJSONField(default=dict, help_text=_("Of each column what was there before, and after."))

    class Meta:
        indexes = [models.Index(F("kind"), F("row_id"), F("event_id"), name="change_by_row")]

    def __str__(self) -> str:
        return f"{self.kind} {self.row_id}, by event {self.event_id}"
