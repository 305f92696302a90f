"""Fills the database, batch by batch: what was begun and not ended is gone on with."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from random import Random

from django.conf import settings
from django.db import connection, transaction

from portal import models
from portal.filling import cast, rows, stories, tables
from portal.filling.plan import Plan
from portal.services import accounts, leases, usage
from portal.services.audit import seals
from portal.services.search import indexing

_VERB = "fill-history"  # of the first event of a database that was filled
_LEASE = 600.0  # seconds for a round of a duty, over as many rows as there ever are


class Refused(Exception):
    """The database is not one to be filled; the message says why."""


# Told what is being done, how much of it there is now, and how much there will be.
type Report = Callable[[str, int, int], None]


def fill_history(*, plan: Plan, report: Report) -> None:
    """Fill an empty database, or go on where an earlier call with the same plan was stopped. Raises Refused.

    Writes as the portal's services would have, but past them: in bulk, with times of the past. What a worker's duties
    would have done by now, they do at the end.
    """
    _check_portal()
    plan = _begin(plan=plan)
    people, account = cast.read_cast(plan=plan), accounts.get_current_account()
    done = tables.read_newest(models.Request)
    indexing.drop_index()
    while done < plan.requests:
        report("requests", done, plan.requests)
        done = _fill_batch(plan=plan, first=done + 1, people=people, account=account)
    report("requests", done, plan.requests)
    report("search indexes", 0, 1)
    indexing.make_index()
    report("search indexes", 1, 1)
    _do_duty("usage", usage.count_usage, report=partial(report, "days and months counted"), total=plan.days)
    _do_duty("seal", seals.seal_events, report=partial(report, "events sealed"), total=tables.read_newest(models.Event))
    tables.tidy(rows.list_tables())


def _check_portal() -> None:
    if not settings.USING_SANDBOX:
        raise Refused(
            "Only a portal with the sandbox in the place of the provider is filled: set PORTAL_LOCAL=1, and no API key."
        )


@transaction.atomic
def _begin(*, plan: Plan) -> Plan:
    """Note the plan in the record, and make the people; or see that both are as they were left. Returns the plan."""
    first = models.Event.objects.order_by("id").first()
    plan = _find_last_day(plan, begun=first.detail.get("until") if first else None)
    if first is None or first.verb != _VERB:
        if first is not None or models.User.objects.exists() or models.Request.objects.exists():
            raise Refused("The database has rows that are not made up. Take an empty one.")
        start = rows.at(plan.make_calendar().begin)
        models.Event.objects.create(at=start, verb=_VERB, target="history", detail=plan.describe())
        cast.make_people(plan=plan)
        _prepare_account()
    elif first.detail != plan.describe():
        raise Refused(f"The database was filled by another plan: {first.detail}. Take that one, or an empty database.")
    if models.User.objects.exclude(email__endswith=f"@{cast.DOMAIN}").exists():
        raise Refused("The database has people who are not made up. Take an empty one.")
    return plan


def _find_last_day(plan: Plan, *, begun: str | None) -> Plan:
    if plan.until is not None:
        return plan
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    return replace(plan, until=date.fromisoformat(begun) if begun else yesterday)


def _prepare_account() -> None:
    account = accounts.get_current_account()
    account.first_look = models.Account.FirstLook.DONE
    account.save(update_fields=["first_look"])


def _fill_batch(*, plan: Plan, first: int, people: cast.Cast, account: models.Account) -> int:
    """Tell the stories of a batch and write them down in one transaction. Returns the number of the last."""
    last = min(first + plan.batch - 1, plan.requests)
    batch = rows.Rows(newest=rows.read_newest())
    teller = stories.Teller(
        plan=plan,
        random=Random(f"{plan.seed}/{first}"),  # noqa: S311 (makes history, keeps no secret)
        people=people,
        account=account,
        rows=batch,
    )
    for number in range(first, last + 1):
        teller.tell(number)
    batch.number()
    # Only now: a transaction that waits for nothing but us would be ended by PostgreSQL.
    with transaction.atomic(), indexing.index_afterwards(above=first - 1):
        if connection.vendor == "sqlite":
            connection.cursor().execute("PRAGMA cache_size = -262144")
        batch.insert()
    return last


def _do_duty(name: str, act: Callable[..., int], *, report: Callable[[int, int], None], total: int) -> None:
    """What a worker does from time to time, until nothing is left to do."""
    done = 0
    while True:
        report(done, max(total, done))
        held = leases.acquire_lease(name=name, holder=_VERB, seconds=_LEASE)
        if held is None:
            raise Refused("A worker uses this database. Stop it first.")
        count = act(held=held)
        if not count:
            break
        done += count
    leases.drop_leases(holder=_VERB)
