"""Refreshing: live workstations as the provider tells of them, by lists or one by one, whichever needs fewer calls."""

import logging
import math
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import batched

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from portal import agentstation, models
from portal.db import clock, is_unable, release_connection
from portal.models.clock import Now
from portal.services import audit
from portal.services.key import accounts, circuit_breaker, credentials, pace
from portal.services.mirrors import doubts, mirror, sanitize
from portal.services.runtime import leases

logger = logging.getLogger(__name__)

_MOST = 200  # due ones looked at in a round
_AT_ONCE = 8  # read singly in a round, all at the same time
_MOST_TOGETHER = 16  # stored in one transaction, for which claims wait
_LARGEST = 4000  # characters of JSON of each of these
_ON_A_PAGE = 20  # entries of a list
_MOST_PAGES = 50  # of the list in a round
_SHARE = 1 / 3  # of the pace
_LONGEST_CALL = 10.0  # seconds; a round stays short, and what was not told is asked again
_PATIENCE = timedelta(seconds=60)  # before one that could not be read is read again
LONGEST_PAUSE = timedelta(minutes=5)  # between reads of one in doubt


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was told of a live workstation; without `told` it was not found, or (`has_failed`) nothing was told.

    `is_refused`: because of the key.
    """

    stored: models.Workstation
    told: agentstation.Workstation | None = None
    has_failed: bool = False
    is_refused: bool = False

    @property
    def workspace_uid(self) -> str:
        """The workspace that the response names, or ""."""
        return self.told.workspace.uid if self.told and self.told.workspace else ""

    @property
    def is_small(self) -> bool:
        """Whether it is a short response, by the contract, about a workstation that has not ended."""
        if self.told is None or self.told.deviations or self.told.status in models.Workstation.ENDED_STATUSES:
            return False
        return len(sanitize.write_json(raw=self.told.raw)) <= _LARGEST

    @property
    def is_news(self) -> bool:
        """Whether it differs from what is stored, so that more than the time of the reading is to be written."""
        if self.has_failed:
            return False
        if self.told is None:
            return self.stored.doubted_at is None
        return self.stored.doubted_at is not None or not mirror.is_known(stored=self.stored, workstation=self.told)


def refresh_workstations(*, lease: leases.Lease, client: agentstation.Client) -> int:
    """Ask the provider about the live workstations that are due. Returns how many were due."""
    # One that is being released tells of its end by that; in doubt, it is read as well.
    is_wanted = Q(release_requested_at=None) | Q(doubted_at__isnull=False)
    wanted = models.Workstation.objects.live().filter(is_wanted, refresh_due_at__lte=Now())
    if not wanted.exists():
        return 0
    account = accounts.get_current_account()
    due = list(wanted.filter(account=account).order_by("refresh_due_at")[:_MOST])
    if not due or circuit_breaker.stops_all_calls(key=account.key):
        return 0
    # Another account's key would hear of all of ours that they are gone.
    if not circuit_breaker.is_confirmed(account=account):
        return 0
    readings = _read_due(due, account=account, lease=lease, client=client.hurried(total_timeout=_LONGEST_CALL))
    news = [reading for reading in readings if reading.is_news]
    _store_news(news=news, account=account, begun_tick=account.key.tick, lease=lease)
    if any(reading.is_refused for reading in readings):
        credentials.note_refusal(account=account)
    if readings:
        _note_readings(readings=readings, account=account, lease=lease)
    return len(due)


def _read_due(
    due: list[models.Workstation], *, account: models.Account, lease: leases.Lease, client: agentstation.Client
) -> list[Reading]:
    listed: list[Reading] = []
    if _count_pages(account=account) < len(due):
        try:
            listed = _read_list(account=account, lease=lease, client=client)
        except agentstation.RateLimited:
            return [Reading(stored=stored, has_failed=True) for stored in due]
    covered = {reading.stored.pk for reading in listed}
    rest = [stored for stored in due if stored.pk not in covered]
    release_connection()
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return [*listed, *pool.map(lambda stored: _read(stored, client=client), rest[:_AT_ONCE])]


def _count_pages(*, account: models.Account) -> int:
    """How many calls the active list takes, as far as is known here."""
    return math.ceil(models.Workstation.objects.live().filter(account=account).count() / _ON_A_PAGE)


def _read_list(*, account: models.Account, lease: leases.Lease, client: agentstation.Client) -> list[Reading]:
    """What the active list tells of live ones, also of those that are not due. That it lacks one says nothing.

    Raises RateLimited: whoever reads singly then makes it worse.
    """
    listed = _read_pages(most=2 * _count_pages(account=account), lease=lease, client=client)
    entries = {entry.uid: entry for entry in listed if mirror.has_storable_uid(workstation=entry)}
    rows = models.Workstation.objects.live().filter(account=account, uid__in=entries)
    # In some lists entries have no workspace, so that they do not tell of files and logs.
    return [
        Reading(stored=stored, told=entries[stored.uid])
        for stored in rows
        if stored.workspace_id is None or entries[stored.uid].workspace is not None
    ]


def _read_pages(*, most: int, lease: leases.Lease, client: agentstation.Client) -> list[agentstation.Workstation]:
    """The active list, as far as it can be read in so many calls."""
    entries: list[agentstation.Workstation] = []
    cursor = ""
    for _ in range(most):
        release_connection()
        try:
            page = client.list_page(cursor=cursor, limit=_ON_A_PAGE)
        except agentstation.RateLimited:
            raise
        except agentstation.AgentStationError:
            break
        entries += page.entries
        cursor = page.next_cursor
        with transaction.atomic():
            leases.renew_lease(lease=lease)
        if not cursor:
            break
    return entries


def _read(stored: models.Workstation, *, client: agentstation.Client) -> Reading:
    try:
        told = client.retrieve_workstation(uid=stored.uid)
    except agentstation.AssetNotFound:
        return Reading(stored=stored)
    except agentstation.AgentStationError as error:
        return Reading(stored=stored, has_failed=True, is_refused=isinstance(error, agentstation.InvalidKey))
    return Reading(stored=stored, told=told, has_failed=told.uid != stored.uid)


def _store_news(*, news: Sequence[Reading], account: models.Account, begun_tick: int, lease: leases.Lease) -> None:
    """Write what has changed, in short transactions, for claims wait for the key meanwhile.

    What cannot be stored stops no other.
    """
    named = Counter(reading.workspace_uid for reading in news)
    together, left = list[Reading](), list[Reading]()
    for reading in news:
        # Responses that name the same workspace are stored in their order.
        is_together = reading.is_small and named[reading.workspace_uid] == 1
        (together if is_together else left).append(reading)
    for some in batched(together, _MOST_TOGETHER, strict=False):
        left += _store_together(readings=some, account=account, lease=lease)
    for reading in left:
        _store_singly(reading=reading, account=account, begun_tick=begun_tick, lease=lease)


def _store_together(*, readings: Sequence[Reading], account: models.Account, lease: leases.Lease) -> list[Reading]:
    """Write news of which none is an event in one transaction. Returns those that are to be stored singly."""
    try:
        with transaction.atomic():
            circuit_breaker.lock_key(account=account)
            leases.renew_lease(lease=lease)
            told = _lock_unchanged(readings)
            mirror.update_workstations(told=told)
    except Exception as error:
        if isinstance(error, leases.LeaseLost) or is_unable(error):
            raise
        logger.exception(
            "What was told of %d workstations could not be stored together; it is stored one by one.", len(readings)
        )
        return list(readings)
    stored = {row.pk for row, _ in told}
    return [reading for reading in readings if reading.stored.pk not in stored]


def _lock_unchanged(readings: Sequence[Reading]) -> list[tuple[models.Workstation, agentstation.Workstation]]:
    """The live and undoubted of them that are in the workspace that they tell of, each with what was told.

    Rows that others have locked are skipped: whoever locks several in another order would deadlock with this.
    """
    told = {reading.stored.pk: reading.told for reading in readings if reading.told}
    spaces = {reading.stored.pk: reading.workspace_uid for reading in readings}
    rows = models.Workstation.objects.select_related("workspace")
    free = rows.select_for_update(of=("self", "workspace"), skip_locked=True, no_key=True)
    found = free.filter(pk__in=told, ended_at=None, doubted_at=None, workspace__account=F("account"))
    return [(row, told[row.pk]) for row in found if row.workspace and row.workspace.uid == spaces[row.pk]]


def _store_singly(*, reading: Reading, account: models.Account, begun_tick: int, lease: leases.Lease) -> None:
    """Write what has changed, in a transaction of its own."""
    try:
        with transaction.atomic(), audit.collect_events():
            key = circuit_breaker.lock_key(account=account)
            leases.renew_lease(lease=lease)
            _store(reading, key=key, begun_tick=begun_tick)
    except Exception as error:
        if isinstance(error, leases.LeaseLost) or is_unable(error):
            raise
        logger.exception("What was told of workstation %s could not be stored.", reading.stored.uid)


def _store(reading: Reading, *, key: models.Key, begun_tick: int) -> None:
    """Its state and contents, its end, or that a doubt begins or is cleared."""
    stored = models.Workstation.objects.select_for_update().get(pk=reading.stored.pk)
    if stored.ended_at is not None:
        return
    if reading.told is None:
        if stored.release_requested_at is None:  # else it was asked meanwhile, and tells of its end by itself
            doubts.begin_doubt(key=key, stored=stored, why="read")
        return
    before = doubts.describe_life(stored=stored)
    doubted_tick = stored.doubted_tick
    mirror.store_workstation(
        account=key.account, workstation=reading.told, request_number=stored.request_id, known=stored
    )
    if stored.ended_at is not None:
        doubts.end_workstation(stored=stored, before=before)
    elif doubted_tick is not None and doubted_tick <= begun_tick:  # else it was missed after this reading began
        doubts.clear_doubt(stored=stored)


def _choose_interval(*, account: models.Account) -> timedelta:
    """The setting, or under a pace so long that reading takes no more than its share, beside the pace."""
    interval = timedelta(seconds=settings.PORTAL_REFRESH_INTERVAL)
    if not settings.PORTAL_CALLS_PER_MINUTE:
        return interval
    calls = _count_pages(account=account)
    return max(interval, pace.MINUTE * calls / (_SHARE * settings.PORTAL_CALLS_PER_MINUTE))


@transaction.atomic
def _note_readings(*, readings: Sequence[Reading], account: models.Account, lease: leases.Lease) -> None:
    """Say when each was heard of and is due again: a statement for all that were told, and one for each in doubt.

    Rows that others have locked stay due: whoever locks several in another order would deadlock with this.
    """
    leases.renew_lease(lease=lease)
    now = clock.read_clock()
    interval = _choose_interval(account=account)
    rows = models.Workstation.objects
    locked = rows.select_for_update(skip_locked=True, no_key=True)
    free = set(locked.filter(pk__in=[one.stored.pk for one in readings]).values_list("pk", flat=True))
    noted = [reading for reading in readings if reading.stored.pk in free]
    told = [reading.stored.pk for reading in noted if reading.told is not None and not reading.has_failed]
    failed = [reading.stored.pk for reading in noted if reading.has_failed]
    missed = [reading.stored.pk for reading in noted if reading.told is None and not reading.has_failed]
    rows.filter(pk__in=told).update(refreshed_at=now, refresh_due_at=now + interval)
    rows.filter(pk__in=failed).update(refresh_due_at=now + _PATIENCE)
    for stored in rows.filter(pk__in=missed):
        age = now - stored.doubted_at if stored.doubted_at else interval
        rows.filter(pk=stored.pk).update(refresh_due_at=now + max(interval, min(age / 4, LONGEST_PAUSE)))
