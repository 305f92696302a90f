"""Refreshing: live workstations as the active list shows them, and read singly where it does not."""

import logging
import math
from collections.abc import Iterable
from datetime import timedelta
from itertools import islice

from django.conf import settings
from django.db.models import Q, QuerySet

from portal import agentstation, failures, models
from portal.db import clock, is_unable, release_connection
from portal.models.clock import Now
from portal.services import audit
from portal.services.key import accounts, circuit_breaker, credentials, key_lock, pace
from portal.services.mirrors import mirror, missing, sanitize
from portal.services.runtime import leases

logger = logging.getLogger(__name__)

_MOST_SINGLY = 8  # read in a round
_ON_A_PAGE = 20  # entries of a list
_SHARE = 1 / 3  # of the pace
_LONGEST_CALL = 10.0  # seconds; a round stays short, and what was not answered is asked again
PATIENCE = timedelta(seconds=60)  # before one that was not found, or could not be read, is read again

# What the provider shows of each; None of one that it does not find.
type _Shown = dict[models.Workstation, agentstation.Workstation | None]


def refresh_workstations(*, client: agentstation.Client) -> int:
    """Ask the provider about the live workstations once one of them is due. Returns how many were due."""
    # One that is being released shows its end by that; missing, it is read as well.
    is_wanted = Q(release_requested_at=None) | Q(missing_since__isnull=False)
    wanted = models.Workstation.objects.live().filter(is_wanted, refresh_due_at__lte=Now())
    if not wanted.exists():
        return 0
    account = accounts.get_current_account()
    due = list(wanted.filter(account=account).order_by("refresh_due_at"))
    # Another account's key would hear of all of ours that they are gone.
    if not due or circuit_breaker.stops_all_calls(key=account.key) or not accounts.is_key_accepted(account=account):
        return 0
    begun_tick = account.key.tick
    shown, put_off = _read(due, account=account, client=client.hurried(total_timeout=_LONGEST_CALL))
    for stored, entry in shown.items():
        if _is_news(stored, entry):
            _store(stored, entry, account=account, begun_tick=begun_tick)
    _note_round(shown=shown, put_off=put_off, account=account)
    return len(due)


def _read(
    due: list[models.Workstation], *, account: models.Account, client: agentstation.Client
) -> tuple[_Shown, list[models.Workstation]]:
    """Returns what the provider shows, and those that it was asked about in vain."""
    shown: _Shown = {}
    asked = due
    try:
        shown |= _read_list(account=account, client=client)
        for stored in islice((one for one in due if one not in shown), _MOST_SINGLY):
            asked = [stored]
            shown[stored] = _read_singly(stored, client=client)
    except agentstation.RateLimited:
        asked = due  # who goes on asking makes it worse
    except agentstation.AgentStationError as error:  # the next round goes on with the others
        if failures.classify_error(error).stops_reads:
            credentials.note_refusal(account=account)
    return shown, [stored for stored in asked if stored not in shown]


def _read_list(*, account: models.Account, client: agentstation.Client) -> _Shown:
    """What the active list shows of live ones, also of those that are not due. That it lacks one says nothing."""
    entries: dict[str, agentstation.Workstation] = {}
    cursor = ""
    for _ in range(2 * _count_pages(account=account)):
        _go_on()
        try:
            page = client.list_page(cursor=cursor, limit=_ON_A_PAGE)
        except agentstation.AgentStationError as error:
            if isinstance(error, agentstation.RateLimited) or failures.classify_error(error).stops_reads:
                raise
            break
        entries |= {entry.uid: entry for entry in page.entries if sanitize.is_storable(uid=entry.uid)}
        if not (cursor := page.next_cursor):
            break
    rows = models.Workstation.objects.live().filter(account=account, uid__in=entries)
    shown = {stored: entries[stored.uid] for stored in rows}
    # In some lists entries have no workspace, so that they say nothing of files and logs.
    return {stored: entry for stored, entry in shown.items() if entry.workspace or stored.workspace_id is None}


