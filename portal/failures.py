"""The failure catalogue: the one source of what a failure means, for pages, admin, docs, retries and holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from portal import agentstation


class Actor(Enum):
    """Who can do something about a failure, in the words of the pages."""

    NOBODY = "nobody: it needs only time"
    REQUESTER = "you"
    OPERATOR = "a portal operator"
    BUDGET_OWNER = "whoever pays for the team's account"
    PROVIDER = "the provider"


class Retry(Enum):
    """Whether the portal tries again by itself."""

    NEVER = "no"
    FEW = "a few times, at growing intervals"
    SETTLED_FIRST = "a few times, each only when it is sure that nothing was made"
    UNTIL_IT_WORKS = "yes, until it works or has waited too long"


class Hold(Enum):
    """Whether a failure pauses the key for the whole team."""

    NONE = "no"
    UNTIL_OPERATOR = "yes, until an operator resumes it"
    UNTIL_RETRY_AFTER = "until the time the provider named"
    SEVERAL_IN_ROW = "for a short time, when several come in a row"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One row of the catalogue. `code` is stored, linked and shown; `may_exist`: a workstation may have been made."""

    code: str
    title: str
    cause: str
    actor: Actor
    steps: tuple[str, ...]
    again: str
    retry: Retry = Retry.NEVER
    hold: Hold = Hold.NONE
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
        title="The provider did not understand the request",
        cause="The provider refused the form of what the portal sent. Nothing was made and nothing is billed.",
        actor=Actor.OPERATOR,
        steps=(
            "Tell a portal operator the number of this request: the portal and the provider disagree about the form "
            "of a request, and only the portal can be changed.",
            "Ask again when they say that it is mended.",
        ),
        again="Trying again is safe, but will fail in the same way until the portal is mended.",
        errors=(agentstation.InvalidRequest,),
    ),
    Failure(
        code="401",
        title="The provider does not accept the team's API key",
        cause="The key is missing, wrong or withdrawn. Nothing was made. The queue stands still for everybody until "
        "that is put right.",
        actor=Actor.OPERATOR,
        steps=(
            "Tell a portal operator: the team's key has to be replaced on the server.",
            "When the operator has resumed the key, all that waits goes out by itself. Only a request that has "
            "failed must be made again.",
        ),
        again="Trying again is safe. A new request waits until the key works.",
        hold=Hold.UNTIL_OPERATOR,
        errors=(agentstation.InvalidKey,),
    ),
    Failure(
        code="402",
        title="The provider wants payment",
        cause="The team's credits are used up, or its payment method has expired. Nothing was made and nothing is "
        "billed. The queue stands still for everybody until it is paid.",
        actor=Actor.BUDGET_OWNER,
        steps=(
            "Tell whoever pays for the team's AgentStation account: add credit or renew the payment method there.",
            "Then a portal operator resumes the key.",
            "All that waits then goes out by itself. Only a request that has failed must be made again.",
        ),
        again="Trying again is safe. A new request waits until the account is paid.",
        hold=Hold.UNTIL_OPERATOR,
        errors=(agentstation.PaymentRequired,),
    ),
    Failure(
        code="422",
        title="The provider does not know this workspace",
        cause="The workspace that you named does not exist for the team's key, or no longer does. Nothing was made.",
        actor=Actor.REQUESTER,
        steps=(
            "Check the workspace's UID, letter by letter: upper and lower case differ.",
            "Ask again with another workspace, or with none: then the provider makes a new one.",
        ),
        again="Trying again is safe. Choose another workspace, or none.",
        errors=(agentstation.AssetNotFound,),
    ),
    Failure(
        code="429",
        title="The provider asks the team to slow down",
        cause="More was asked with the team's key than the provider allows in this time. Nothing was made.",
        actor=Actor.NOBODY,
        steps=("Wait. The portal tries again by itself as soon as the provider allows it.",),
        again="The portal tries again by itself. Asking a second time only makes the queue longer.",
        retry=Retry.UNTIL_IT_WORKS,
        hold=Hold.UNTIL_RETRY_AFTER,
        errors=(agentstation.RateLimited,),
    ),
    Failure(
        code="500",
        title="The provider had an error of its own",
        cause="Something broke at the provider while it worked on this request. It may have made a workstation "
        "all the same.",
        actor=Actor.PROVIDER,
        steps=(
            "Wait: the portal looks whether something was made, and tries again only when it is sure that nothing was.",
            "If it has failed for good, ask again later.",
        ),
        again="While its outcome is unknown, asking again may make a second workstation, which would be billed. Once "
        "it has failed for good, it is safe.",
        may_exist=True,
        retry=Retry.SETTLED_FIRST,
        hold=Hold.SEVERAL_IN_ROW,
        errors=(agentstation.InternalError,),
    ),
    Failure(
        code="503",
        title="The provider is too busy",
        cause="The provider dropped the request because of high load. Nothing was made.",
        actor=Actor.PROVIDER,
        steps=("Wait a few minutes: the portal has already tried several times.", "Ask again."),
        again="Trying again is safe.",
        retry=Retry.FEW,
        hold=Hold.SEVERAL_IN_ROW,
        errors=(agentstation.Overloaded,),
    ),
    Failure(
        code="no-connection",
        title="The provider cannot be reached",
        cause="No connection to the provider came about, so nothing was sent and nothing was made.",
        actor=Actor.OPERATOR,
        steps=(
            "Wait: the portal tries again by itself.",
            "If it lasts, tell a portal operator: the server's way to the provider (network, name, certificate) is "
            "broken.",
        ),
        again="The portal tries again by itself. Asking a second time is safe, but not needed.",
        retry=Retry.UNTIL_IT_WORKS,
        hold=Hold.SEVERAL_IN_ROW,
        errors=(agentstation.NoConnection,),
    ),
    Failure(
        code="no-answer",
        title="The provider did not answer",
        cause="The request was sent, but no complete answer came back. A workstation may have been made, or not: the "
        "portal does not know, and does not ask twice for something that costs money.",
        actor=Actor.NOBODY,
        steps=(
            "You need not do anything: the portal looks for the workstation in the provider's lists, and asks again "
            "only when it is sure that none was made.",
            "If you need a workstation at once, ask again; but know that you may then have two.",
        ),
        again="Trying again may make a second workstation, which would be billed.",
        may_exist=True,
        retry=Retry.SETTLED_FIRST,
        hold=Hold.SEVERAL_IN_ROW,
        errors=(agentstation.NoAnswer,),
    ),
    Failure(
        code="unreadable",
        title="The provider's answer cannot be read",
        cause="The provider said yes, but not what it had made. A workstation probably exists; the answer is kept "
        "as it came.",
        actor=Actor.NOBODY,
        steps=(
            "You need not do anything: the portal looks for the workstation in the provider's lists, and asks again "
            "only when it is sure that none was made.",
            "If you need a workstation at once, ask again; but know that you may then have two.",
        ),
        again="Trying again may make a second workstation, which would be billed.",
        may_exist=True,
        retry=Retry.SETTLED_FIRST,
        hold=Hold.SEVERAL_IN_ROW,
        errors=(agentstation.UnreadableAnswer,),
    ),
    Failure(
        code="waited-too-long",
        title="It waited too long",
        cause="The request could not be sent for so long that it was given up. Nothing was made.",
        actor=Actor.REQUESTER,
        steps=(
            "Look at the state of the key: it says what stopped the queue.",
            "If you still need the workstation, ask again.",
        ),
        again="Trying again is safe.",
    ),
    Failure(
        code="other",
        title="The provider gave an answer that nobody foresaw",
        cause="The status of the answer is not one that the provider documents. The answer is kept as it came.",
        actor=Actor.OPERATOR,
        steps=(
            "Tell a portal operator the number of this request: an address, a proxy or the provider may have changed.",
            "Ask again when they say that it is mended.",
        ),
        again="Trying again is safe, but will probably fail in the same way.",
        errors=(agentstation.UnexpectedStatus,),
    ),
)

CATALOGUE: Mapping[str, Failure] = MappingProxyType({failure.code: failure for failure in _ROWS})
CHOICES = [(failure.code, f"{failure.code}: {failure.title}") for failure in _ROWS]
NO_ANSWER = CATALOGUE["no-answer"]
UNREADABLE = CATALOGUE["unreadable"]
WAITED_TOO_LONG = CATALOGUE["waited-too-long"]


def classify_error(error: agentstation.AgentStationError) -> Failure:
    """The row of the catalogue for what the client raised."""
    for failure in _ROWS:
        if isinstance(error, failure.errors):
            return failure
    raise LookupError(f"{type(error).__name__} is not in the catalogue")
