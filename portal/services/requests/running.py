"""Limits on what runs at once: how many workstations a person, and the team, may have. What waits for one counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal import models
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, key_lock
from portal.services.people import people, policy

_WAITING = (models.Request.Status.QUEUED, models.Request.Status.SENDING, models.Request.Status.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Use:
    """How many there are of how many: of a person, or of the team."""

    count: int
    most: int
    is_team: bool

    @property
    def is_full(self) -> bool:
        """Whether no more may run."""
        return self.count >= self.most

    def __str__(self) -> str:
        words = (
            _("the team has %(count)d of at most %(most)d")
            if self.is_team
            else _("you have %(count)d of at most %(most)d")
        )
        return words % {"count": self.count, "most": self.most}


class Reached(Exception):
    """There is no place for another; the message is fit for the person."""

    def __init__(self, *, use: Use) -> None:
        self.act = f"more than {use.most} workstations {'of the team ' if use.is_team else ''}at once"
        words = _(
            "No more workstations now: %(use)s, waiting requests included. Release or cancel one that you no longer "
            "need, wait until another one ends, or ask %(operators)s."
        )
        super().__init__(words % {"use": use, "operators": people.name_operators()})


def choose_limit(*, decided: models.Policy, person: models.User) -> int:
    """The person's own limit, or everybody's; 0 is no limit."""
    return decided.running_per_person if person.running_limit is None else person.running_limit


def list_running(*, account: models.Account, person: models.User | None = None) -> QuerySet[models.Workstation]:
    """What runs now of the account, or of the person: what no request owns, and what is foreign, counts as well."""
    rows = models.Workstation.objects.running().filter(account=account)
    return rows if person is None else rows.filter(request__requester=person)


def _find_counted(*, account: models.Account, person: models.User | None = None) -> QuerySet[Any, Any]:
    """The numbers of the requests that count, in one statement: between two, one that is being sent would be lost."""
    # One status at a time: for three SQLite would look through all requests.
    waiting = [models.Request.objects.filter(account=account, status=status).order_by() for status in _WAITING]
    live = list_running(account=account, person=person).filter(request__isnull=False).order_by()
    if person is not None:
        waiting = [rows.filter(requester=person) for rows in waiting]
    return live.values("request").union(*(rows.values("pk") for rows in waiting))


def list_counted(*, account: models.Account, person: models.User) -> QuerySet[models.Request]:
    """The person's requests that count, newest first, with their workstations."""
    return (
        models.Request.objects.select_related("workstation")
        .filter(pk__in=_find_counted(account=account, person=person))
        .order_by("-pk")
    )


def count_by_person(*, account: models.Account) -> Mapping[int, int]:
    """How many workstations count as running, by the requester's id."""
    counted = models.Request.objects.filter(pk__in=_find_counted(account=account))
    return dict(counted.order_by().values_list("requester").annotate(Count("pk")))


def describe_left(*, uses: Sequence[Use]) -> str:
    """How many more the person can request, as a sentence; empty where there is no limit."""
    if not uses:
        return ""
    left = min(use.most - use.count for use in uses)
    words = (
        ngettext(
            "You can request %(left)d more workstation: %(uses)s.",
            "You can request %(left)d more workstations: %(uses)s.",
            left,
        )
        if left > 0
        else _("You can request no more workstations now: %(uses)s.")
    )
    return words % {"left": left, "uses": _(", and ").join(map(str, uses))}


def list_uses(*, decided: models.Policy, account: models.Account, person: models.User) -> list[Use]:
    """Of the person, and of the team, where there is a limit."""
    own = _count(choose_limit(decided=decided, person=person), account=account, person=person)
    return [use for use in (own, _count(decided.running, account=account)) if use]


def take_place(*, decided: models.Policy, account: models.Account, person: models.User) -> None:
    """See in the caller's transaction that there is a place for one more, which nobody else gets before its end.

    Locks what has a limit: first the person, then the team's. Raises Reached.
    """
    if choose_limit(decided=decided, person=person):
        # Rows that refer to the person can be written meanwhile.
        stored = models.User.objects.select_for_update(no_key=True).only("running_limit").get(pk=person.pk)
        _check(_count(choose_limit(decided=decided, person=stored), account=account, person=person))
    if decided.running:
        decided = models.Policy.objects.select_for_update().get(pk=policy.get_policy().pk)
        _check(_count(decided.running, account=account))


def _count(most: int, *, account: models.Account, person: models.User | None = None) -> Use | None:
    """None where there is no limit."""
    if not most:
        return None
    return Use(count=_find_counted(account=account, person=person).count(), most=most, is_team=person is None)


def _check(use: Use | None) -> None:
    if use and use.is_full:
        raise Reached(use=use)


def set_limit(*, actor: models.User, person: models.User, limit: int | None, reason: str) -> None:
    """Give the person a limit of their own: None for the portal's, 0 for none. What stays as it was is no event."""
    with key_lock.deciding(account=accounts.get_current_account()):
        stored = models.User.objects.select_for_update().get(pk=person.pk)
        before = stored.running_limit
        if limit != before:
            stored.change(running_limit=limit)
            audit.record(Verb.SET_LIMIT, stored, by=actor, detail={"before": before, "after": limit}, reason=reason)
