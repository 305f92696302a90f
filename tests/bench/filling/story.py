"""What became of each request: who asked for what, each attempt, what came of it, and every line of the audit log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Model

from portal import failures, models
from portal.services.requests import retry_policy
from tests.bench.filling import words
from tests.bench.filling.scene import Scene, at

_S, _O = models.Request.Status, models.Attempt.Outcome


def _repeat(weights: Mapping[str, int]) -> list[str]:
    """Each as often as its weight says, to choose from."""
    return [choice for choice, weight in weights.items() for _ in range(weight)]


_TYPES = _repeat({
    "max": 30, "chromium": 22, "python": 14, "zoom-chromium": 10, "meet-chromium": 9, "nodejs": 6, "voip": 4,
    "golang": 3, "voip-chromium": 2,
})  # fmt: skip
# What an attempt ends in. The provider is busy: most requests need several.
_ENDINGS = _repeat({
    "": 215, "429": 325, "503": 95, "no-connection": 130, "402-held": 24, "not-sent": 22, "500": 22, "no-answer": 14,
    "422": 16, "gateway": 8, "400": 4, "402": 4, "unreadable": 4, "other": 3, "401": 2,
})  # fmt: skip
# The failures by which endings go down in the audit log, where they have another name there.
_FAILURES = {"not-sent": "", "402-held": "402", "gateway": "no-answer"}
_OUTCOMES = {"": _O.SUCCEEDED, "not-sent": _O.NOT_SENT} | dict.fromkeys(
    ("500", "no-answer", "gateway", "unreadable"), _O.UNKNOWN
)
_DEADLINE = 130.0  # seconds after the claim
_WORKERS = 4
_ROTATION = 0.6  # of the requests were sent with the key before the present one
_UNFINISHED = 40  # of the last requests, in which some have no end yet
_LIVE = 100  # of the last requests, whose workstations still run
_KEYS = ("5b1c0f7a93d2e864", "c07e4d19aa35b682")
_REASONS = ("Asked the provider: nothing there", "Nobody needs it any more", "Out of time")


class Story:
    """The life of one request. `_now` is how far it has been told, in seconds since 1970."""

    def __init__(self, *, scene: Scene, number: int) -> None:
        self._scene, self._number = scene, number
        self._batch, self._random = scene.batch, scene.random
        self._is_recent = number > scene.total - _UNFINISHED
        self._stays_unknown = self._is_recent and number % 5 == 0
        self._now = scene.calendar.find_moment((number - 1 + self._random.random()) / scene.total)
        self._person = scene.people.choose(self._random)
        self._address = f"10.{self._person.pk % 4}.{self._person.pk % 250}.{self._random.randrange(2, 250)}"
        self._attempts = 0
        self._made: list[Model] = []  # the workstation, and its workspace if that is new

    def tell(self) -> None:
        """All of it."""
        self._visit()
        self._submit()
        self._request.status = self._send()
        if self._request.is_final:
            self._request.ended_at = at(self._now)
            self._request.took = (self._request.ended_at - self._request.created_at).total_seconds()
        if self._request.status not in (_S.FAILED, _S.UNKNOWN):
            self._request.failure = ""

    def _record(
        self,
        verb: str,
        target: Model | str,
        detail: dict[str, Any] | None = None,
        *,
        actor: models.User | None = None,
        rows: Sequence[Model] = (),
        moment: float | None = None,
        reason: str = "",
    ) -> None:
        """An event of this moment, or of now. One that tells of rows belongs to the request."""
        event = models.Event(
            at=at(self._now if moment is None else moment),
            actor_id=actor.pk if actor else None,
            actor_name=actor.username if actor else "",
            address=self._address if actor else "",
            verb=verb,
            target=target if isinstance(target, str) else models.name_target(target),
            request_number=self._number if rows else None,
            detail=detail or {},
            reason=reason,
            http_request="",
            signature="",
        )
        self._batch.record(event, told=rows)

    def _record_request(self, verb: str, detail: dict[str, Any] | None = None, **more: Any) -> None:
        self._record(verb, self._request, detail, **({"rows": [self._request]} | more))

    # --- From the form to the end ---

    def _visit(self) -> None:
        """The person signs in, sometimes not at the first try, and the one before has left."""
        chance = self._random.random()
        for verb, most in (("sign-in-failed", 0.1), ("sign-out", 0.6), ("sign-in", 0.9)):
            if chance < most:
                self._now += 0.5
                self._record(verb, self._person, actor=None if verb == "sign-in-failed" else self._person)

    def _submit(self) -> None:
        space = self._scene.spaces.get(self._person.pk) if self._random.random() < 0.3 else None
        self._now += self._random.uniform(5, 90)
        self._request = self._batch.add(
            models.Request(
                id=self._number,
                account_id=self._scene.account.pk,
                requester_id=self._person.pk,
                submission=words.make_uuid(self._random),
                type=self._random.choice(_TYPES),
                workspace_uid=space.uid if space else "",
                note=words.write_note(self._random),
                created_at=at(self._now),
                queued_at=at(self._now),
            )
        )
        detail = {"type": self._request.type, "workspace": self._request.workspace_uid}
        self._record_request("submit", detail, actor=self._person)

    def _send(self) -> models.Request.Status:
        """Attempt after attempt, until one is the last. Returns the status that the request is left in."""
        while True:
            if self._random.random() < 0.012:
                self._now += self._random.uniform(1, 60)
                self._record_request("cancel", actor=self._person)
                return _S.CANCELLED
            status = self._try("gateway" if self._stays_unknown else self._random.choice(_ENDINGS))
            if status != _S.QUEUED or (self._is_recent and self._random.random() < 0.4):
                return status

    def _try(self, ending: str) -> models.Request.Status:
        """One attempt, and what follows from it."""
        self._now += self._random.expovariate(3.0)
        is_lost = ending == "no-answer" and self._random.random() < 0.5
        took = _DEADLINE + 1 if is_lost else self._random.lognormvariate(1.0, 0.5) + 0.2
        response = words.ANSWERS.get(ending) if ending else self._make_workstation(self._now + took)
        attempt = self._add_attempt(ending, took, response or {})
        self._request.was_unknown |= attempt.outcome == _O.UNKNOWN
        rows = [attempt, self._request]
        before_and_after = {"before": _S.QUEUED, "after": _S.SENDING}
        self._record("claim", attempt, {"worker": attempt.worker} | before_and_after, rows=rows)
        self._now += took
        if is_lost:
            self._record("deadline-passed", attempt, rows=rows)
        else:
            detail = {"outcome": attempt.outcome, "failure": attempt.failure}
            self._record("response", attempt, detail, rows=[*rows, *self._made])
        if attempt.outcome == _O.SUCCEEDED:
            return _S.SUCCEEDED
        if ending in ("not-sent", "402-held"):
            self._now += self._random.uniform(1, 600)
            return _S.QUEUED
        self._request.failure = attempt.failure
        self._request.attempt_count += 1
        failure = failures.CATALOGUE[attempt.failure]
        return self._settle(attempt, is_lost=is_lost) if failure.may_exist else self._follow(failure)

    def _add_attempt(self, ending: str, took: float, response: words.Columns) -> models.Attempt:
        day = int(self._now // 86_400)
        self._attempts += 1
        return self._batch.add(
            models.Attempt(
                request_id=self._number,
                number=self._attempts,
                worker=f"worker-{self._number % _WORKERS + 1}:{1000 + day % 500}:{day * 86_400}",
                claimed_at=at(self._now),
                deadline_at=at(self._now + _DEADLINE),
                ended_at=at(self._now + took),
                outcome=_OUTCOMES.get(ending, _O.FAILED),
                failure=_FAILURES.get(ending, ending),
                key_fingerprint=_KEYS[self._number > self._scene.total * _ROTATION],
                retry_after=float(self._random.randrange(2, 60)) if ending == "429" else None,
                **response,
            )
        )

    def _follow(self, failure: failures.Failure) -> models.Request.Status:
        """What the catalogue says."""
        if failure.pause.is_lasting:
            self._hold(failure.code)
            return _S.FAILED
        is_over = failure.retry is failures.Retry.FEW and self._request.attempt_count >= retry_policy.MAX_ATTEMPTS
        if failure.retry is failures.Retry.NEVER or is_over:
            return _S.FAILED
        if self._random.random() < 0.002:
            self._now += 86_400.0
            self._request.failure = failures.WAITED_TOO_LONG.code
            self._record_request("give-up")
            return _S.FAILED
        self._now += min(2.0 ** min(self._request.attempt_count, 8), 300.0) * self._random.uniform(0.5, 1.0)
        return _S.QUEUED

    def _hold(self, cause: str) -> None:
        """The key is held until an operator has done something about it."""
        key, operator = f"key key of {self._scene.account}", self._scene.people.operator
        resumed = self._now + self._random.uniform(60, 7200)
        opened = resumed + self._random.uniform(1, 20)
        self._record("pause", key, {"cause": cause, "until": None, "request": self._number})
        self._record("resume", key, {"cause": cause, "by_probe": False}, actor=operator, moment=resumed)
        self._record("activate", key, {"cause": cause}, moment=opened)

    # --- Outcomes that were not known ---

    def _settle(self, attempt: models.Attempt, *, is_lost: bool) -> models.Request.Status:
        """Scans tell what became of it, or a late response, or an operator."""
        chance = self._random.random()
        if self._stays_unknown:
            return _S.UNKNOWN
        if chance < 0.06 and is_lost:
            return self._answer_late(attempt)
        if chance < 0.09:
            self._now += self._random.uniform(600, 90_000)
            reason = self._random.choice(_REASONS)
            self._record_request("close", actor=self._scene.people.operator, reason=reason)
            return _S.FAILED
        if wishes := chance > 0.95:
            self._now += self._random.uniform(5, 40)
            self._request.cancel_requested_at = at(self._now)
            self._record_request("request-cancel", actor=self._person)
        self._reconcile(is_found=chance < 0.5)
        if self._made:
            return _S.SUCCEEDED
        if wishes:
            return _S.CANCELLED
        return _S.FAILED if self._request.attempt_count >= retry_policy.MAX_ATTEMPTS else _S.QUEUED

    def _answer_late(self, attempt: models.Attempt) -> models.Request.Status:
        self._now += self._random.uniform(1, 600)
        response = self._make_workstation(self._now)
        late = self._batch.add(
            models.LateResponse(attempt=attempt, came_at=at(self._now), outcome=_O.SUCCEEDED, **response)
        )
        rows = [late, attempt, self._request, *self._made]
        self._record("late-response", attempt, {"outcome": _O.SUCCEEDED, "failure": ""}, rows=rows)
        return _S.SUCCEEDED

    def _reconcile(self, *, is_found: bool) -> None:
        """A scan shows the workstation, or that there is none."""
        begun = self._now + self._random.uniform(60, 300)
        took = self._random.uniform(0.3, 2.0)
        scan = self._batch.add(
            models.Scan(
                account_id=self._scene.account.pk,
                begun_at=at(begun),
                ended_at=at(begun + took),
                is_whole=True,
                active_count=self._random.randrange(1, 40),
                history_count=self._random.randrange(100, 900),
            )
        )
        self._now = begun + took + 0.1
        if is_found:
            self._make_workstation(self._now)
        found = [str(row) for row in self._made[:1]]
        detail = {
            "decision": "found" if is_found else "not created",
            "attempt": self._attempts,
            "workstation": found[0] if found else None,
            "scan": scan,
            "scan_begun_at": scan.begun_at.isoformat(),
            "active": scan.active_count,
            "history": scan.history_count,
            "newcomers": found,
        }
        self._record_request("reconcile", detail, rows=[self._request, *self._made])

    # --- What was made ---

    def _make_workstation(self, ready: float) -> words.Columns:
        """A workstation in its workspace, and its end. Returns the response that it was made."""
        random, begun, end = self._random, at(ready), None
        lasts = random.expovariate(1 / 2400.0) + 30
        if self._number <= self._scene.total - _LIVE:
            end = at(ready + lasts)
        asker = self._person if end and random.random() < 0.6 else None
        space = self._find_space(begun)
        workstation = models.Workstation(
            id=self._number,
            account_id=self._scene.account.pk,
            request_id=self._number,
            workspace_id=space.pk,
            uid=words.make_uid(random),
            type=self._request.type,
            status="completed" if end else "active",
            created_at=begun,
            first_seen_at=begun,
            listed_at=begun,
            refreshed_at=end or begun,
            refresh_due_at=end or begun,
            release_requested_at=at(ready + lasts - 2) if asker else None,
            release_requested_by_id=asker.pk if asker else None,
            ended_at=end,
        )
        workstation.raw = words.write_workstation(workstation, workspace=space.uid)
        self._made = [self._batch.add(workstation), *([space] if space.pk == self._number else [])]
        if asker:
            self._record("request-release", workstation, actor=asker, moment=ready + lasts - 2, rows=self._made)
        if end:
            self._record("released" if asker else "ended", workstation, moment=ready + lasts, rows=self._made)
        return {"http_status": 200, "response": workstation.raw.encode()}

    def _find_space(self, moment: datetime) -> models.Workspace:
        """The workspace that the request named, or a new one."""
        space = self._scene.spaces.get(self._person.pk)
        if space and self._request.workspace_uid == space.uid:
            return space
        made = models.Workspace(
            id=self._number,
            account_id=self._scene.account.pk,
            owner_id=self._person.pk,
            uid=words.make_uid(self._random),
            status="active",
            created_at=moment,
            first_seen_at=moment,
            raw="{}",
        )
        self._scene.spaces[self._person.pk] = self._batch.add(made)
        if self._number % 20 == 0:
            self._leave(moment)
        return made

    def _leave(self, moment: datetime) -> None:
        """Files and logs, in one workspace of twenty."""
        common = {"workspace_id": self._number, "created_at": moment, "first_seen_at": moment, "raw": "{}"}
        for name in ("recording.mp4", "report.pdf"):
            uid = str(words.make_uuid(self._random))
            url, size = f"https://files.example/{uid}", self._random.randrange(10_000, 10**9)
            self._batch.add(models.File(uid=uid, name=name, url=url, size=size, **common))
        for level in ("info", "warning"):
            uid = str(words.make_uuid(self._random))
            self._batch.add(models.Log(uid=uid, type="system", level=level, **common))
