"""The attempts of one request: what was sent, and what came back, at once or late."""

from dataclasses import dataclass
from random import Random

from portal import models
from portal.filling import words
from portal.filling.plan import Plan
from portal.filling.rows import Row, Rows, at

_O = models.Attempt.Outcome
_DEADLINE = 130.0  # seconds after the claim
_ROTATION = 0.6  # of the requests were sent with the key before the present one
_WORKERS = 4
# The failures by which endings go down in the record, where they have another name there.
_FAILURES = {"given-back": "", "402-held": "402", "gateway": "no-answer"}
_UNKNOWN = frozenset({"500", "no-answer", "gateway", "unreadable"})


@dataclass(kw_only=True)
class Attempt:
    """One of them, while it is told."""

    row: Row
    target: str
    worker: str
    claimed_at: float
    outcome: str = ""
    failure: str = ""
    has_no_end: bool = False


class Attempts:
    """Those of the request that is being told."""

    def __init__(self, *, plan: Plan, random: Random, rows: Rows) -> None:
        self._plan, self._random, self._rows = plan, random, rows

    def begin(self, request: Row) -> None:
        """Tell of this request from now on."""
        self._request, self.count = request, 0
        self.uid = words.make_uid(self._random)
        self.space = request[5] or words.make_uid(self._random)

    @property
    def target(self) -> str:
        """The last one, as events name it."""
        return f"attempt R-{self._request[0]}, attempt {self.count}"

    @property
    def is_open(self) -> bool:
        """Whether the last one ended without an answer, which may yet come."""
        return self._last.has_no_end

    def claim(self, moment: float) -> Attempt:
        """The next one."""
        self.count += 1
        number = self._request[0]
        day = int(moment // 86_400)
        worker = f"worker-{number % _WORKERS + 1}:{1000 + day % 500}:{day * 86_400}"
        is_old = number < self._plan.requests * _ROTATION
        fingerprint = "5b1c0f7a93d2e864" if is_old else "c07e4d19aa35b682"
        row = self._rows.add(
            models.Attempt,
            *(None, number, self.count, worker, at(moment), at(moment + _DEADLINE), None, "", "", fingerprint),
            *(None, None, "", "", None),
        )
        self._last = Attempt(row=row, target=self.target, worker=worker, claimed_at=moment)
        return self._last

    def end(self, attempt: Attempt, *, ending: str) -> float:
        """What it ended in. Returns when that was."""
        attempt.failure = _FAILURES.get(ending, ending)
        attempt.outcome = self._judge(ending)
        attempt.has_no_end = ending == "no-answer" and self._random.random() < 0.5
        took = _DEADLINE + 1 if attempt.has_no_end else self._random.lognormvariate(1.0, 0.5) + 0.2
        answer = words.ANSWERS.get(attempt.failure if ending != "gateway" else ending, words.Words())
        if ending == "":
            answer = self._write_success(attempt.claimed_at + took)
        wait = float(self._random.randrange(2, 60)) if ending == "429" else None
        attempt.row[6:9] = [at(attempt.claimed_at + took), attempt.outcome, attempt.failure]
        attempt.row[10:15] = [wait, answer.http_status, answer.error, answer.message, answer.answer]
        return attempt.claimed_at + took

    def answer_late(self, moment: float) -> float:
        """The last one's answer comes after all. Returns when."""
        came = moment + self._random.uniform(1, 600)
        answer = self._write_success(came)
        self._rows.add(
            models.LateAnswer,
            *(None, self._last.row, at(came), _O.SUCCEEDED, ""),
            *(answer.http_status, answer.error, answer.message, answer.answer),
        )
        return came

    @staticmethod
    def _judge(ending: str) -> str:
        if ending == "":
            return _O.SUCCEEDED
        if ending == "given-back":
            return _O.GIVEN_BACK
        return _O.UNKNOWN if ending in _UNKNOWN else _O.FAILED

    def _write_success(self, moment: float) -> words.Words:
        return words.write_workstation(
            uid=self.uid, type=self._request[4], workspace=self.space, started_at=at(moment).isoformat()
        )
