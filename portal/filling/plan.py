"""What a history is made of: from the same plan comes the same history."""

from dataclasses import dataclass
from datetime import date

from portal.filling.calendar import Calendar


@dataclass(frozen=True, kw_only=True)
class Plan:
    """So many requests by so many people in the days up to `until`; `seed` chooses one of all such histories.

    `batch`: how many requests are written in one transaction.
    """

    requests: int
    people: int = 300
    days: int = 730
    until: date
    seed: int = 1
    batch: int = 5000

    def describe(self) -> dict[str, object]:
        """As the record keeps it."""
        return {
            "requests": self.requests,
            "people": self.people,
            "days": self.days,
            "until": self.until.isoformat(),
            "seed": self.seed,
            "batch": self.batch,
        }

    def make_calendar(self) -> Calendar:
        """When its requests are made."""
        return Calendar(until=self.until, days=self.days)
