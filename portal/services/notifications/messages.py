"""Who is told what. A message is one entry of MESSAGES: all else about it follows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.models.event import Verb
from portal.services.requests import notes

_S = models.Request.Status
_A_WHILE, _SHORT_PAUSE = 60, 300  # seconds: for which people watch a page; at most the pauses that soon end themselves
_DECIDED = (Verb.RESPONSE, Verb.LATE_RESPONSE, Verb.RECONCILE)


class Who(Enum):
    OWNER = auto()  # of the request
    SHARED_WITH = auto()
    OPERATORS = auto()  # who may decide about requests
    AUDITORS = auto()  # who may see the audit log


TEAM = (Who.OPERATORS, Who.AUDITORS)


@dataclass(frozen=True, kw_only=True)
class Fact:
    """An event, with the request that it belongs to."""

    event: models.Event
    portal_request: models.Request | None

    def ends_in(self, status: str) -> bool:
        """Whether the event moved the request to this status."""
        detail = self.event.detail
        return bool(detail.get("after") == status != detail.get("before"))

    def read_values(self) -> dict[str, object]:
        """What words and causes are made of: kept with the notification."""
        event, detail = self.event, self.event.detail
        failure, kind = (one.failure, one.type) if (one := self.portal_request) else ("", "")
        values: dict[str, object] = {"who": event.actor_name, "reason": event.reason, "number": event.request_number}
        values |= {"failure": failure, "type": kind}
        return values | {name: detail.get(name) for name in ("cause", "ends_at", "warning")}


@dataclass(frozen=True, kw_only=True)
class Message:
    """One kind of message, which channels get too where it is for the team.

    Of what has the same `cause`, made of the event's values, the first is told; `many`: the words for it and what
    followed. `label`: other words where people choose what is mailed. `link`: a page's name, and a query.
    """

    verbs: tuple[Verb, ...]
    words: failures.Words
    many: failures.Words = ""
    label: failures.Words = ""
    who: Who = Who.OWNER
    link: str = "request_detail"
    hint: failures.Words = ""  # what stands in the place of a reason
    when: Callable[[Fact], bool] = bool  # always
    cause: str = ""


def _is_ready_after_a_while(fact: Fact) -> bool:
    took = fact.portal_request.took if fact.portal_request else None
    return fact.ends_in(_S.SUCCEEDED) and took is not None and took > _A_WHILE


def _asks(fact: Fact) -> bool:
    """Whether a person has to decide who had not to before: other words for the same question are no news."""
    return bool(fact.event.reason) and not fact.event.detail["before"]["operator_note"]


def _lasts(fact: Fact) -> bool:
    until = fact.event.detail.get("until")
    return until is None or (datetime.fromisoformat(until) - fact.event.at).total_seconds() > _SHORT_PAUSE


MESSAGES = {
    "ready": Message(
        label=_("A workstation is ready, after more than a minute"),
        verbs=(*_DECIDED, Verb.ADOPT),
        when=_is_ready_after_a_while,
        cause="{number}",
        words=_("The workstation of %(request)s is ready"),
    ),
    "failed": Message(
        label=_("A request failed"),
        verbs=(*_DECIDED, Verb.GIVE_UP, Verb.REFUSE_WORKSPACE, Verb.CLOSE),
        when=lambda fact: fact.ends_in(_S.FAILED),
        cause="{failure}",
        words=_("%(request)s failed: %(failure)s"),
        many=_("%(count)d requests failed: %(failure)s"),
    ),
    "cancelled": Message(
        label=_("A request was cancelled by somebody else"),
        verbs=(*_DECIDED, Verb.CANCEL, Verb.NOT_CREATED),
        when=lambda fact: fact.ends_in(_S.CANCELLED),
        cause="{who}: {reason}",
        words=_("%(request)s was cancelled"),
        many=_("%(count)d of your requests were cancelled"),
    ),
    "decision": Message(
        label=_("A request needs your decision"),
        verbs=(Verb.NEEDS_REVIEW,),
        when=lambda fact: _asks(fact) and notes.may_requester_decide(note=fact.event.reason),
        words=_("%(request)s needs your decision"),
        many=_("%(count)d requests need your decision"),
    ),
    "ends": Message(
        label=_("A workstation ends soon"),
        verbs=(Verb.WARN_END,),
        cause="{number} {ends_at} {warning}",  # each warning of an end
        words=_("Your workstation %(type)s of %(request)s ends on %(ends_at)s"),
        link="workstation_detail",
        hint=_("You can keep it longer on its page."),
    ),
    "released": Message(
        label=_("A workstation was released by somebody else"),
        verbs=(Verb.REQUEST_RELEASE,),
        when=lambda fact: fact.event.actor_id is not None,
        cause="{who}: {reason}",
        words=_("%(who)s released your workstation %(type)s of %(request)s"),
        many=_("%(who)s released %(count)d of your workstations"),
    ),
    "kept": Message(
        label=_("A workstation is not released as it was to be"),
        verbs=(Verb.WITHDRAW_RELEASE,),
        cause="{number}",
        words=_("Your workstation %(type)s of %(request)s is not released as it was to be"),
        link="workstation_detail",
    ),
    "shared": Message(
        label=_("A workstation is shared with you"),
        verbs=(Verb.SHARE,),
        who=Who.SHARED_WITH,
        cause="{number}",
        words=_("%(who)s shared the workstation %(type)s of %(request)s with you"),
        link="home",
    ),
    "paused": Message(
        label=_("Sending is paused"),
        verbs=(Verb.PAUSE,),
        when=_lasts,
        who=Who.OPERATORS,
        cause="{cause}",
        words=_("Sending is paused: %(cause)s"),
        link="key",
    ),
    "key": Message(
        label=_("An API key has to be confirmed"),
        verbs=(Verb.ASK_ACCOUNT, Verb.WITHDRAW_KEY),
        who=Who.OPERATORS,
        words=_("A worker has an API key that an operator has to confirm"),
        link="key",
    ),
    "review": Message(
        label=_("A request needs review"),
        verbs=(Verb.NEEDS_REVIEW,),
        when=_asks,
        who=Who.OPERATORS,
        words=_("%(request)s needs review"),
        many=_("%(count)d requests need review"),
        link="unknown",
    ),
    "unassigned": Message(
        label=_("A workstation is unassigned"),
        verbs=(Verb.UNASSIGNED,),
        who=Who.OPERATORS,
        words=_("The workstation %(workstation)s is unassigned"),
        many=_("%(count)d workstations are unassigned"),
        link="unknown",
    ),
    "queue": Message(
        verbs=(Verb.QUEUE_SLOW,),
        who=Who.OPERATORS,
        words=_("Requests wait for more than ten minutes"),
        link=f"request_list?status={_S.QUEUED}",
    ),
    "log": Message(
        verbs=(Verb.CHECKED,),
        when=lambda fact: bool(fact.event.detail.get("findings")),
        who=Who.AUDITORS,
        words=_("The audit log is not intact"),
        link="audit_log",
    ),
}
TEST = "test"  # what an administrator sends to see whether a channel works
VERBS = {verb for message in MESSAGES.values() for verb in message.verbs}


def wants_mail(*, person: models.User, kind: str, decided: models.Policy) -> bool:
    """As the person has chosen, or else as administrators have."""
    return bool(person.mail_choices.get(kind, kind not in decided.unmailed.split()))


def is_for_channels(*, kind: str, decided: models.Policy) -> bool:
    """Whether the team's channels get this kind."""
    return MESSAGES[kind].who in TEAM and kind not in decided.unsent.split()


