"""Who asks: a few ask for much, and many for little."""

import re
from itertools import accumulate
from random import Random

from django.contrib.auth.models import Group

from portal import models

DOMAIN = "history.invalid"  # of their addresses, by which they are known as made up
_SYLLABLES = re.findall("..", "babededigakekilolumamimonanenoparirosasetatitovavizo")
_SHARE = 0.8  # the nth member asks 1 / n ** _SHARE times as often as the first


def make_people(*, members: int, seed: int) -> None:
    """Insert an auditor, an operator and so many members. Nobody can sign in as one of them: they have no password."""
    random = Random(f"{seed}/people")
    names = [f"{''.join(random.choices(_SYLLABLES, k=3))}-{number:03}" for number in range(1, members + 1)]
    people = [models.User(username=name, email=f"{name}@{DOMAIN}") for name in ("auditor", "operator", *names)]
    for person in people:
        person.set_unusable_password()
    auditor, operator, *rest = models.User.objects.bulk_create(people)
    for name, group in (("Auditors", [auditor]), ("Operators", [operator]), ("Members", rest)):
        Group.objects.get(name=name).user_set.add(*group)


class People:
    """Those who were made."""

    def __init__(self) -> None:
        made = models.User.objects.filter(email__endswith=f"@{DOMAIN}").order_by("pk")
        _auditor, self.operator, *self._members = made
        self._weights = list(accumulate(1 / rank**_SHARE for rank in range(1, len(self._members) + 1)))

    def choose(self, random: Random) -> models.User:
        """A member, the first of them most often."""
        return random.choices(self._members, cum_weights=self._weights)[0]
