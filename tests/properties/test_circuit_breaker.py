"""The pause, step by step, against a model of it in plain Python."""

from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test
from pytest_django.fixtures import Settings

from portal import failures, models
from portal.db import clock
from portal.services.key import accounts, circuit_breaker, credentials
from portal.services.requests import dispatch, results
from tests import factories
from tests.properties import scene

OPEN, PAUSED, RESUMING = "ACTIVE", "PAUSED", "RESUMING"
OPERATOR, TIMED = ("401", "402"), ("429",)
SEVERAL = ("500", "502", "503", "no-connection", "no-answer", "unreadable", "not-sent", "other")
NOTHING = ("400", "422")
PERHAPS_MADE = ("500", "502", "no-answer", "unreadable")
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_RETRY_AFTER = 100, 300, 3600  # PORTAL_RETRY_DELAY is 50
FIRST_PROBE, LONGEST_PROBE = 10, 600
KEYS = ("key-one", "key-two", "key-three")
SEEN_LATELY = 30


@dataclass
class Model:
    """The key as the design describes it. Times are whole seconds of a clock that only the rules move."""

    now: int = 0
    state: str = OPEN
    cause: str = ""
    until: int | None = None
    ended: int = -1  # when the last pause ended
    row: int = 0
    holds: int = 0
    probes: int = 0
    probe_at: int | None = None
    by_probe: bool = False
    present: str = KEYS[0]
    accepted: frozenset[str] = frozenset(KEYS[:1])
    asked: tuple[str, ...] = ()
    seen: dict[str, int] = field(default_factory=dict)  # when a worker last showed itself with which key
    unsent: int = -1  # when an attempt last ended that could not be sent
    refused: int | None = None  # whose attempt last met an answer that is not documented

    def hold(self, cause: str, *, until: int | None = None, probe_at: int | None = None) -> None:
        self.state, self.cause, self.until, self.probe_at = PAUSED, cause, until, probe_at

    def hold_for(self, cause: str, seconds: int) -> None:
        until = self.now + seconds
        if self.state == PAUSED and (self.until is None or until <= self.until):
            return  # neither an operator's hold nor a later end is replaced
        if self.state != PAUSED:
            self.holds += 1
        self.hold(cause, until=until)

    def resume(self, *, by_probe: bool = False) -> None:
        self.state, self.until, self.probe_at = RESUMING, None, None
        self.ended, self.by_probe, self.row = self.now, by_probe, 0

    def show_life(self) -> None:
        asks = self.state == PAUSED and self.cause == models.NEW_KEY
        self.seen[self.present] = self.now
        if self.present in self.accepted:
            if asks:
                self.resume()
            return
        if self.present not in self.asked:
            self.asked += (self.present,)
        if not asks and not self.has_living():
            self.hold(models.NEW_KEY)

    def has_living(self, *, beside: str = "") -> bool:
        """Whether a worker lives whose key is accepted, and another than this one."""
        lately = {key for key, at in self.seen.items() if self.now - at < SEEN_LATELY}
        return bool(lately & self.accepted - {beside})

    def look(self) -> None:
        if self.state == PAUSED and self.until is not None and self.until <= self.now:
            self.resume()

    def counts(self, attempt: "Attempt") -> bool:
        return attempt.claimed >= self.ended

    def end(self, attempt: "Attempt", code: str, retry_after: int | None) -> bool:
        """What the end of an attempt does to the key. Returns whether its request is spared."""
        if code == "401" and self.has_living(beside=attempt.key):
            self.asked += (attempt.key,) if attempt.key in self.accepted else ()
            self.accepted -= {attempt.key}
            return True
        is_counted, self.unsent = self.unsent > attempt.claimed, self.now if code == "not-sent" else self.unsent
        before, was_open = self.refused, self.state == OPEN
        self.refused = attempt.person if code == "other" else before
        if not self.counts(attempt):
            return code in (*OPERATOR, "other")
        if code == "200":
            if self.state == RESUMING:
                self.state, self.cause, self.by_probe = OPEN, "", False
            self.row = self.holds = 0
        elif code in OPERATOR:
            if self.state == PAUSED and self.until is None:
                return True
            probed = code == "401" and not (self.state == RESUMING and self.by_probe)
            if probed:
                self.probes = 0
            self.hold(code, probe_at=self.now + FIRST_PROBE if probed else None)
            return not was_open
        elif code in TIMED:
            self.hold_for(code, min(retry_after or self.next_hold(), LONGEST_RETRY_AFTER))
        elif code == "not-sent" and is_counted:
            return False
        elif code in SEVERAL:
            self.row += 1
            code = "no-answer" if code == "502" else code
            is_spared = code == "other" and self.state == PAUSED
            again = self.state == RESUMING and self.cause == code
            if again and code == "other" and before not in (None, attempt.person):
                self.hold(code)
            elif again or (self.state != PAUSED and self.row >= 3):
                self.hold_for(code, self.next_hold())
            return is_spared
        else:
            self.row = 0
        return False

    def next_hold(self) -> int:
        return min(FIRST_PAUSE * 2**self.holds, LONGEST_PAUSE)


