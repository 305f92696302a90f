"""The audit record: who did what to what, when."""

from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.utils.text import camel_case_to_spaces
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.models.canonical_json import CanonicalJSONField
from portal.models.clock import Now


class Verb(models.TextChoices):
    """What an event records, with the group in which an auditor looks for it, and as a sentence.

    In that `{who}` is the actor, or the portal, and `{what}` what it was done to.
    """

    SUBMIT = "submit", "requests", _("{who} submitted {what}")
    CLAIM = "claim", "sending", _("{who} began to send {what}")
    RESPONSE = "response", "sending", _("{who} recorded the outcome of {what}")
    LATE_RESPONSE = "late-response", "sending", _("AgentStation responded late to {what}")
    DEADLINE_PASSED = "deadline-passed", "sending", _("The deadline of {what} passed without a response")
    WORKER_DIED = "worker-died", "sending", _("The worker that was sending {what} died")
    GIVE_UP = "give-up", "requests", _("{who} gave {what} up: it had waited too long")
    CANCEL = "cancel", "requests", _("{who} cancelled {what}")
    REQUEST_CANCEL = "request-cancel", "requests", _("{who} asked to cancel {what}")
    CLOSE = "close", "requests", _("{who} closed {what}")
    ADOPT = "adopt", "checking", _("{who} linked a workstation to {what}")
    NOT_CREATED = "not-created", "checking", _("{who} chose to send {what} again")
    RECONCILE = "reconcile", "checking", _("{who} compared {what} with AgentStation's lists")
    NEEDS_REVIEW = "needs-review", "checking", _("{who} asked for a review of {what}")
    QUEUE_SLOW = "queue-slow", "requests", _("{who} noticed that {what} has waited for ten minutes")
    REFUSE_WORKSPACE = "refuse-workspace", "requests", _("{who} refused {what}: its workspace is somebody else's")
    PAUSE = "pause", "key", _("{who} paused sending with the {what}")
    RESUME = "resume", "key", _("{who} resumed sending with the {what}")
    ACTIVATE = "activate", "key", _("{who} made the {what} active again")
    PROBE = "probe", "key", _("{who} probed the {what}")
    FIRST_KEY = "first-key", "key", _("{who} accepted the first {what}")
    ASK_ACCOUNT = "ask-account", "key", _("{who} asked which account is reached by the {what}")
    CONFIRM_KEY = "confirm-key", "key", _("{who} said which account is reached by the {what}")
    WITHDRAW_KEY = "withdraw-key", "key", _("{who} no longer accepts {what}: AgentStation refused it")
    NOTE_SHARING = "note-sharing", "key", _("{who} noticed that the key is used elsewhere, of the {what}")
    CLEAR_SHARING = "clear-sharing", "key", _("{who} declared that nobody else uses the key, of the {what}")
    BASELINE_SCAN = "baseline-scan", "checking", _("{who} read AgentStation's lists for the first time, of the {what}")
    CHANGE_TYPES = "change-types", "workstations", _("{who} noted other workstation types of the {what}")
    REQUEST_RELEASE = "request-release", "workstations", _("{who} asked to release the {what}")
    WITHDRAW_RELEASE = "withdraw-release", "workstations", _("{who} no longer releases the {what}")
    SET_END = "set-end", "workstations", _("{who} changed when the {what} ends")
    WARN_END = "warn-end", "workstations", _("{who} warned that the {what} ends soon")
    RELEASED = "released", "workstations", _("The {what} was released")
    OPEN_CONNECTION = "open-connection", "workstations", _("{who} opened a connection to the {what}")
    END_CONNECTION = "end-connection", "workstations", _("{who} ended a connection to the {what}")
    PASS_ON = "pass-on", "workstations", _("{who} passed a program's call on to the {what}")
    SHARE = "share", "workstations", _("{who} shared the {what}")
    END_SHARE = "end-share", "workstations", _("{who} stopped sharing the {what}")
    GIVE_WORKSPACE = "give-workspace", "workstations", _("{who} gave an owner to the {what}")
    NAME_WORKSPACE = "name-workspace", "workstations", _("{who} named the {what}")
    ENDED = "ended", "workstations", _("{who} noted that the {what} has ended")
    UNASSIGNED = "unassigned", "workstations", _("{who} found nobody to whom the {what} belongs")
    MISSING = "missing", "workstations", _("{who} did not find the {what}")
    FOUND_AGAIN = "found-again", "workstations", _("{who} found the {what} again")
    REOPEN = "reopen", "workstations", _("The {what} is active again")
    DISOWN = "disown", "workstations", _("{who} declared that the {what} is not the team's")
    LEAVE_OUT = "leave-out", "workstations", _("{who} declared that scans are complete without the {what}")
    LOST_RESPONSE = "lost-response", "sending", _("{who} kept the {what}")
    RESTORE = "restore", "upkeep", _("{who} noted that a backup was restored: {what}")
    RESTORED = "restored", "upkeep", _("{who} has to check {what}, because a backup was restored")
    DATABASE_CHANGED = "database-changed", "upkeep", _("{who} noticed a change of the {what}")
    CONFIRM_DATABASE = "confirm-database", "upkeep", _("{who} said what became of the {what}")
    CHANGE_POLICY = "change-policy", "upkeep", _("{who} changed the {what}")
    CLOCK_STEP = "clock-step", "upkeep", _("{who} noticed a step of {what}")
    SETTINGS = "settings", "upkeep", _("{who} started with other {what}")
    NOTICE = "notice", "upkeep", _("{who} noticed an API change: {what}")
    SIGN_IN = "sign-in", "people", _("{who} signed in")
    SIGN_IN_FAILED = "sign-in-failed", "people", _("Somebody failed to sign in as {what}")
    SIGN_IN_BLOCKED = "sign-in-blocked", "people", _("Signing in was blocked for {what}")
    SIGN_OUT = "sign-out", "people", _("{who} signed out")
    END_SESSIONS = "end-sessions", "people", _("{who} ended sessions of {what}")
    ADD_FACTOR = "add-factor", "people", _("{who} added a second factor")
    REMOVE_FACTOR = "remove-factor", "people", _("{who} removed a second factor")
    RESET_FACTORS = "reset-factors", "people", _("{who} reset the second factors of {what}")
    RENEW_CODES = "renew-codes", "people", _("{who} made new recovery codes")
    LINK_IDENTITY = "link-identity", "people", _("{who} linked {what} with an identity provider")
    UNLINK_IDENTITY = "unlink-identity", "people", _("{who} unlinked {what} from an identity provider")
    SET_UP = "set-up", "people", _("{who} set the portal up")
    CHANGE_PASSWORD = "change-password", "people", _("{who} changed the password of {what}")
    SET_TIME_ZONE = "set-time-zone", "people", _("{who} changed the time zone of {what}")
    CHOOSE_MAIL = "choose-mail", "people", _("{who} chose which notifications are mailed to {what}")
    ADD_PERSON = "add-person", "people", _("{who} added {what}")
    CHANGE_PERSON = "change-person", "people", _("{who} changed {what}")
    SET_LIMIT = "set-limit", "people", _("{who} changed the limit of {what}")
    MAKE_LINK = "make-link", "people", _("{who} made a sign-in link for {what}")
    ASK_LINK = "ask-link", "people", _("Somebody asked for a sign-in link for {what}")
    MAIL_FAILED = "mail-failed", "people", _("{who} could not mail a sign-in link to {what}")
    USE_LINK = "use-link", "people", _("{who} chose a password by a sign-in link")
    MAKE_TOKEN = "make-token", "people", _("{who} made the {what}")
    END_TOKEN = "end-token", "people", _("{who} ended the {what}")
    ADD_GROUP = "add-group", "people", _("{who} added the {what}")
    CHANGE_GROUP = "change-group", "people", _("{who} changed the {what}")
    DELETE_GROUP = "delete-group", "people", _("{who} deleted the {what}")
    CHECKED = "checked", "audit-log", _("{who} checked {what} as a whole")
    EVIDENCE = "evidence", "audit-log", _("{who} downloaded the audit bundle of {what}")
    REFUSED = "refused", "people", _("{who} was refused {what}")
    EXPORT = "export", "audit-log", _("{who} exported {what}")
    PRUNE = "prune", "audit-log", _("{who} deleted what was old enough, and named it in the {what}")

    group: str

    def __new__(cls, value: str, group: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_, member.group = value, group
        return member


def list_verbs() -> Any:
    """A function, so that another verb takes no migration."""
    return Verb.choices


def name_target(row: models.Model) -> str:
    """The row as events name it: by its kind, in the code's words, which stay when pages find better ones."""
    return f"{camel_case_to_spaces(row._meta.object_name or '')} {row}"


class Event(models.Model):
    """A line of the audit log, written in the transaction that it records. No foreign keys: it outlives all others."""

    at = models.DateTimeField(db_default=Now())
    actor_id = models.BigIntegerField(null=True, help_text=_("Empty: the portal itself."))
    actor_name = models.CharField(max_length=150)
    address = models.CharField(max_length=45, help_text=_("Where the actor's HTTP request came from."))
    verb = models.CharField(max_length=32, choices=list_verbs)
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
        return f"{self.pk}: {self.sentence}"

    @property
    def words(self) -> str:
        """The sentence with its names to be filled in; of a verb that this version of the portal does not know, too."""
        return str(Verb(self.verb).label) if self.verb in Verb else "{who}: {verb}, {what}"

    @property
    def sentence(self) -> str:
        """Who did what to what, in a sentence."""
        return self.words.format(who=self.actor_name or gettext("The portal"), what=self.target, verb=self.verb)

    @property
    def changes(self) -> "models.QuerySet[Change]":
        """What the event changed, in order."""
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
