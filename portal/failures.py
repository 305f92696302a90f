"""The failure catalogue: the one source of what a failure means, for pages, admin, docs, retries and holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from django.utils.text import format_lazy
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from portal import agentstation

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

# Text that is put into the reader's language when it is shown.
type Words = str | StrPromise


class _Worded(Enum):
    """A choice whose value is its English words. Enum needs them plain, so they are translated when they are shown."""

    @property
    def words(self) -> str:
        """The words in the reader's language."""
        return gettext(self.value)


class Actor(_Worded):
    """Who can do something about a failure, in the words of the pages."""

    NOBODY = gettext_noop("nobody: it needs only time")
    REQUESTER = gettext_noop("you")
    OPERATOR = gettext_noop("a portal operator")
    BUDGET_OWNER = gettext_noop("whoever pays for the team's account")
    PROVIDER = gettext_noop("the provider")


class Retry(_Worded):
    """Whether the portal tries again by itself."""

    NEVER = gettext_noop("no")
    FEW = gettext_noop("a few times, at growing intervals")
    SETTLED_FIRST = gettext_noop("a few times, each only when it is sure that nothing was made")
    UNTIL_IT_WORKS = gettext_noop("yes, until it works or has waited too long")


class Pause(_Worded):
    """Whether a failure pauses the key for the whole team."""

    NONE = gettext_noop("no")
    UNTIL_OPERATOR = gettext_noop("yes, until an operator resumes it")
    UNTIL_ACCEPTED = gettext_noop("yes, until the provider accepts the key again, or an operator resumes it")
    UNTIL_RETRY_AFTER = gettext_noop("until the time the provider named")
    CONSECUTIVE_FAILURES = gettext_noop("for a short time, when several come in a row")

    @property
    def is_lasting(self) -> bool:
        """Whether no time ends it."""
        return self in (Pause.UNTIL_OPERATOR, Pause.UNTIL_ACCEPTED)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One row of the catalogue. `code` is stored, linked and shown; `may_exist`: a workstation may have been made."""

    code: str
    title: Words
    cause: Words
    actor: Actor
    steps: tuple[Words, ...]
    again: Words
    retry: Retry = Retry.NEVER
    pause: Pause = Pause.NONE
    may_exist: bool = False
    errors: tuple[type[agentstation.AgentStationError], ...] = field(default=(), repr=False)

    @property
    def tone(self) -> str:
        """The colour: amber where the requester can act or nothing is lost yet, red where somebody else must."""
        return "warn" if self.actor in (Actor.REQUESTER, Actor.NOBODY) else "bad"

    @property
    def headline(self) -> str:
        """What stands large beside the explanation: the status code, or a dash where there is none."""
        return self.code if self.code.isdigit() else "–"


_ROWS = (
    Failure(
        code="400",
        title=_("The provider did not understand the request"),
        cause=_("The provider refused the form of what the portal sent. Nothing was made and nothing is billed."),
        actor=Actor.OPERATOR,
        steps=(
            _(
                "Tell a portal operator the number of this request: the portal and the provider disagree about the "
                "form of a request, and only the portal can be changed."
            ),
            _("Ask again when they say that it is mended."),
        ),
        again=_("Trying again is safe, but will fail in the same way until the portal is mended."),
        errors=(agentstation.InvalidRequest,),
    ),
    Failure(
        code="401",
        title=_("The provider does not accept the team's API key"),
        cause=_(
            "The key is missing, wrong or withdrawn. Nothing was made. The queue stands still for everybody until "
            "that is put right."
        ),
        actor=Actor.OPERATOR,
        steps=(
            _("Tell a portal operator: the team's key has to be replaced on the server."),
            _(
                "When the key works again, all that waits goes out by itself. Only a request that has failed must be "
                "made again."
            ),
        ),
        again=_("Trying again is safe. A new request waits until the key works."),
        pause=Pause.UNTIL_ACCEPTED,
        errors=(agentstation.InvalidKey,),
    ),
    Failure(
        code="402",
        title=_("The provider wants payment"),
        cause=_(
            "The team's credits are used up, or its payment method has expired. Nothing was made and nothing is "
            "billed. The queue stands still for everybody until it is paid."
        ),
        actor=Actor.BUDGET_OWNER,
        steps=(
            _("Tell whoever pays for the team's AgentStation account: add credit or renew the payment method there."),
            _("Then a portal operator resumes the key."),
            _("All that waits then goes out by itself. Only a request that has failed must be made again."),
        ),
        again=_("Trying again is safe. A new request waits until the account is paid."),
        pause=Pause.UNTIL_OPERATOR,
        errors=(agentstation.PaymentRequired,),
    ),
    Failure(
        code="422",
        title=_("The provider does not know this workspace"),
        cause=_("The workspace that you named does not exist for the team's key, or no longer does. Nothing was made."),
        actor=Actor.REQUESTER,
        steps=(
            _("Check the workspace's UID, letter by letter: upper and lower case differ."),
            _("Ask again with another workspace, or with none: then the provider makes a new one."),
        ),
        again=_("Trying again is safe. Choose another workspace, or none."),
        errors=(agentstation.AssetNotFound,),
    ),
    Failure(
        code="429",
        title=_("The provider asks the team to slow down"),
        cause=_("More was asked with the team's key than the provider allows in this time. Nothing was made."),
        actor=Actor.NOBODY,
        steps=(_("Wait. The portal tries again by itself as soon as the provider allows it."),),
        again=_("The portal tries again by itself. Asking a second time only makes the queue longer."),
        retry=Retry.UNTIL_IT_WORKS,
        pause=Pause.UNTIL_RETRY_AFTER,
        errors=(agentstation.RateLimited,),
    ),
    Failure(
        code="500",
        title=_("The provider had an error of its own"),
        cause=_(
            "Something broke at the provider while it worked on this request. It may have made a workstation "
            "all the same."
        ),
        actor=Actor.PROVIDER,
        steps=(
            _(
                "Wait: the portal looks whether something was made, and tries again only when it is sure that "
                "nothing was."
            ),
            _("If it has failed for good, ask again later."),
        ),
        again=_(
            "While its outcome is unknown, asking again may make a second workstation, which would be billed. Once "
            "it has failed for good, it is safe."
        ),
        may_exist=True,
        retry=Retry.SETTLED_FIRST,
        pause=Pause.CONSECUTIVE_FAILURES,
        errors=(agentstation.InternalError,),
    ),
    Failure(
        code="503",
        title=_("The provider is too busy"),
        cause=_("The provider dropped the request because of high load. Nothing was made."),
        actor=Actor.PROVIDER,
        steps=(_("Wait a few minutes: the portal has already tried several times."), _("Ask again.")),
        again=_("Trying again is safe."),
        retry=Retry.FEW,
        pause=Pause.CONSECUTIVE_FAILURES,
        errors=(agentstation.Overloaded,),
    ),
    Failure(
        code="no-connection",
        title=_("The provider cannot be reached"),
        cause=_("No connection to the provider came about, so nothing was sent and nothing was made."),
        actor=Actor.OPERATOR,
        steps=(
            _("Wait: the portal tries again by itself."),
            _(
                "If it lasts, tell a portal operator: the server's way to the provider (network, name, certificate) is "
                "broken."
            ),
        ),
        again=_("The portal tries again by itself. Asking a second time is safe, but not needed."),
        retry=Retry.UNTIL_IT_WORKS,
        pause=Pause.CONSECUTIVE_FAILURES,
        errors=(agentstation.NoConnection,),
    ),
    Failure(
        code="no-answer",
        title=_("The provider's response did not come"),
        cause=_(
            "The request was sent, but the connection broke, it took too long, a gateway before the provider answered "
            "in its place, or the response leaves open what was done. A workstation may have been made, or not: the "
            "portal does not know, and does not ask twice for something that costs money."
        ),
        actor=Actor.NOBODY,
        steps=(
            _(
                "You need not do anything: the portal looks for the workstation in the provider's lists, and asks "
                "again only when it is sure that none was made."
            ),
            _("If you need a workstation at once, ask again; but know that you may then have two."),
        ),
        again=_("Trying again may make a second workstation, which would be billed."),
        may_exist=True,
        retry=Retry.SETTLED_FIRST,
        pause=Pause.CONSECUTIVE_FAILURES,
        errors=(agentstation.NoAnswer,),
    ),
    Failure(
        code="unreadable",
        title=_("The provider's response cannot be read"),
        cause=_(
            "The provider said yes, but not what it had made. A workstation probably exists; the response is kept "
            "as it came."
        ),
        actor=Actor.NOBODY,
        steps=(
            _(
                "You need not do anything: the portal looks for the workstation in the provider's lists, and asks "
                "again only when it is sure that none was made."
            ),
            _("If you need a workstation at once, ask again; but know that you may then have two."),
        ),
        again=_("Trying again may make a second workstation, which would be billed."),
        may_exist=True,
        retry=Retry.SETTLED_FIRST,
        pause=Pause.CONSECUTIVE_FAILURES,
        errors=(agentstation.UnreadableResponse,),
    ),
    Failure(
        code="waited-too-long",
        title=_("It waited too long"),
        cause=_("The request could not be sent for so long that it was given up. Nothing was made."),
        actor=Actor.REQUESTER,
        steps=(
            _("Look at the state of the key: it says what stopped the queue."),
            _("If you still need the workstation, ask again."),
        ),
        again=_("Trying again is safe."),
    ),
    Failure(
        code="other",
        title=_("The provider gave a response that nobody foresaw"),
        cause=_("The status of the response is not one that the provider documents. The response is kept as it came."),
        actor=Actor.OPERATOR,
        steps=(
            _(
                "Tell a portal operator the number of this request: an address, a proxy or the provider may have "
                "changed."
            ),
            _("Ask again when they say that it is mended."),
        ),
        again=_("Trying again is safe, but will probably fail in the same way."),
        errors=(agentstation.UnexpectedStatus,),
    ),
)

CATALOGUE: Mapping[str, Failure] = MappingProxyType({failure.code: failure for failure in _ROWS})
CHOICES = [(failure.code, format_lazy("{}: {}", failure.code, failure.title)) for failure in _ROWS]
NO_ANSWER = CATALOGUE["no-answer"]
UNREADABLE = CATALOGUE["unreadable"]
WAITED_TOO_LONG = CATALOGUE["waited-too-long"]


def classify_error(error: agentstation.AgentStationError) -> Failure:
    """The row of the catalogue for what the client raised."""
    for failure in _ROWS:
        if isinstance(error, failure.errors):
            return failure
    raise LookupError(f"{type(error).__name__} is not in the catalogue")
