"""Opening a connection: the one call to the provider while a person waits, who alone gets the address."""

import re
import threading
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.utils.translation import gettext as _

from portal import agentstation, failures, models
from portal.db import clock, release_connection
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.connections import access, hosts
from portal.services.key import accounts, circuit_breaker, credentials, key_lock, pace
from portal.services.limits import limits
from portal.services.runtime import clients, hidden

_MOST_AT_ONCE = 4  # calls of this process, so that a slow provider leaves threads to all other forms
_MOST_OF_ONE = 2  # calls for one person, of all processes
_LONGEST = 10.0  # seconds
_BUSY_FOR = 3.0  # seconds, before it is tried again
_LONGEST_WORDS = 500  # characters of what the provider said
# Each branch begins at the beginning of a word alone, or its time would grow with the square of the longest.
_ADDRESS = re.compile(r"(?<!\S)\S*//\S+|(?<![\w.-])[\w.-]+:[0-9]{2,5}\S*")

Kind = models.Connection.Kind
_calls = threading.BoundedSemaphore(_MOST_AT_ONCE)


class NotOpened(Exception):
    """Why there is no connection, in words fit for the person. `said`: the provider's own; `retry_after` in seconds;
    `status`: what a program is answered."""

    def __init__(
        self, title: str, text: str, *, said: str = "", retry_after: float | None = None, status: int = 503
    ) -> None:
        super().__init__(title)
        self.title, self.text, self.said, self.retry_after, self.status = title, text, said, retry_after, status


class Busy(NotOpened):
    """So many others are being opened that this one has to wait a moment."""


class Gone(NotOpened):
    """There is nothing to open any more: trying again is of no use."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    connection: models.Connection
    address: str = field(repr=False)


def open_connection(
    *,
    person: models.User,
    workstation: models.Workstation,
    kind: models.Connection.Kind,
    reason: str = "",
    by_program: bool = False,
) -> Opened:
    """Ask the provider for a way into the workstation; no transaction may be open. Raises NotOpened."""
    if database.in_atomic_block:
        raise RuntimeError("no transaction may be open while the provider is asked")
    _check(workstation, kind)
    if not _calls.acquire(blocking=False):
        raise Busy(_("Several connections are being opened"), _("Yours is next in a moment."), retry_after=_BUSY_FOR)
    try:
        call = models.Connection(
            person=person, workstation=workstation, kind=kind, is_opening=True, by_program=by_program
        )
        begin_call(call=call, limit=limits.OPENING)
        try:
            address = _ask(workstation, kind)
            return Opened(connection=_open(call, reason=reason), address=address)
        finally:
            # Where it is not open by now, it failed.
            models.Connection.calls.filter(pk=call.pk, is_opening=True).update(ended_at=Now())
    finally:
        _calls.release()


def check_workstation(*, workstation: models.Workstation) -> None:
    """Raise NotOpened where the provider cannot be asked about it."""
    if not access.is_open(workstation=workstation):
        raise Gone(_("The workstation has ended"), _("It was released, or AgentStation ended it."), status=422)
    key = circuit_breaker.get_key(account=workstation.account)
    if circuit_breaker.stops_all_calls(key=key) or not accounts.is_key_accepted(account=key.account):
        raise NotOpened(
            _("The portal can't use its API key at the moment"),
            _("A portal operator has to act; the status page says why. Your workstation goes on running."),
        )


def _check(workstation: models.Workstation, kind: models.Connection.Kind) -> None:
    check_workstation(workstation=workstation)
    if kind not in {offer.kind for offer in access.list_offers(workstation=workstation)}:
        raise NotOpened(
            _("Not available for this type"), _("What AgentStation lists for this type doesn't include it."), status=422
        )


def begin_call(*, call: models.Connection, limit: limits.Kind) -> None:
    """Write down the call, which counts in the team's pace and in its person's limit. Raises Busy."""
    try:
        has_room = _begin(call, limit)
    except limits.Limited as error:
        limits.record_limit(limited=error)
        title = _("You did this many times just now")
        raise Busy(title, str(error), retry_after=error.seconds, status=429) from None
    if not has_room:
        if limit is limits.OPENING:
            limits.keep_room(account=call.workstation.account)
        title = _("All calls of this minute are used")
        raise Busy(title, _("Yours is next in a moment."), retry_after=_BUSY_FOR, status=429)


@transaction.atomic
def _begin(call: models.Connection, limit: limits.Kind) -> bool:
    """False where the team's calls of this minute are used. Raises limits.Limited, or Busy."""
    account = call.workstation.account
    if settings.PORTAL_CALLS_PER_MINUTE:
        key_lock.lock_key(account=account)  # as claims do: the number of calls is exact
        now = clock.read_clock()
        if pace.count_room(account=account, now=now, ahead=0) <= 0:
            return False
        if limit is limits.PASSING and pace.count_room_for_passing(now=now) <= 0:
            return False
    limits.count_one(kind=limit, person=call.person)  # from here on one of the person's at a time
    lately = Now() - timedelta(seconds=_LONGEST + _BUSY_FOR)  # where a process died, nobody ended its call
    rows = models.Connection.calls.filter(person=call.person, is_opening=True, ended_at=None, opened_at__gt=lately)
    if settings.PORTAL_LIMITS and limit is limits.OPENING and rows.filter(kind__in=Kind).count() >= _MOST_OF_ONE:
        wait = _("This one is next in a moment.")
        raise Busy(_("Two of yours are being opened"), wait, retry_after=_BUSY_FOR, status=429)
    call.save()
    return True


