"""Who asks: a few ask for much, and many for little."""

import re
from dataclasses import dataclass
from random import Random

from django.contrib.auth.models import Group

from portal import models
from portal.filling.chance import Weighted
from portal.filling.plan import Plan

DOMAIN = "history.invalid"  # of their addresses, by which they are known as made up
_SYLLABLES = re.findall("..", "babededigakekilolumamimonanenoparirosasetatitovavizo")
_SHARE = 0.8  # the nth person asks 1 / n ** _SHARE times as often as the first


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Members by how often they ask, and an operator: each as (id, user name)."""

    members: Weighted[tuple[int, str]]
    operator: tuple[int, str]


def make_people(*, plan: Plan) -> None:
    """Insert them. Nobody can sign in as one of them: they have no password."""
    names = ["auditor", "operator", *_name_members(plan)]
    people = [models.User(username=name, email=f"{name}@{DOMAIN}") for name in names]
    for person in people:
        person.set_unusable_password()
    models.User.objects.bulk_create(people)
    groups = {name: Group.objects.get(name=name) for name in ("Auditors", "Operators", "Members")}
    for person in models.User.objects.filter(email__endswith=f"@{DOMAIN}"):
        person.groups.add(groups[{"auditor": "Auditors", "operator": "Operators"}.get(person.username, "Members")])


def read_cast(*, plan: Plan) -> Cast:
    """Those who were made."""
    ids = dict(models.User.objects.filter(email__endswith=f"@{DOMAIN}").values_list("username", "pk"))
    return Cast(
        members=Weighted(
            {(ids[name], name): 1 / rank**_SHARE for rank, name in enumerate(_name_members(plan), start=1)}
        ),
        operator=(ids["operator"], "operator"),
    )


def _name_members(plan: Plan) -> list[str]:
    random = Random(f"{plan.seed}/people")  # noqa: S311 (makes history, keeps no secret)
    return [f"{''.join(random.choices(_SYLLABLES, k=3))}-{number:03}" for number in range(1, plan.people + 1)]