def _count_pages(*, account: models.Account) -> int:
    return math.ceil(models.Workstation.objects.live().filter(account=account).count() / _ON_A_PAGE)


def _read_singly(stored: models.Workstation, *, client: agentstation.Client) -> agentstation.Workstation | None:
    _go_on()
    try:
        entry = client.retrieve_workstation(uid=stored.uid)
    except agentstation.AgentStationError as error:
        if failures.classify_error(error).means_missing:
            return None
        raise
    if entry.uid != stored.uid:
        raise agentstation.errors.UnreadableResponse("the response is about another workstation")
    return entry


def _go_on() -> None:
    """Called before each call, for which no connection to the database is held."""
    leases.renew_lease()
    release_connection()


def _is_news(stored: models.Workstation, entry: agentstation.Workstation | None) -> bool:
    if entry is None:
        return stored.missing_since is None
    return stored.missing_since is not None or not mirror.is_known(stored=stored, workstation=entry)


def _store(
    stored: models.Workstation, entry: agentstation.Workstation | None, *, account: models.Account, begun_tick: int
) -> None:
    """Write what has changed of one, in a transaction of its own: what cannot be stored stops no other."""
    try:
        with key_lock.holding(account=account) as key, audit.collect_events():
            _save(stored.pk, entry, key=key, begun_tick=begun_tick)
    except Exception as error:
        if isinstance(error, leases.LeaseLost) or is_unable(error):
            raise
        logger.exception("What AgentStation shows of workstation %s could not be stored.", stored.uid)


def _save(number: int, entry: agentstation.Workstation | None, *, key: models.Key, begun_tick: int) -> None:
    rows = models.Workstation.objects.select_related("account", "workspace").select_for_update(of=("self",))
    stored = rows.get(pk=number)
    if stored.ended_at is not None:
        return
    if entry is None:
        if stored.release_requested_at is None:  # else it was asked meanwhile, and shows its end by itself
            missing.note_missing(key=key, stored=stored, why="read")
        return
    before, missing_tick = missing.describe_life(stored=stored), stored.missing_tick
    is_another = mirror.is_same(stored=stored, entry=entry) is False
    if not is_another:
        mirror.store_workstation(stored=stored, workstation=entry)
    if is_another or stored.ended_at is not None:
        missing.end_workstation(stored=stored, before=before)
    elif missing_tick is not None and missing_tick <= begun_tick:  # else it was missed after this reading began
        missing.note_found(stored=stored)


@leases.transaction()
def _note_round(*, shown: _Shown, put_off: Iterable[models.Workstation], account: models.Account) -> None:
    """Write when each was read and is due again. What others have locked stays due."""
    now, lacking = clock.read_clock(), {stored for stored, entry in shown.items() if entry is None}
    found, missed = _list_free(shown.keys() - lacking), _list_free(lacking.union(put_off))
    interval = _choose_interval(account=account)
    models.Workstation.objects.filter(pk__in=found).update(refreshed_at=now, refresh_due_at=now + interval)
    models.Workstation.objects.filter(pk__in=missed).update(refresh_due_at=now + max(interval, PATIENCE))


def _list_free(workstations: Iterable[models.Workstation]) -> QuerySet[models.Workstation, int]:
    """Those that nobody else has locked: whoever locks several in another order would deadlock with this."""
    rows = models.Workstation.objects.select_for_update(skip_locked=True, no_key=True)
    return rows.filter(pk__in=[stored.pk for stored in workstations]).values_list("pk", flat=True)


def _choose_interval(*, account: models.Account) -> timedelta:
    """The setting, or under a pace so long that reading takes no more than its share, beside the pace."""
    interval = timedelta(seconds=settings.PORTAL_REFRESH_INTERVAL)
    if not settings.PORTAL_CALLS_PER_MINUTE:
        return interval
    calls = _count_pages(account=account)
    return max(interval, pace.MINUTE * calls / (_SHARE * settings.PORTAL_CALLS_PER_MINUTE))
