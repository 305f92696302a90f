"""Databases of up to some hundred rows, whose times and ticks lie so close that many tie; and a clock that stands."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Model
from hypothesis import given
from hypothesis import strategies as st

from portal import models
from portal.services.key import accounts
from portal.services.key.databases import MEMORY
from portal.services.reconciliation import completeness, restore
from tests.properties.scene import bounded

NOW = datetime(2026, 1, 2, 12, 0, 0, 1, tzinfo=UTC)  # with the last digit that SQLite's has
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=seconds) for seconds in (1, 60, 3600, 86400))
TYPES = ("python", "golang", "quantum", "neutron")
TICKS = range(1, 30)
_BASES = [number * unit for unit in (SECOND, MINUTE, HOUR, DAY) for number in (0, 1, 2, 3, 5, 10, 15, 30)]
_JITTER = [timedelta(microseconds=number) for number in (0, 0, -1, 1)]

type Columns = Mapping[str, Any]


class World:
    def __init__(self, chance: Random) -> None:
        self.chance, self.pick = chance, chance.choice
        self.is_steady = self.is_so(50)
        self.size = chance.choice([4, 20, 60, 250])
        self.account = accounts.get_current_account()
        self.accounts = [self.account] * 7 + [models.Account.objects.create(base_url="https://elsewhere.example/v1")]
        models.Key.objects.create(account=self.accounts[-1])
        self.people = list(models.User.objects.order_by("pk"))
        self.workspaces = self.fill(
            models.Workspace,
            self.size,
            lambda number: {
                "account": self.account,
                "uid": f"S{number}",
                "owner": self.pick(self.people) if self.is_so(40) else None,
            },
        )
        self.failures = self.pick([["", "500"], ["", "500"], ["", "429"]])
        self.scans = list[int]()  # of the account
        self.submissions = [UUID(int=number) for number in range(2 * self.size)]

    def is_so(self, percent: int) -> bool:
        return self.pick(range(100)) < percent

    def moment(self, *units: timedelta, sign: int = 0) -> datetime:
        """A time close to now, or to a multiple of one of these units before (-1) or after it."""
        apart = self.pick([number * unit for unit in units for number in (0, 1, 2)] if units else _BASES)
        return NOW + (sign or self.pick([-1, 1])) * apart + self.pick(_JITTER)

    def fill[Row: Model](self, kind: type[Row], count: int, make: Callable[[int], Columns]) -> list[Row]:
        return kind._base_manager.bulk_create([kind(**make(number)) for number in range(count)])

    def fill_requests(self, *statuses: str) -> list[models.Request]:
        def make(number: int) -> Columns:
            status = self.pick(statuses)
            is_open = status in ("QUEUED", "SENDING", "UNKNOWN")
            return {
                "account": self.pick(self.accounts),
                "requester": self.pick(self.people),
                "submission": self.submissions[number],
                "type": self.pick(TYPES),
                "status": status,
                "failure": "500" if status in ("FAILED", "UNKNOWN") else "",
                "was_unknown": status == "UNKNOWN",
                "ended_at": None if is_open else self.moment(DAY, sign=-1),
                "took": None if is_open else 1.0,
                "workspace_uid": f"S{number}" if status != "QUEUED" and self.is_so(20) else "",
                "operator_note": self.pick(["", "Undecided."]),
                "queued_at": self.moment(MINUTE),
                "next_attempt_at": self.moment(SECOND) if status == "QUEUED" and self.is_so(40) else None,
                "claimed_tick": self.pick([0, *TICKS]),
            }

        return self.fill(models.Request, self.size, make)

    def fill_attempts(self, rows: Sequence[models.Request]) -> list[models.Attempt]:
        """Of each of these the last one, or it and one before."""
        numbered = [(row, number) for row in rows for number in range(self.pick([1, 2]), 0, -1)]
        seen = set[models.Request]()

        def make(index: int) -> Columns:
            row, number = numbered[index]
            outcome = self.pick(["UNKNOWN"] * 4 + ["FAILED", "NOT_SENT"])
            if row not in seen and (row.status == "SENDING" or (row.status == "SUCCEEDED" and self.is_so(50))):
                outcome = row.status
            seen.add(row)
            tick = self.pick(TICKS)
            return {
                "request": row,
                "number": number,
                "outcome": outcome,
                "failure": "500" if outcome in ("FAILED", "UNKNOWN") else "",
                "token": f"{index}",
                "worker": self.pick(["", "", "", restore.WORKER]),
                "names_taken": self.is_so(3),
                "claimed_at": self.pick([self.moment(), self.moment(MINUTE, sign=-1)]),
                "claimed_tick": tick,
                "deadline_at": self.moment(MINUTE),
                "ended_at": None if outcome == "SENDING" else self.moment(),
                "ended_tick": None if outcome == "SENDING" else tick + self.pick(range(1, 9)),
            }

        return self.fill(models.Attempt, len(numbered), make)

    def fill_workstations(
        self, *, owners: Sequence[models.Request] = (), orphans: int = 0, also: Callable[[], Columns] = dict
    ) -> list[models.Workstation]:
        """One for each owner, and so many that nobody has asked for."""

        def make(number: int) -> Columns:
            owner = owners[number] if number < len(owners) else None
            account = owner.account if owner else self.pick(self.accounts)
            is_here = account == self.account
            return {
                "account": account,
                "request": owner,
                "uid": f"W{number}",
                "type": owner.type if owner else self.pick(TYPES),
                "is_nameless": owner is None and self.is_so(10),
                "is_foreign": self.is_so(10),
                "ended_at": self.moment(DAY, sign=-1) if self.is_so(30) else None,
                **also(),
                "workspace": self.pick([None, *self.workspaces]) if is_here else None,
                "last_scan_id": self.pick([None, *self.scans]) if is_here else None,
            }

        return self.fill(models.Workstation, len(owners) + orphans, make)

    def fill_scans(self, count: int) -> None:
        """Where the clock is steady, they begin one after the other, and show the same."""
        begun, ticks = [self.moment() for _ in range(count)], [self.pick(TICKS) for _ in range(count)]
        if self.is_steady:
            begun, ticks = sorted(begun), sorted(ticks)
        shown = self.pick([0, 1]), self.pick([0, *TICKS])

        def make(number: int) -> Columns:
            tick, is_complete = ticks[number], self.is_so(60)
            own_count, witness_tick = shown if self.is_steady else (self.pick([0, 1]), self.pick([0, *TICKS]))
            problem = self.pick(["404 Refused", "404 Refused", "501", "500", completeness.STILL_ACTIVE])
            return {
                "account": self.pick(self.accounts),
                "begun_at": begun[number],
                "begun_tick": tick,
                "ended_at": NOW,
                "ended_tick": tick + self.pick(range(1, 9)),
                "phase": self.pick(["CHECK", "CHECK", "HISTORY"]),
                "is_complete": is_complete,
                "problem": "" if is_complete else problem,
                "own_count": own_count,
                "witness_tick": witness_tick,
                "clock_offset": self.pick([None, 0.0, 3600.0]),
            }

        scans = self.fill(models.Scan, count, make)
        self.scans = [one.pk for one in scans if one.account == self.account]

    def fill_restores(self) -> list[models.Restore]:
        def make(_: int) -> Columns:
            tick = self.pick(TICKS)
            return {
                "account": self.pick(self.accounts),
                "lost_since": self.moment(),
                "lost_since_tick": tick,
                "restored_at": self.moment(),
                "restored_tick": tick + self.pick(range(1, 20)),
            }

        return self.fill(models.Restore, self.pick([0, 0, 1, 2]), make)

    def choose_listing(self) -> Columns:
        missing_tick = self.pick([None, None, None, *TICKS])
        is_ended = self.is_so(20)
        return {
            "created_at": self.pick([None, self.moment()]),
            "first_seen_at": self.moment(),
            "listed_tick": self.pick([None, *TICKS]),
            "missing_tick": None if is_ended else missing_tick,
            "missing_since": None if is_ended or missing_tick is None else self.moment(MINUTE, sign=-1),
            "ended_at": self.moment(sign=-1) if is_ended else None,
            **({"release_requested_at": NOW, "release_due_at": NOW} if self.is_so(10) else {}),
        }

    def choose_end(self) -> Columns:
        ends_at = self.moment(MINUTE, 5 * MINUTE, 15 * MINUTE)
        life = self.pick([10 * MINUTE, HOUR, DAY])
        is_idle = self.is_so(30)
        return {
            "first_seen_at": self.moment(HOUR, sign=-1),
            "end_set_at": ends_at - life,
            "ends_at": ends_at if is_idle or self.is_so(80) else None,
            "end_warnings": self.pick([0, 1, 1, 2]),
            "end_seen": self.pick([None, 0.0, 60.0, 300.0]),
            "end_is_idle": is_idle,
            "planned_end_at": self.moment(HOUR) if is_idle and self.is_so(70) else None,
            **(self.choose_release() if self.is_so(10) else {}),
        }

    def choose_release(self) -> Columns:
        if self.is_so(40):
            return {}
        return {
            "release_requested_at": NOW,
            "release_requested_by": self.pick([None, *self.people]),
            "release_due_at": self.moment(MINUTE, 20 * SECOND),
            "release_tried_at": self.moment(MINUTE, 20 * SECOND, sign=-1),
            "release_tries": self.pick([0, 0, 1, 2]),
            "release_failure": self.pick(self.failures),
        }


def in_worlds(examples: int) -> Callable[[Callable[[World], None]], Callable[[], None]]:
    """Have a test look at so many of them, each of which is forgotten afterwards."""

    def decorate(look: Callable[[World], None]) -> Callable[[], None]:
        @bounded(examples=examples, steps=1)
        @given(st.randoms(use_true_random=True))
        def run(standing: None, chance: Random) -> None:
            with transaction.atomic():
                look(World(chance))
                transaction.set_rollback(True)
            MEMORY.forget()

        return run

    return decorate