def _ask(workstation: models.Workstation, kind: models.Connection.Kind) -> str:
    release_connection()
    try:
        client = clients.make_client().hurried(total_timeout=_LONGEST)
        address = client.open_connection(uid=workstation.uid, path=kind.way.path)
    except agentstation.AgentStationError as error:
        raise _describe(error, workstation=workstation, kind=kind) from None
    if not hosts.is_known(address=address, is_url=kind.way.is_url):
        raise NotOpened(
            _("AgentStation gave an address the portal doesn't know"),
            _("A portal operator can allow its host: PORTAL_CONNECTION_HOSTS lists those that are known."),
        )
    return address


def _describe(
    error: agentstation.AgentStationError, *, workstation: models.Workstation, kind: models.Connection.Kind
) -> NotOpened:
    """What the person reads, in the catalogue's words; and what is remembered of it."""
    failure = failures.classify_error(error)
    said, response = _read_words(error), error.response
    status = response.status if response and response.status >= 400 else 504 if failure.may_exist else 503
    if failure.refuses_connection:
        _remember(workstation, kind, said or _("AgentStation gave no reason."))
        return NotOpened(
            _("AgentStation doesn't open this"),
            _("This workstation may not have it: not every type does. Your workstation goes on running."),
            said=said,
            status=status,
        )
    if failure.pause.is_lasting:
        credentials.note_refusal(account=workstation.account)
    waits = failure.pause in (failures.Pause.UNTIL_RETRY_AFTER, failures.Pause.CONSECUTIVE_FAILURES)
    if not waits and failure.needs_person:
        who = _("Who can act: %(who)s. Your workstation goes on running.") % {"who": failure.actor.words}
        return NotOpened(str(failure.title), who, said=said, status=status)
    asked = response.retry_after if response else None
    wait = min(asked, pace.LONGEST_RETRY_AFTER) if asked else None
    text = _("Your workstation goes on running. Connect again in a moment.")
    return NotOpened(str(failure.title), text, said=said, retry_after=wait, status=status)


def _read_words(error: agentstation.AgentStationError) -> str:
    """What the provider said in a refusal, without secrets and what may be an address."""
    response = error.response
    if response is None or response.status < 400:
        return ""
    return _ADDRESS.sub("[…]", hidden.hide(text=response.message or response.error))[:_LONGEST_WORDS]


@transaction.atomic
def _remember(workstation: models.Workstation, kind: models.Connection.Kind, words: str) -> None:
    stored = models.Workstation.objects.select_for_update().get(pk=workstation.pk)
    stored.change(refused_connections={**stored.refused_connections, kind: words})


@transaction.atomic
def _open(opened: models.Connection, *, reason: str) -> models.Connection:
    """Write down that it is open, and that there is no refusal any more. Raises NotOpened where the right has ended."""
    rows = models.Workstation.objects.select_related("request__requester").select_for_update(of=("self",))
    stored, person = rows.get(pk=opened.workstation_id), models.User.objects.get(pk=opened.person_id)
    kind, allowed = opened.kind, access.find_access(person=person, workstation=stored)
    if allowed is None or kind not in allowed.kinds or not access.is_open(workstation=stored):
        why = _("It was released, or isn't shared with you any more.")
        raise Gone(_("You can't open this any more"), why, status=422)
    if kind in stored.refused_connections:
        others = {one: said for one, said in stored.refused_connections.items() if one != kind}
        stored.change(refused_connections=others)
    opened.is_opening, opened.is_view_only = False, allowed.is_view_only
    opened.reason = reason if allowed.needs_reason else ""
    opened.opened_at = opened.seen_at = clock.read_clock()
    opened.save()
    detail = {"kind": kind, "connection": opened.pk, "view_only": opened.is_view_only}
    audit.record(Verb.OPEN_CONNECTION, stored, by=person, detail=detail, reason=opened.reason, rows=())
    return opened
