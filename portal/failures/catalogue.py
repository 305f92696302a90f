"""What a row of the failure catalogue says, and in which words."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from django.utils.translation import gettext, gettext_noop

from portal import agentstation

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

# Text that is put into the reader's language when it is shown.
type Words = str | StrPromise


class _Worded(Enum):
    """A choice whose value is its English words. Enum needs them plain, so they are translated when they are shown."""

    @property
    def words(self) -> str:
        return gettext(self.value)


class Actor(_Worded):
    NOBODY = gettext_noop("no action needed: it resolves by itself")
    REQUESTER = gettext_noop("you")
    OPERATOR = gettext_noop("a portal operator")
    BUDGET_OWNER = gettext_noop("the account owner (billing)")
    PROVIDER = gettext_noop("AgentStation")


class Retry(_Worded):
    NEVER = gettext_noop("no")
    FEW = gettext_noop("a few times, at growing intervals")
    # Shown alone: that nothing is sent again before it is known follows from `may_exist`.
    AFTER_RECONCILIATION = gettext_noop("a few times, each only when it's certain that nothing was created")
    UNTIL_IT_WORKS = gettext_noop("yes, until it works or has waited too long")

    @property
    def is_limited(self) -> bool:
        return self in (Retry.FEW, Retry.AFTER_RECONCILIATION)


class Pause(_Worded):
    NONE = gettext_noop("no")
    UNTIL_OPERATOR = gettext_noop("yes, until an operator resumes sending")
    UNTIL_ACCEPTED = gettext_noop("yes, until AgentStation accepts the key again, or an operator resumes sending")
    UNTIL_RETRY_AFTER = gettext_noop("yes, until the time that AgentStation named")
    CONSECUTIVE_FAILURES = gettext_noop("yes, for a short time, after several in a row")
    UNLESS_OTHERS_PASS = gettext_noop(
        "yes, for a short time, after several in a row; and until an operator resumes sending, if another person's "
        "request then fails in the same way"
    )

    @property
    def is_lasting(self) -> bool:
        return self in (Pause.UNTIL_OPERATOR, Pause.UNTIL_ACCEPTED)

    @property
    def counts_in_a_row(self) -> bool:
        return self in (Pause.CONSECUTIVE_FAILURES, Pause.UNLESS_OTHERS_PASS)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One row of the catalogue. `code` is stored, linked and shown; `may_exist`: a workstation may have been made.

    `operator_steps`: what an operator does, where that is another thing than what the requester does. What the failure
    means where others have no meaning: `stops_reads`, while it pauses the key reads and releases stop too;
    `means_missing`, a live workstation that was asked for is missing; `no_such_list`, the provider lists no types;
    `refuses_workspace`, the same workspace would be refused again; `refuses_connection`, the workstation does not have
    this kind of connection.
    """

    code: str
    title: Words
    cause: Words
    actor: Actor
    steps: tuple[Words, ...]
    again: Words
    operator_steps: tuple[Words, ...] = ()
    retry: Retry = Retry.NEVER
    pause: Pause = Pause.NONE
    may_exist: bool = False
    stops_reads: bool = False
    means_missing: bool = False
    no_such_list: bool = False
    refuses_workspace: bool = False
    refuses_connection: bool = False
    errors: tuple[type[agentstation.AgentStationError], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Refuse a row by which a request that may have made something would be sent again without knowing."""
        if (self.retry is Retry.AFTER_RECONCILIATION) != self.may_exist or (self.may_exist and self.pause.is_lasting):
            raise ValueError(f"{self.code}: what may have made something is reconciled first")

    @property
    def tone(self) -> str:
        """The colour: amber where the requester can act or nothing is lost yet, red where somebody else must."""
        return "warn" if self.actor in (Actor.REQUESTER, Actor.NOBODY) else "bad"

    @property
    def needs_person(self) -> bool:
        return self.actor in (Actor.OPERATOR, Actor.BUDGET_OWNER)

    @property
    def headline(self) -> str:
        return self.code if self.code.isdigit() else "–"