def describe_kind(*, kind: str) -> failures.Words:
    """What people call it; in a version that no longer has it, by its name."""
    return MESSAGES[kind].label or MESSAGES[kind].words if kind in MESSAGES else kind


def list_all() -> list[tuple[str, failures.Words]]:
    """Every kind with its description."""
    return [(kind, describe_kind(kind=kind)) for kind in MESSAGES]


def list_kinds(*, person: models.User) -> list[tuple[str, failures.Words]]:
    """The kinds of messages that the person can get, and what they are called."""
    decides, reads = person.has_perm("portal.close_request"), person.has_perms(("portal.see_all", "portal.view_event"))
    may = {Who.OWNER: True, Who.SHARED_WITH: True, Who.OPERATORS: decides, Who.AUDITORS: reads}
    return [(kind, describe_kind(kind=kind)) for kind, message in MESSAGES.items() if may[message.who]]


class Text(NamedTuple):
    """A notification in words: a line, the reason where there is one, and the path that it leads to."""

    line: str
    reason: str
    path: str


def describe(*, row: models.Notification) -> Text:
    """Written in the zone and language that are set, and without line breaks: it stands in the head of mails."""
    message, is_many = MESSAGES.get(row.kind), _count(row) > 1
    if message is None:  # a test, or of a version that is no longer here
        return Text(line=gettext("A test of this channel"), reason="", path=reverse("home"))
    who, reason = row.values.get("who"), row.values.get("reason")
    said = f"{who}: {reason}" if who and reason else gettext(reason) if reason else str(message.hint)
    line = str(message.many if message.many and is_many else message.words) % _write_values(row)
    link = "request_list" if message.many and is_many and message.link == "request_detail" else message.link
    name, mark, query = link.partition("?")
    pages: dict[str, object] = {"request_detail": row.request_number, "workstation_detail": row.workstation}
    named = [pages[name]] if name in pages else []
    return Text(line=_flatten(line), reason=_flatten(said), path=f"{reverse(name, args=named)}{mark}{query}")


def _write_values(row: models.Notification) -> dict[str, object]:
    values: dict[str, object] = dict.fromkeys(("who", "failure", "type", "cause", "ends_at"), "") | row.values
    values |= {"workstation": row.workstation, "count": _count(row)}
    values |= {"request": models.Request(pk=row.request_number).label, "type": models.label_type(str(values["type"]))}
    if failure := failures.CATALOGUE.get(str(values["failure"])):
        values["failure"] = failure.title
    if cause := values["cause"]:
        values["cause"] = models.Key(cause=str(cause)).cause_clause
    if ends_at := values["ends_at"]:
        values["ends_at"] = date_format(timezone.localtime(datetime.fromisoformat(str(ends_at))), "j M Y, H:i T")
    return values


def _count(row: models.Notification) -> int:
    """Of requests or workstations, each once however often it was told of. Older rows do not name them."""
    return len(row.values.get("targets", row.events))


def _flatten(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)