@dataclass
class Attempt:
    call: dispatch.Call
    claimed: int
    request: int
    person: int
    key: str


class Pause(scene.Example):
    settings: Settings  # the test gives it

    def set_up(self) -> None:
        self.settings.AGENTSTATION_API_KEY = KEYS[0]
        fingerprint = accounts.fingerprint_key(account=self.account)
        models.Credential.objects.update(fingerprint=fingerprint, is_sandbox=False)
        self.people = [factories.create_user(name, "Members") for name in ("ann", "ben")]
        self.operator = factories.create_user("operator")
        self.lease = factories.acquire_lease(name="probe", seconds=60)
        self.model = Model()
        self.attempts: list[Attempt] = []

    @initialize(count=st.integers(0, 5))
    def begin(self, count: int) -> None:
        """With some calls under way: most of what is of interest meets several."""
        self.set_up()
        for _ in range(count):
            self.claim(0)

    def tick(self, seconds: int = scene.TICK) -> None:
        factories.pass_time(seconds)
        self.model.now += seconds

    # --- What can happen ---

    @precondition(lambda self: len(self.attempts) < 6)
    @rule(person=st.sampled_from([0, 1]))
    def claim(self, person: int) -> None:
        self.tick()
        if not models.Request.objects.due(self.account).exists():
            scene.submit(self.people[person])
        call = factories.claim_next(worker="test")
        self.model.look()
        busy = [attempt for attempt in self.attempts if attempt.claimed >= self.model.ended]
        may_send = self.model.state == OPEN or (self.model.state == RESUMING and not busy)
        assert (call is not None) == (may_send and self.model.present in self.model.accepted)
        if call is not None:
            claimed = models.Request.objects.get(attempts=call.attempt_id)
            attempt = Attempt(call, self.model.now, claimed.pk, claimed.requester_id, self.model.present)
            self.attempts.append(attempt)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), code=st.sampled_from(["200", *OPERATOR, *SEVERAL, *NOTHING]))
    def respond(self, data: st.DataObject, code: str) -> None:
        self.end(data.draw(st.sampled_from(self.attempts)), code, None)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), retry_after=st.sampled_from([None, 0, 30, 200, 10**9]))
    def slow_down(self, data: st.DataObject, retry_after: int | None) -> None:
        self.end(data.draw(st.sampled_from(self.attempts)), "429", retry_after)

    @precondition(lambda self: self.attempts)
    @rule(code=st.sampled_from(SEVERAL), times=st.integers(2, 4))
    def outage(self, code: str, times: int) -> None:
        for _ in range(times):
            if self.attempts:
                self.end(self.attempts[0], code, None)
            self.claim(0)

    def end(self, attempt: Attempt, code: str, retry_after: int | None) -> None:
        self.tick()
        self.attempts.remove(attempt)
        attempt_count = models.Request.objects.get(pk=attempt.request).attempt_count
        results.record_result(call=attempt.call, result=scene.make_result(code, retry_after=retry_after))
        is_spared = self.model.end(attempt, code, retry_after)
        portal_request = models.Request.objects.get(pk=attempt.request)
        assert portal_request.status == self.expect_status(code, attempt_count=attempt_count + 1, is_spared=is_spared)
        is_free = is_spared or code in ("200", "429", "no-connection", "not-sent")
        assert portal_request.attempt_count == attempt_count + (0 if is_free else 1)

    @staticmethod
    def expect_status(code: str, *, attempt_count: int, is_spared: bool) -> str:
        if code == "200":
            return "SUCCEEDED"
        if is_spared:
            return "QUEUED"
        if code in PERHAPS_MADE:
            return "UNKNOWN"
        if code == "503":
            return "FAILED" if attempt_count >= 4 else "QUEUED"
        return "QUEUED" if code in ("not-sent", "429", "no-connection") else "FAILED"

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def worker_dies(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from(self.attempts))
        self.tick()
        factories.make_overdue(attempt.call)
        factories.expire_overdue(lease=self.lease)
        self.attempts.remove(attempt)

    @precondition(lambda self: self.model.state != OPEN)
    @rule()
    def operator_resumes(self) -> None:
        self.tick()
        may = self.model.state == PAUSED and self.model.cause != models.NEW_KEY
        try:
            circuit_breaker.resume_key(actor=self.operator, account=self.account)
        except circuit_breaker.PauseRefused:
            assert not may
        else:
            assert may
            self.model.resume()

    @precondition(lambda self: self.model.probe_at is not None)
    @rule(passed=st.booleans())
    def probe(self, passed: bool) -> None:
        self.tick()
        model = self.model
        model.look()
        is_due = model.state == PAUSED and model.probe_at is not None and model.probe_at <= model.now
        claimed = self.lease.run(circuit_breaker.claim_probe, account=self.account)
        assert (claimed is not None) == is_due
        if claimed is not None:
            model.probes += 1
            model.probe_at = model.now + min(FIRST_PROBE * 2**model.probes, LONGEST_PROBE)
            assert not self.lease.run(circuit_breaker.claim_probe, account=self.account)
            failure = None if passed else failures.CATALOGUE["401"]
            self.lease.run(circuit_breaker.note_probe, account=self.account, probe=claimed, failure=failure)
            if passed:
                model.resume(by_probe=True)

    @rule(key=st.sampled_from(KEYS), wait=st.sampled_from([scene.TICK, 100]))
    def worker_shows_life(self, key: str, wait: int) -> None:
        """With the key of before or another one, beside the workers of before or long after them."""
        self.tick(wait)
        self.model.present = self.settings.AGENTSTATION_API_KEY = key
        credentials.present_key(worker="test")
        self.model.show_life()

    @precondition(lambda self: len(self.attempts) > 1)
    @rule(key=st.sampled_from(KEYS), confirmed=st.booleans(), code=st.sampled_from(["401", "200", "429"]))
    def workers_get_another_key(self, key: str, confirmed: bool, code: str) -> None:
        """Confirmed or not, a call under way still had the former one."""
        self.worker_shows_life(key, 100)
        self.claim(0)
        if confirmed:
            self.operator_confirms()
        if self.attempts:
            self.end(self.attempts[0], code, 200 if code == "429" else None)

    @precondition(lambda self: len(self.attempts) > 1)
    @rule(waits=st.permutations([100, 1000]))
    def slow_down_twice(self, waits: list[int]) -> None:
        for seconds in waits:
            self.end(self.attempts[-1], "429", seconds)

    @precondition(lambda self: len(self.attempts) > 1 and self.model.state == OPEN)
    @rule(code=st.sampled_from(["401", "402", "429", "422"]))
    def new_key_whose_success_comes_first(self, code: str) -> None:
        self.workers_get_another_key(KEYS[1], confirmed=True, code="200")
        before = len(self.attempts)
        self.claim(0)
        if len(self.attempts) > before:
            self.end(self.attempts[-1], "200", None)
            self.end(self.attempts[0], code, None)

    @precondition(lambda self: self.model.asked)
    @rule()
    def operator_confirms(self) -> None:
        self.tick()
        model = self.model
        asked = models.Credential.objects.asked().order_by("pk")
        assert asked.count() == len(model.asked)
        for credential in asked:
            credentials.confirm_key(actor=self.operator, credential=credential, is_same_account=True)
            if model.state == PAUSED and (model.cause == models.NEW_KEY or model.probe_at is not None):
                model.resume()
        model.accepted, model.asked = model.accepted | set(model.asked), ()

    @precondition(lambda self: self.model.state == PAUSED)
    @rule(code=st.sampled_from(["401", "402", "422", "200"]))
    def resume_and_try(self, code: str) -> None:
        """The pause ends, by whatever may end it, and the attempt that is then made ends."""
        model = self.model
        if model.until is not None:
            self.tick(max(model.until - model.now, scene.TICK))
        elif model.cause == models.NEW_KEY:
            self.operator_confirms()
        elif model.probe_at is not None:
            self.tick(max(model.probe_at - model.now, scene.TICK))
            self.probe(True)
        else:
            self.operator_resumes()
        before = len(self.attempts)
        self.claim(0)
        if len(self.attempts) > before:
            self.end(self.attempts[-1], code, None)

    @precondition(lambda self: self.model.state == PAUSED)
    @rule(seconds=st.sampled_from([50, 100, 400, 4000]))
    def wait(self, seconds: int) -> None:
        self.tick(seconds)

    # --- What must hold ---

    @invariant()
    def key_is_as_the_model_says(self) -> None:
        model, key = self.model, circuit_breaker.get_key(account=self.account)
        now = clock.read_clock()
        assert (key.state, key.cause) == (model.state, model.cause)
        for real, expected in ((key.paused_until, model.until), (key.probe_at, model.probe_at)):
            assert (real is None) == (expected is None)
            if real is not None and expected is not None:
                assert (real - now).total_seconds() == pytest.approx(expected - model.now, abs=scene.TICK / 2)
        nobody_else_ends_it = model.state == PAUSED and model.until is None and model.probe_at is None
        assert key.operator_only == nobody_else_ends_it

    @invariant()
    def one_attempt_at_a_time_while_it_resumes(self) -> None:
        if self.model.state == RESUMING:
            assert sum(attempt.claimed >= self.model.ended for attempt in self.attempts) <= 1

    def conclude(self) -> None:
        """From wherever it is, an operator and a success open the key."""
        if not hasattr(self, "model"):
            return
        self.tick()
        for attempt in list(self.attempts):
            self.end(attempt, "not-sent", None)
        self.worker_shows_life(self.model.present, scene.TICK)
        self.operator_confirms()
        if self.model.state == PAUSED:
            self.operator_resumes()
        self.claim(0)
        assert self.attempts, "nothing may be sent after an operator has resumed the key"
        self.end(self.attempts[0], "200", None)
        self.key_is_as_the_model_says()
        assert self.model.state == OPEN


@pytest.mark.django_db
def test_the_hold_is_as_its_model(settings):
    settings.USING_SANDBOX = False  # whose keys are replaced without a question
    settings.PORTAL_RETRY_DELAY = FIRST_PAUSE / 2
    settings.PORTAL_LONGEST_WAIT = settings.AGENTSTATION_TOTAL_TIMEOUT = 10**9
    settings.PORTAL_CALLS_IN_FLIGHT = 1000
    Pause.settings = settings
    run_state_machine_as_test(Pause, settings=scene.bounded(examples=20, steps=25))
