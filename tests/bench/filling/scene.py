"""What the stories of a batch have in common."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from portal import models
from tests.bench.filling.batch import Batch
from tests.bench.filling.calendar import Calendar
from tests.bench.filling.people import People


def at(seconds: float) -> datetime:
    """The moment so many seconds after 1970."""
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Who and what a story is made of, and where it is written."""

    total: int  # requests of the whole history
    calendar: Calendar
    people: People
    account: models.Account
    random: Random
    batch: Batch = field(default_factory=Batch)
    spaces: dict[int, models.Workspace] = field(default_factory=dict)  # the newest of each person
