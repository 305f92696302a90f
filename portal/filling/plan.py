"""What a history is made of: from the same plan comes the same history."""

from dataclasses import dataclass
from datetime import date

from portal.filling.calendar import Calendar


@dataclass(frozen=True, kw_only=True)
class Plan:
    """So many requests by so many people in the days up to `until`; `seed` chooses one of all such histories.

    Without `until` the last day is the one before the filling began. `batch`: requests written in one transaction.
    """

    requests: int
    people: int = 300
    days: int = 730
    until: date | None = None
    seed: int = 1
    batch: int = 5000

    @property
    def last_day(self) -> date:
        """`until`, once it is known."""
        if self.until is None:
            raise ValueError("the last day is not known before the filling began")
        return self.until

    def describe(self) -> dict[str, object]:
        """As the record keeps it."""
        return {
            "requests": self.requests,
            "people": self.people,
            "days": self.days,
            "until": self.last_day.isoformat(),
            "seed": self.seed,
            "batch": self.batch,
        }

    def make_calendar(self) -> Calendar:
        """When its requests are made."""
        return Calendar(until=self.last_day, days=self.days)
