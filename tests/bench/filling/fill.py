"""Fills the database, batch by batch: what was begun and not ended is gone on with."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random

from django.conf import settings
from django.core.management.color import no_style
from django.db import connection, transaction

from portal import models
from portal.db import search_index
from portal.models.event import Verb
from portal.services.audit import seals
from portal.services.key import accounts
from portal.services.reports import usage
from portal.services.runtime import leases
from tests.bench.filling import batch, people, story
from tests.bench.filling.calendar import Calendar
from tests.bench.filling.scene import Scene, at
from tests.signing import store_events, write_event

_VERB = "fill-history"  # of the first event of a database that was filled
_LEASE = 600.0  # seconds for a round of a duty, over as many rows as there ever are


@dataclass(frozen=True, kw_only=True)
class Plan:
    """So many requests by so many people in the days up to `until`; `seed` chooses one of all such histories.

    Without `until` the last day is the one before the filling began. `batch`: requests written in one transaction,
    within which their events are signed: PostgreSQL ends one that waits for that longer than the portal lets it.
    """

    requests: int
    people: int = 300
    days: int = 730
    until: str = ""
    seed: int = 1
    batch: int = 1000


class Refused(Exception):
    """The database is not one to be filled; the message says why."""


def fill_history(*, plan: Plan, report: Callable[[str], None]) -> None:
    """Fill an empty database, or go on where an earlier call with the same plan was stopped. Raises Refused.

    Writes as the portal's services would have, but past them: in bulk, with times of the past. What a worker's duties
    would have done by now, they do at the end. `report` is told what has been done.
    """
    plan = _begin(plan)
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA cache_size = -262144")
    _write_requests(plan, report)
    report("indexing")
    connection.cursor().execute("ANALYZE")  # without which PostgreSQL reads whole tables for each request's texts
    search_index.index_missing()
    search_index.make_index()
    search_index.install_triggers()
    for name, act in (("usage", usage.count_usage), ("seal", seals.seal_events)):
        report(f"duty: {name}")
        _do_duty(name, act)
    _tidy()
    report("done")


@transaction.atomic
def _begin(plan: Plan) -> Plan:
    """Note the plan in the audit log and make the people, or see that it is the plan noted. Returns the plan."""
    if not settings.USING_SANDBOX:
        raise Refused("Only a portal with the sandbox is filled: set PORTAL_LOCAL=1, and no API key.")
    first = models.Event.objects.order_by("id").first()
    noted = first.detail if first and first.verb == _VERB else {}
    yesterday = str(datetime.now(UTC).date() - timedelta(days=1))
    plan = replace(plan, until=plan.until or noted.get("until", yesterday))
    if first is None and not models.User.objects.exists():
        begin = at(_make_calendar(plan).begin)
        write_event(at=begin, verb=_VERB, target="history", detail=asdict(plan))
        people.make_people(members=plan.people, seed=plan.seed)
        _make_account(begin, seed=plan.seed)
    elif noted != asdict(plan):
        raise Refused(f"The database is not empty, or was filled by another plan: {noted}.")
    return plan


def _make_account(begin: datetime, *, seed: int) -> None:
    """That of this process's key, which is accepted from the first."""
    base_url = settings.AGENTSTATION_BASE_URL
    values = {"base_url": base_url, "created_at": begin, "baseline_scan": "DONE", "salt": f"{seed:032}"}
    account = models.Account.objects.create(**values)
    models.Key.objects.create(account=account)
    credential = models.Credential.objects.create(
        account=account,
        fingerprint=accounts.fingerprint_key(account=account),
        base_url=base_url,
        is_sandbox=True,
        asked_at=begin,
        accepted_at=begin,
    )
    event = models.Event(
        at=begin, verb=Verb.FIRST_KEY, target=f"credential {credential}", detail={"base_url": base_url}
    )
    store_events([(event, [credential])])


def _make_calendar(plan: Plan) -> Calendar:
    return Calendar(until=date.fromisoformat(plan.until), days=plan.days)


def _write_requests(plan: Plan, report: Callable[[str], None]) -> None:
    """Tell the stories that are not told yet, a batch in a transaction, and leave the search without its texts."""
    account, calendar, cast = accounts.get_current_account(), _make_calendar(plan), people.People()
    done = models.Request.objects.count()
    if done < plan.requests:
        search_index.remove_triggers()
        search_index.drop_index()
    for first in range(done + 1, plan.requests + 1, plan.batch):
        last = min(first + plan.batch - 1, plan.requests)
        scene = Scene(
            total=plan.requests,
            calendar=calendar,
            people=cast,
            account=account,
            random=Random(f"{plan.seed}/{first}"),
        )
        for number in range(first, last + 1):
            story.Story(scene=scene, number=number).tell()
        # Only now: a transaction that waits for nothing but us would be ended by PostgreSQL.
        with transaction.atomic():
            scene.batch.write()
        report(f"{last:,} of {plan.requests:,} requests")


def _do_duty(name: str, act: Callable[..., int]) -> None:
    """What a worker does from time to time, until nothing is left to do."""
    count = 1
    while count:
        lease = leases.acquire_lease(name=name, holder=_VERB, seconds=_LEASE)
        if lease is None:
            raise Refused("A worker uses this database. Stop it first.")
        count = act(lease=lease)
    leases.drop_leases(holder=_VERB)


def _tidy() -> None:
    """Set the counters of ids behind the rows, and let the database learn what is in its tables."""
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), list(batch.TABLES)):
            cursor.execute(sql)
        cursor.execute("VACUUM (ANALYZE)" if connection.vendor == "postgresql" else "PRAGMA wal_checkpoint(TRUNCATE)")
