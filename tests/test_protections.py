"""Each protection switched off in turn, a fault put into its window: the comparison of the books must notice.

A check that cannot fail is none. With the protection on, the same fault leaves books that agree.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from portal import models
from portal.db import clock
from portal.services.key import circuit_breaker
from portal.services.reconciliation import matching, reconcile
from portal.services.requests import dispatch, lifecycle, results
from portal.services.runtime import leases
from tests import factories
from tests.chaos import books, clocks, inside
from tests.provider import server

pytestmark = pytest.mark.django_db(transaction=True)

SEND_WITHIN, CALL_WITHIN = 10.0, 5.0  # the settings of the tests
LONG = 300  # seconds: past every deadline and the grace for settling
LIVING, KILLED = 1, 2  # the workers


@dataclass
class Scene:
    """A portal in one process: its workers and duties act when the test says so, and time passes when it says so."""

    sandbox: server.Sandbox
    requester: models.User
    lease: leases.Lease
    clock: clocks.Clock
    # How many POSTs there were when so much time was let pass: the sandbox's clock is not moved with the database's.
    passed: list[tuple[int, float]] = field(default_factory=list)

    def submit(self) -> models.Request:
        return factories.submit(self.requester)

    def claim(self, *, worker: int = LIVING) -> dispatch.Call:
        call = factories.claim_next(worker=f"test:{worker}:0")
        assert call is not None
        return call

    def call(self, call: dispatch.Call) -> dispatch.Result:
        return factories.send(call)

    def send(self) -> bool:
        call = factories.claim_next(worker=f"test:{LIVING}:0")
        if call is not None:
            factories.record(call, self.call(call))
        return call is not None

    def pass_time(self, seconds: float) -> None:
        factories.pass_time(seconds)
        self.passed.append((len(self.sandbox.record()["posts"]), seconds))

    def do_duties(self, *, after: float) -> None:
        self.pass_time(after)
        factories.expire_overdue(lease=self.lease)
        factories.reconcile_once(self.lease)

    def finish(self) -> None:
        """Let the portal go on for as long as anything is open, within reason."""
        for _ in range(6):
            if not models.Request.objects.filter(status__in=("QUEUED", "SENDING", "UNKNOWN")).exists():
                break
            self.do_duties(after=LONG)
            self.send()

    def compare(self) -> books.Report:
        stored: dict[str, Any] = inside.read_book(clock=self.clock)
        submissions = [
            books.Submission(
                member=row.member, submission=row.submission, type=row.type, workspace="", numbers=(row.number,)
            )
            for row in stored["requests"]
        ]
        posts = [
            replace(post, at=post.at - sum(seconds for count, seconds in self.passed if post.sequence <= count))
            for post in inside.read_record(self.sandbox.record())
        ]
        stored |= {"submissions": submissions, "posts": posts, "disturbed": frozenset({KILLED})}
        return books.compare(books.Books(send_within=SEND_WITHIN, call_within=CALL_WITHIN, **stored))


@pytest.fixture
def scene(sandbox, settings, alice, tmp_path) -> Scene:
    settings.PORTAL_SCAN_INTERVAL = 0.0
    lease = factories.acquire_lease(name="reconcile")
    return Scene(sandbox=sandbox, requester=alice, lease=lease, clock=clocks.Clock(folder=tmp_path))


# --- The faults, each in the window of its protection ---


def another_claims_what_is_done(scene: Scene) -> None:
    """A second worker comes to a request that the first has carried to its end."""
    scene.submit()
    scene.send()
    with suppress(IntegrityError):  # a request cannot own two workstations, so this response can never be recorded
        scene.send()


def worker_dies_after_the_call(scene: Scene) -> None:
    """The provider has made the workstation; the worker is killed before it records anything."""
    scene.submit()
    scene.call(scene.claim(worker=KILLED))
    scene.finish()


def no_answer_though_it_was_made(scene: Scene) -> None:
    """The workstation is made, and the connection breaks before the response."""
    scene.submit()
    scene.sandbox.script({"name": "reset-made"})
    while scene.send():
        pass
    scene.finish()


def scan_shows_what_a_call_under_way_made(scene: Scene) -> None:
    """One request is unknown, and nothing was made for it; a scan shows what was just made for another one."""
    scene.submit()
    scene.sandbox.script({"name": "reset"})
    scene.send()
    scene.submit()
    call = scene.claim()
    result = scene.call(call)
    scene.do_duties(after=1)
    factories.record(call, result)


def worker_wakes_after_its_deadline(scene: Scene) -> None:
    """The machine is paused between claim and call, for so long that the request is settled and sent by another."""
    scene.submit()
    call = scene.claim(worker=KILLED)
    scene.do_duties(after=LONG)
    scene.submit()
    scene.send()  # a witness
    scene.finish()
    awake = replace(call, send_before=call.send_before - LONG)
    factories.record(awake, scene.call(awake))


def response_is_recorded_after_its_deadline(scene: Scene) -> None:
    """The response comes in time, and the database cannot be reached until the deadline is over."""
    scene.submit()
    call = scene.claim()
    result = scene.call(call)
    factories.make_overdue(call)
    factories.expire_overdue(lease=scene.lease)
    factories.record(call, result)
    scene.finish()


# --- The protections, each switched off by replacing what implements it ---


def claim_unconditionally(monkeypatch) -> None:
    create = dispatch._create_attempts

    def create_whatever_it_is(portal_requests: list[models.Request], **values: Any) -> list[dispatch.Call]:
        models.Request.objects.filter(pk__in=[one.pk for one in portal_requests]).update(
            status="QUEUED", failure="", ended_at=None, took=None
        )
        for portal_request in portal_requests:
            portal_request.refresh_from_db()
        return create(portal_requests, **values)

    take_all_for_due(monkeypatch)
    monkeypatch.setattr(dispatch, "_create_attempts", create_whatever_it_is)


def take_all_for_due(monkeypatch) -> None:
    monkeypatch.setattr(models.Request.objects.none().__class__, "due", lambda self, account: self.order_by("id"))
    # Its SQL, with the condition, may have been written already.
    make: Callable[..., QuerySet[Any]] = vars(dispatch)["_read_claimable"].__wrapped__
    monkeypatch.setattr(dispatch, "_read_claimable", lambda **given: list(make(**given)))


def write_attempt_after_the_call(monkeypatch) -> None:
    create, record_result = dispatch._create_attempts, results.record_result

    def create_nothing(portal_requests: list[models.Request], **values: Any) -> list[dispatch.Call]:
        same: dict[str, Any] = {"token": "", "type": "python", "workspace_uid": "", "send_before": float("inf")}
        return [dispatch.Call(attempt_id=one.pk, account_id=one.account_id, **same) for one in portal_requests]

    def create_and_record(*, call: dispatch.Call, result: dispatch.Result) -> None:
        portal_request = models.Request.objects.select_related("account", "requester").get(pk=call.attempt_id)
        portal_request.last_number = 0
        key = circuit_breaker.get_key(account=portal_request.account)
        with transaction.atomic():
            now = clock.read_clock()
            [written] = create([portal_request], key=key, worker=f"test:{LIVING}:0", now=now, boottime=0.0)
        record_result(call=written, result=result)

    monkeypatch.setattr(dispatch, "_create_attempts", create_nothing)
    monkeypatch.setattr(dispatch, "_may_still_send", lambda call, *, seconds: True)
    monkeypatch.setattr(results, "record_result", create_and_record)


def retry_blindly(monkeypatch) -> None:
    def queue_again(*, portal_request: models.Request, **_: Any) -> None:
        queued = models.Request.Status.QUEUED
        lifecycle.move_request(portal_request=portal_request, status=queued, count_attempt=True)

    monkeypatch.setattr(lifecycle, "move_on", queue_again)


def reconcile_nothing(monkeypatch) -> None:
    monkeypatch.setattr(reconcile, "reconcile_requests", lambda **_: None)


def disregard_calls_under_way(monkeypatch) -> None:
    decide = matching.decide

    def decide_at_once(*, newcomers: Sequence[matching.Newcomer], **facts: Any) -> matching.Decision:
        return decide(newcomers=[replace(one, is_in_flight=False) for one in newcomers], **facts)

    monkeypatch.setattr(matching, "decide", decide_at_once)


def send_however_late(monkeypatch) -> None:
    monkeypatch.setattr("portal.agentstation._transport.Call.check_may_send", lambda self: None)


def drop_late_responses(monkeypatch) -> None:
    monkeypatch.setattr(results, "_record_late", lambda **_: None)


PROTECTIONS: dict[str, tuple[Callable[..., None], Callable[[Scene], None], set[str]]] = {
    "conditional claim": (claim_unconditionally, another_claims_what_is_done, {"doubled"}),
    "attempt written before the call": (
        write_attempt_after_the_call,
        worker_dies_after_the_call,
        {"doubled", "unexplained POSTs"},
    ),
    "no blind retry": (retry_blindly, no_answer_though_it_was_made, {"doubled"}),
    "reconciling": (reconcile_nothing, no_answer_though_it_was_made, {"unknown left"}),
    # The robbed request was told 200 and has nothing. (It is reconciled later, and one more is made for it: in the end
    # the numbers agree again, for requests that ask for the same are interchangeable.)
    "regard to calls in flight": (disregard_calls_under_way, scan_shows_what_a_call_under_way_made, {"unknown left"}),
    "pause check": (send_however_late, worker_wakes_after_its_deadline, {"doubled"}),
    "late responses kept": (drop_late_responses, response_is_recorded_after_its_deadline, {"answers lost"}),
}
FAULTS = list(dict.fromkeys(fault for _, fault, _ in PROTECTIONS.values()))


@pytest.mark.parametrize(("switch_off", "fault", "kinds"), PROTECTIONS.values(), ids=PROTECTIONS)
def test_without_the_protection_the_comparison_notices(
    scene, monkeypatch, switch_off: Callable[..., None], fault: Callable[[Scene], None], kinds: set[str]
):
    switch_off(monkeypatch)
    fault(scene)
    report = scene.compare()
    assert kinds <= {kind for kind, words in report.findings.items() if words}, report.findings


@pytest.mark.parametrize("fault", FAULTS)
def test_with_the_protections_the_books_agree(scene, fault: Callable[[Scene], None]):
    fault(scene)
    scene.finish()
    report = scene.compare()
    assert report.is_clean, report.findings
    assert set(models.Request.objects.values_list("status", flat=True)) == {"SUCCEEDED"}


def test_without_regard_to_attempts_in_flight_the_one_told_has_nothing(scene, monkeypatch):
    """With the protection it is the other one that is still open at this moment."""
    scan_shows_what_a_call_under_way_made(scene)
    assert list(models.Request.objects.order_by("pk").values_list("status", flat=True)) == ["UNKNOWN", "SUCCEEDED"]

    disregard_calls_under_way(monkeypatch)
    scan_shows_what_a_call_under_way_made(scene)
    robbed = models.Request.objects.latest("pk")
    assert (robbed.status, robbed.attempts.get().http_status) == ("UNKNOWN", 200)


def test_a_claim_that_forgets_its_condition_is_stopped_by_the_database(scene, monkeypatch):
    """What is under way, unknown or done cannot become SENDING anew: a second line behind the condition."""
    take_all_for_due(monkeypatch)
    monkeypatch.setattr(models, "check_transition", lambda **_: None)
    scene.submit()
    call = scene.claim()
    with pytest.raises(IntegrityError):
        scene.claim()
    factories.record(call, scene.call(call))
    with pytest.raises(IntegrityError):
        scene.claim()
    assert len(scene.sandbox.record()["posts"]) == 1
