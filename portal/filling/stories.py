"""What became of each request: who asked for what, each attempt, what came of it, and every line of the record."""

import uuid
from random import Random
from typing import Any

from portal import failures, models
from portal.filling import words
from portal.filling.attempts import Attempts
from portal.filling.cast import Cast
from portal.filling.chance import Weighted
from portal.filling.plan import Plan
from portal.filling.rows import Row, Rows, at
from portal.services import retry

_S = models.Request.Status
_TYPES = Weighted({
    "max": 30, "chromium": 22, "python": 14, "zoom-chromium": 10, "meet-chromium": 9, "nodejs": 6, "voip": 4,
    "golang": 3, "voip-chromium": 2,
})  # fmt: skip
# What an attempt ends in. The provider is busy: most requests need several.
_ENDINGS = Weighted({
    "": 215, "429": 325, "503": 95, "no-connection": 130, "402-held": 24, "given-back": 22, "500": 22, "no-answer": 14,
    "422": 16, "gateway": 8, "400": 4, "402": 4, "unreadable": 4, "other": 3, "401": 2,
})  # fmt: skip
_UNFINISHED = 40  # of the last requests, in which some have no end yet
_LIVE = 100  # of the last requests, whose workstations still run


class Teller:
    """Tells one request after the other, into the rows of a batch."""

    def __init__(self, *, plan: Plan, random: Random, people: Cast, account: models.Account, rows: Rows) -> None:
        self._plan, self._random, self._people = plan, random, people
        self._account_id, self._rows = account.pk, rows
        self._key = f"key key of {account}"
        self._calendar = plan.make_calendar()
        self._spaces: dict[int, tuple[int, str]] = {}  # a workspace of each person, by id and UID
        self._attempts = Attempts(plan=plan, random=random, rows=rows)

    def tell(self, number: int) -> None:
        """The whole life of the request with this number."""
        random = self._random
        self._number, self._person = number, self._people.members.choose(random)
        self._now = self._calendar.find_moment((number - 1 + random.random()) / self._plan.requests)
        self._address = f"10.{self._person[0] % 4}.{self._person[0] % 250}.{random.randrange(2, 250)}"
        self._visit()
        self._submit()
        status = self._send()
        self._request[7] = status
        if status in (_S.SUCCEEDED, _S.FAILED, _S.CANCELLED):
            self._request[12] = at(self._now)
        if status not in (_S.FAILED, _S.UNKNOWN):
            self._request[8] = ""
        if status == _S.SUCCEEDED:
            self._use()

    # --- The record ---

    def _record(self, verb: str, target: str, detail: dict[str, Any] | None = None, **more: Any) -> Row:
        actor = more.get("actor")
        return self._rows.add(
            models.Event,
            None,
            at(self._now),
            actor[0] if actor else None,
            actor[1] if actor else "",
            self._address if actor else "",
            verb,
            target,
            self._number if more.get("of_request", True) else None,
            detail or {},
            more.get("reason", ""),
            "",
        )

    def _visit(self) -> None:
        """The person signs in, sometimes not at the first try, and the one before has left."""
        chance, name = self._random.random(), f"user {self._person[1]}"
        for verb, most in (("sign-in-failed", 0.1), ("sign-out", 0.6), ("sign-in", 0.9)):
            if chance < most:
                actor = None if verb == "sign-in-failed" else self._person
                self._now += 0.5
                self._record(verb, name, actor=actor, of_request=False)

    # --- From the form to the end ---

    def _submit(self) -> None:
        random = self._random
        kind = _TYPES.choose(random)
        space = self._spaces.get(self._person[0]) if random.random() < 0.3 else None
        uid = space[1] if space else ""
        submission = uuid.UUID(int=random.getrandbits(128), version=4)
        self._now += random.uniform(5, 90)
        self._request = self._rows.add(
            models.Request,
            *(self._number, self._account_id, self._person[0], submission, kind, uid, words.write_note(random)),
            *(_S.QUEUED, "", 0, at(self._now), at(self._now), None, None, ""),
        )
        self._label = f"request R-{self._number}"
        self._record("submit", self._label, {"type": kind, "workspace": uid}, actor=self._person)

    def _send(self) -> models.Request.Status:
        """Attempt after attempt, until one is the last. Returns the status that the request is left in."""
        self._attempts.begin(self._request)
        while True:
            if self._random.random() < 0.012:
                self._now += self._random.uniform(1, 60)
                self._record("cancel", self._label, actor=self._person)
                return _S.CANCELLED
            ending = "gateway" if self._stays_unknown() else _ENDINGS.choose(self._random)
            status = self._try(ending)
            if status != _S.QUEUED:
                return status
            if self._is_unfinished():
                return _S.QUEUED

    def _is_unfinished(self) -> bool:
        return self._number > self._plan.requests - _UNFINISHED and self._random.random() < 0.4

    def _stays_unknown(self) -> bool:
        return self._number > self._plan.requests - _UNFINISHED and self._number % 5 == 0

    def _try(self, ending: str) -> models.Request.Status:
        """One attempt, and what follows from it."""
        attempts, random = self._attempts, self._random
        attempt = attempts.claim(self._now + random.expovariate(3.0))
        self._now = attempt.claimed_at
        self._record("claim", attempt.target, {"worker": attempt.worker, "before": _S.QUEUED, "after": _S.SENDING})
        self._now = attempts.end(attempt, ending=ending)
        if ending == "no-answer" and attempt.has_no_end:
            self._record("deadline-passed", attempt.target)
        else:
            self._record("answer", attempt.target, {"outcome": attempt.outcome, "failure": attempt.failure})
        if ending == "":
            return _S.SUCCEEDED
        if ending in ("given-back", "402-held"):
            self._now += random.uniform(1, 600)
            return _S.QUEUED
        self._request[8] = attempt.failure
        self._request[9] += 1
        return self._follow(failures.CATALOGUE[attempt.failure])

    def _follow(self, failure: failures.Failure) -> models.Request.Status:
        """What the catalogue says."""
        if failure.may_exist:
            return self._settle()
        if failure.hold.is_lasting:
            self._hold(failure.code)
            return _S.FAILED
        is_over = failure.retry is failures.Retry.FEW and self._request[9] >= retry.FEW
        if failure.retry is failures.Retry.NEVER or is_over:
            return _S.FAILED
        if self._random.random() < 0.002:
            self._now += 86_400.0
            self._request[8] = failures.WAITED_TOO_LONG.code
            self._record("give-up", self._label)
            return _S.FAILED
        self._now += min(2.0 ** min(self._request[9], 8), 300.0) * self._random.uniform(0.5, 1.0)
        return _S.QUEUED

    def _hold(self, cause: str) -> None:
        """The key is held until an operator has done something about it."""
        key, moment = self._key, self._now
        detail = {"cause": cause, "until": None, "request": self._number}
        self._record("hold", key, detail, of_request=False)
        self._now += self._random.uniform(60, 7200)
        detail = {"cause": cause, "by_probe": False}
        self._record("resume", key, detail, actor=self._people.operator, of_request=False)
        self._now += self._random.uniform(1, 20)
        self._record("open", key, {"cause": cause}, of_request=False)
        self._now = moment

    # --- Outcomes that were not known ---

    def _settle(self) -> models.Request.Status:
        """Looks tell what became of it, or a late answer, or an operator."""
        chance = self._random.random()
        if self._stays_unknown():
            return _S.UNKNOWN
        if chance < 0.06 and self._attempts.is_open:
            self._now = self._attempts.answer_late(self._now)
            late = {"outcome": models.Attempt.Outcome.SUCCEEDED, "failure": ""}
            self._record("late-answer", self._attempts.target, late)
            return _S.SUCCEEDED
        if chance < 0.09:
            return self._close()
        if wishes := chance > 0.95:
            self._now += self._random.uniform(5, 40)
            self._request[13] = at(self._now)
            self._record("wish-cancel", self._label, actor=self._person)
        return self._look(is_found=chance < 0.5, wishes=wishes)

    def _close(self) -> models.Request.Status:
        self._now += self._random.uniform(600, 90_000)
        reason = self._random.choice(("Asked the provider: nothing there", "Nobody needs it any more", "Out of time"))
        self._record("close", self._label, actor=self._people.operator, reason=reason)
        return _S.FAILED

    def _look(self, *, is_found: bool, wishes: bool) -> models.Request.Status:
        self._now += self._random.uniform(60, 300)
        took = self._random.uniform(0.3, 2.0)
        active, history = self._random.randrange(1, 40), self._random.randrange(100, 900)
        look = self._rows.add(
            models.Scan, None, self._account_id, at(self._now), at(self._now + took), True, "", active, history, 0
        )
        self._now += took + 0.1
        detail = {
            "decision": "found" if is_found else "not created",
            "attempt": self._attempts.count,
            "workstation": self._attempts.uid if is_found else None,
            "scan_begun_at": look[2].isoformat(),
            "active": active,
            "history": history,
            "newcomers": [self._attempts.uid] if is_found else [],
        }
        self._rows.evidence.append((self._record("reconcile", self._label, detail), look))
        if is_found:
            return _S.SUCCEEDED
        if wishes:
            return _S.CANCELLED
        return _S.FAILED if self._request[9] >= retry.FEW else _S.QUEUED

    # --- What was made ---

    def _use(self) -> None:
        """A workstation in its workspace, and its end."""
        random, attempts = self._random, self._attempts
        ready, begun = self._now, at(self._now)
        space = self._find_space(begun)
        lasts = random.expovariate(1 / 2400.0) + 30
        is_live = self._number > self._plan.requests - _LIVE
        asker = self._person if not is_live and random.random() < 0.6 else None
        end = at(ready + lasts)
        self._now = ready + lasts - 2
        if asker:
            self._record("ask-release", f"workstation {attempts.uid}", actor=asker)
        asked = at(self._now) if asker else None
        self._now = ready + lasts
        if not is_live:
            self._record("released" if asker else "ended", f"workstation {attempts.uid}")
        status = "active" if is_live else "completed"
        raw = words.write_workstation(
            uid=attempts.uid, type=self._request[4], workspace=space[1], started_at=str(begun)
        )
        self._rows.add(
            models.Workstation,
            *(self._number, self._account_id, self._number, space[0], None, attempts.uid, self._request[4], status),
            *(begun, begun, begun, begun if is_live else end, begun if is_live else end),
            *(asked, asker[0] if asker else None, None if is_live else end, (raw.answer or b"").decode()),
        )

    def _find_space(self, moment: Any) -> tuple[int, str]:
        """The workspace that the request named, or a new one."""
        space = self._spaces.get(self._person[0])
        if space and self._request[5] == space[1]:
            return space
        made = self._number, self._attempts.space
        self._spaces[self._person[0]] = made
        self._rows.add(
            models.Workspace, made[0], self._account_id, self._person[0], made[1], "active", moment, moment, "{}"
        )
        if self._number % 20 == 0:
            self._leave(made[0], moment)
        return made

    def _leave(self, space: int, moment: Any) -> None:
        """Files and logs, in one workspace of twenty."""
        for name in ("recording.mp4", "report.pdf"):
            uid = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            url, size = f"https://files.example/{uid}", self._random.randrange(10_000, 10**9)
            self._rows.add(models.File, None, space, uid, name, url, size, moment, moment, "{}")
        for level in ("info", "warning"):
            uid = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            self._rows.add(models.Log, None, space, uid, "system", level, "", moment, moment, "{}")
