"""Who is told what, by the acts that tell it; and each thing once."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from portal import failures, models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.audit import nightly, seals
from portal.services.key import accounts, circuit_breaker
from portal.services.mirrors import releases
from portal.services.notifications import lasting, messages, telling
from portal.services.requests import submissions
from portal.services.retention import prune
from portal.services.runtime import leases
from tests import factories
from tests.audit import test_verbs as acts
from tests.notifications.conftest import move_back
from tests.services.reconciling import make_orphan, make_unknown

pytestmark = pytest.mark.django_db(transaction=True)

REASON = acts.REASON


@pytest.fixture
def stage(sandbox, settings, alice, olga, root) -> acts.Stage:
    return acts.Stage(alice=alice, olga=olga, root=root, sandbox=sandbox, settings=settings)


def record(verb: Verb, target: models.Request | models.Workstation | str, **values: object) -> None:
    with transaction.atomic():
        audit.record(verb, target, rows=(), **values)  # type: ignore[arg-type]


def list_told(rows: list[models.Notification]) -> set[tuple[str, str, str, str]]:
    """Who was told what, with the reason and where it leads."""
    told = set()
    for row in rows:
        text = messages.describe(row=row)
        told.add((row.person.username if row.person else "", text.line, text.reason, text.path))
    return told


# --- Each kind, by its act ---


def test_ready_is_told_after_more_than_a_minute(tell, sandbox, alice):
    slow, quick = factories.submit(alice), factories.submit(alice)
    with factories.unprotected():
        factories.update(slow, created_at=Now() - timedelta(seconds=70))
    factories.send_once()
    factories.send_once()
    assert list_told(tell()) == {("alice", f"The workstation of R-{slow.pk} is ready", "", f"/requests/{slow.pk}/")}
    assert quick.pk != slow.pk


def test_a_failure_is_told_with_what_it_means(tell, sandbox, alice, bob):
    sandbox.script({"name": "fail-422"})
    failed = factories.submit_and_send(alice)
    assert failed.status == "FAILED"
    [(who, line, reason, path)] = list_told(tell())
    assert (who, reason, path) == ("alice", "", f"/requests/{failed.pk}/")
    assert line == f"R-{failed.pk} failed: {failures.CATALOGUE['422'].title}"


@pytest.mark.parametrize(
    ("act", "words"),
    [(acts.wait_too_long, "failed: "), (acts.refuse_workspace, "failed: "), (acts.decide("give-up"), "failed: ")],
)
def test_a_request_that_fails_otherwise_is_told_to_its_requester(tell, stage, act, words):
    act(stage)
    failed = models.Request.objects.get(status="FAILED")
    [told] = [row for row in tell() if row.kind == "failed"]
    assert told.person == stage.alice
    assert words in messages.describe(row=told).line
    assert told.request_number == failed.pk


def test_a_cancelled_request_is_told_with_the_operator_s_reason(tell, sandbox, alice, olga):
    waiting = factories.submit(alice)
    submissions.close_request(actor=olga, portal_request=waiting, reason="No budget.")
    path = f"/requests/{waiting.pk}/"
    assert list_told(tell()) == {("alice", f"R-{waiting.pk} was cancelled", "olga: No budget.", path)}


def test_what_somebody_did_himself_is_not_told(tell, sandbox, alice, olga, root):
    submissions.cancel_request(actor=alice, portal_request=factories.submit(alice))
    releases.request_release(actor=alice, workstation=factories.create_workstation(alice))
    circuit_breaker.pause_key(actor=olga, account=accounts.get_current_account(), reason="Later.")
    assert {row.person.username for row in tell()} == {"root"}


def test_a_question_is_told_to_its_requester_and_to_operators(tell, stage):
    acts.need_review(stage)
    number, reason = models.Request.objects.get().pk, models.Request.objects.get().operator_note
    assert reason
    assert list_told(tell()) == {
        ("alice", f"R-{number} needs your decision", reason, f"/requests/{number}/"),
        ("olga", f"R-{number} needs review", reason, "/unknown/"),
        ("root", f"R-{number} needs review", reason, "/unknown/"),
    }


def test_other_words_for_the_same_question_and_its_end_are_no_news(tell, sandbox, alice, olga):
    asked = make_unknown(sandbox, alice)
    for before, after in (("Old words.", "New words."), ("New words.", "")):
        change = {"before": {"operator_note": before}, "after": {"operator_note": after}}
        record(Verb.NEEDS_REVIEW, asked, detail=change, reason=after)
    assert tell() == []


def test_each_warning_of_an_end_is_told(tell, sandbox, alice):
    stored = factories.create_workstation(alice)
    ends_at = timezone.now() + timedelta(minutes=30)
    for warning in (1, 1, 2):
        record(Verb.WARN_END, stored, detail={"ends_at": ends_at.isoformat(), "why": "lifetime", "warning": warning})
    rows = tell()
    assert [len(row.events) for row in rows] == [2, 1]
    [(who, line, _reason, path)] = list_told(rows)
    assert (who, path) == ("alice", f"/workstations/{stored.uid}/")
    assert line == f"Your workstation Python of R-{stored.request_id} ends on {ends_at:%-d %b %Y, %H:%M} UTC"


def test_a_release_by_somebody_else_is_told_with_the_reason(tell, stage):
    stored = factories.create_workstation(stage.alice)
    releases.request_release(actor=stage.olga, workstation=stored, reason=REASON)
    line = f"olga released your workstation Python of R-{stored.request_id}"
    assert list_told(tell()) == {("alice", line, f"olga: {REASON}", f"/requests/{stored.request_id}/")}


def test_a_release_that_is_withdrawn_is_told(tell, stage):
    acts.reopen(stage)
    ((who, line, reason, _path),) = list_told([row for row in tell() if row.kind == "kept"])
    label = models.Request.objects.get().label
    assert (who, line) == ("alice", f"Your workstation Python of {label} is not released as it was to be")
    assert reason == "AgentStation lists its ID as active again, but another workstation may have it by now."


def test_a_share_is_told_to_whom_it_is_for(tell, stage):
    acts.share_for_a_while(stage)
    number = models.Workstation.objects.get().request_id
    assert list_told(tell()) == {("bob", f"alice shared the workstation Python of R-{number} with you", "", "/")}


def test_a_pause_that_lasts_is_told_to_operators(tell, stage, anna, bob):
    stage.pause_key("402")
    told = {one for one in list_told(tell()) if one[0] != "alice"}
    assert {who for who, *_ in told} == {"olga", "root"}
    [line] = {line for _who, line, *_ in told}
    assert line == f"Sending is paused: {models.Key.objects.get().cause_clause}"


@pytest.mark.parametrize(("seconds", "count"), [(30, 0), (600, 2)])
def test_a_short_pause_of_a_rate_limit_is_no_news(tell, stage, sandbox, alice, seconds, count):
    sandbox.script({"status": 429, "headers": {"Retry-After": str(seconds)}})
    factories.submit_and_send(alice)
    assert models.Key.objects.get().is_paused
    assert len(tell()) == count


def test_an_operator_s_pause_has_its_reason(tell, alice, olga, root):
    circuit_breaker.pause_key(actor=olga, account=accounts.get_current_account(), reason="Audit today.")
    [(who, _line, reason, path)] = list_told(tell())
    assert (who, reason, path) == ("root", "olga: Audit today.", "/key/")


@pytest.mark.parametrize("act", [acts.ask_account, acts.withdraw_key])
def test_a_key_to_be_confirmed_is_told(tell, stage, act):
    act(stage)
    told = [row for row in tell() if row.kind == "key"]
    assert {row.person for row in told} == {stage.olga, stage.root}


def test_an_unassigned_workstation_is_told_once_it_stays_so(tell, stage, olga):
    make_orphan("W9")
    lasting_job = factories.acquire_lease(name="lasting")
    lasting_job.run(lasting.note_lasting)
    assert tell() == []
    models.Workstation.objects.update(first_seen_at=Now() - timedelta(minutes=11))
    for _ in range(2):
        lasting_job.run(lasting.note_lasting)
    rows = tell()
    assert {(row.person, len(row.events)) for row in rows} == {(stage.olga, 1), (stage.root, 1)}
    assert messages.describe(row=rows[0]).line == "The workstation W9 is unassigned"


def test_all_that_are_unassigned_are_told(tell, stage, monkeypatch):
    monkeypatch.setattr(lasting, "_MOST", 2)
    for number in range(5):
        make_orphan(f"W{number}", first_seen_at=Now() - timedelta(minutes=11))
    lasting_job = factories.acquire_lease(name="lasting")
    for _ in range(4):
        lasting_job.run(lasting.note_lasting)
    told = factories.list_events("unassigned").values_list("target", flat=True)
    assert sorted(told) == [f"workstation W{number}" for number in range(5)]


def test_a_slow_queue_is_told_when_it_begins(tell, stage, alice):
    lasting_job, waiting = factories.acquire_lease(name="lasting"), factories.submit(alice)
    lasting_job.run(lasting.note_lasting)
    assert tell() == []
    models.Request.objects.update(queued_at=Now() - timedelta(minutes=11))
    for _ in range(2):
        lasting_job.run(lasting.note_lasting)
    assert {(row.person, len(row.events)) for row in tell()} == {(stage.olga, 1), (stage.root, 1)}
    models.Request.objects.update(queued_at=Now())
    lasting_job.run(lasting.note_lasting)
    models.Request.objects.update(queued_at=Now() - timedelta(minutes=11))
    lasting_job.run(lasting.note_lasting)
    assert models.Event.objects.filter(verb="queue-slow", request_number=waiting.pk).count() == 2
    assert {len(row.events) for row in tell()} == {2}


def test_time_under_a_pause_makes_no_slow_queue(tell, alice, olga):
    factories.submit(alice)
    models.Request.objects.update(queued_at=Now() - timedelta(minutes=20))
    models.Key.objects.update(paused_seconds=900)
    lasting_job = factories.acquire_lease(name="lasting")
    lasting_job.run(lasting.note_lasting)
    models.Key.objects.update(paused_seconds=0)
    circuit_breaker.pause_key(actor=olga, account=accounts.get_current_account(), reason="x")
    lasting_job.run(lasting.note_lasting)
    assert not factories.list_events("queue-slow").exists()


def test_a_log_that_is_not_intact_is_told_to_who_may_see_it(tell, stage, anna, bob, monkeypatch):
    check = factories.acquire_lease(name="check")
    check.run(nightly.check_log)
    assert tell() == []
    with factories.unprotected():
        models.Event.objects.update(reason="changed")
    models.LogCheck.objects.update(begun_at=Now() - timedelta(days=2))
    check.run(nightly.check_log)
    told = list_told(tell())
    assert {who for who, *_ in told} == {"anna", "olga", "root"}
    assert {(line, path) for _who, line, _reason, path in told} == {("The audit log is not intact", "/audit-log/")}


def test_each_kind_has_been_told_here():
    """What is new in the table needs a test, and the words of what stands for several."""
    assert set(messages.MESSAGES) == {
        *("ready", "failed", "cancelled", "decision", "ends", "released", "kept", "shared"),
        *("paused", "key", "review", "unassigned", "queue", "log"),
    }


def test_who_was_locked_out_is_told_nothing(tell, sandbox, alice, olga):
    waiting = factories.submit(alice)
    submissions.close_request(actor=olga, portal_request=waiting, reason="x")
    factories.update(alice, is_active=False)
    assert tell() == []


# --- Once, and together ---


def fail(alice: models.User, olga: models.User, count: int = 1) -> list[models.Request]:
    """Requests that failed for one cause."""
    requests = [factories.submit(alice) for _ in range(count)]
    rows = models.Request.objects.filter(pk__in=[row.pk for row in requests])
    rows.update(status="FAILED", failure="402", ended_at=Now(), took=1)
    with transaction.atomic(), audit.collect_events():
        for row in requests:
            audit.record(Verb.GIVE_UP, row, detail={"before": "QUEUED", "after": "FAILED"}, rows=())
    return requests


def test_an_event_is_told_once_though_it_is_read_again(tell, seal, alice, olga):
    fail(alice, olga)
    for _ in range(3):
        [row] = tell()
        assert len(row.events) == 1
    assert models.StreamPosition.objects.get().told_id == 0, "nothing is sealed yet"
    seal()
    [row] = tell()
    assert models.StreamPosition.objects.get().told_id >= row.events[-1]
    [row] = tell()


def test_what_is_committed_late_under_a_lower_number_is_told(tell, seal, alice, olga, monkeypatch):
    first, second = fail(alice, olga, count=2)
    with factories.unprotected():
        late = models.Event.objects.get(request_number=first.pk, verb="give-up")
        models.Event.objects.filter(pk=late.pk).delete()  # it is not visible yet
        [row] = tell()
        assert len(row.events) == 1
        late.save(force_insert=True)
    [row] = tell()
    assert len(row.events) == 2
    seal()
    [row] = tell()
    assert sorted(row.events) == list(factories.list_events("give-up").order_by("id").values_list("id", flat=True))
    assert second.pk


def test_what_is_committed_and_sealed_during_a_round_is_told(tell, seal, alice, olga, monkeypatch):
    """Whatever comes between finding out how far all is sealed and reading what there is."""
    find_sealed, others = seals.find_sealed, iter([True, False])

    def find_after_others() -> int:
        if next(others, False):
            fail(alice, olga)
            seal()
        return find_sealed()

    factories.submit(alice)
    fail(alice, olga)
    monkeypatch.setattr(seals, "find_sealed", find_after_others)
    tell()
    [row] = tell()
    assert len(row.events) == 2


def test_a_storm_is_one_message_with_its_count(tell, alice, olga):
    fail(alice, olga, count=30)
    tell()
    fail(alice, olga, count=20)
    [row] = tell()
    text = messages.describe(row=row)
    assert text.line.startswith("50 requests failed: ")
    assert text.path == "/requests/"


def test_a_storm_of_questions_is_one_message_to_each_operator(tell, sandbox, alice, olga, root):
    asked = make_unknown(sandbox, alice)
    change = {"before": {"operator_note": ""}, "after": {"operator_note": "Look."}}
    with transaction.atomic(), audit.collect_events():
        for _ in range(50):
            audit.record(Verb.NEEDS_REVIEW, asked, detail=change, reason="Look.", rows=())
    rows = tell()
    assert {(row.person.username, row.kind, len(row.events)) for row in rows} == {
        *(("alice", "decision", 50), ("olga", "review", 50), ("root", "review", 50))
    }
    assert messages.describe(row=rows[0]).line.startswith(f"R-{asked.pk} needs"), "it is one request, asked 50 times"


def test_the_same_cause_is_told_again_after_ten_minutes(tell, mails, alice, olga):
    factories.update(alice, email="alice@team.example")
    fail(alice, olga)
    tell()
    move_back(minutes=9, seconds=30)
    models.Notification.objects.update(sent_at=Now(), send_due_at=None, read_at=Now())
    fail(alice, olga)
    [row] = tell()
    assert (len(row.events), row.send_due_at) == (2, None), "it is not mailed twice"
    assert row.read_at is None, "but there is something to read"
    move_back(minutes=1)
    fail(alice, olga)
    first, second = tell()
    assert (len(first.events), len(second.events)) == (2, 1)
    assert second.send_due_at is not None


def test_another_cause_is_another_message(tell, alice, olga):
    fail(alice, olga)
    [row] = fail(alice, olga)
    factories.update(row, failure="422")
    assert len(tell()) == 2


def test_what_is_older_than_an_hour_is_not_told(tell, alice, olga):
    fail(alice, olga)
    move_back(minutes=61)
    assert tell() == []
    fail(alice, olga)
    assert len(tell()) == 1


def test_of_what_was_before_the_job_first_ran_nobody_is_told(tell, alice, olga):
    models.StreamPosition.objects.all().delete()
    fail(alice, olga)
    assert tell() == []
    fail(alice, olga)
    assert len(tell()) == 1


def test_a_round_takes_so_many_and_the_next_goes_on(tell, seal, alice, olga, monkeypatch):
    monkeypatch.setattr(telling, "_MOST", 3)
    fail(alice, olga, count=7)
    seal()
    for count in (3, 6, 7):
        [row] = tell()
        assert len(row.events) == count


def test_a_worker_that_lost_its_job_tells_nothing(alice, olga):
    fail(alice, olga)
    lease = factories.acquire_lease(name="notify", holder="first", seconds=-1)
    factories.acquire_lease(name="notify", holder="second")
    with pytest.raises(leases.LeaseLost):
        lease.run(telling.tell_people, seen=set())
    assert not models.Notification.objects.exists()


def test_a_worker_looks_at_an_event_once(tell, seal, alice, olga, django_assert_num_queries):
    job, seen = factories.acquire_lease(name="notify"), set[int]()
    fail(alice, olga)
    job.run(telling.tell_people, seen=seen)
    assert len(seen) == 1
    with django_assert_num_queries(4):  # how far it is sealed, the position, the time, the events after it
        job.run(telling.tell_people, seen=seen)
    seal()
    job.run(telling.tell_people, seen=seen)
    assert seen == set()
    with django_assert_num_queries(4):
        job.run(telling.tell_people, seen=seen)
    assert models.Notification.objects.count() == 1


@pytest.mark.parametrize(("kept", "age"), [(None, 91), (30, 31), (3650, 91)])
def test_old_ones_are_pruned_after_ninety_days_or_with_all_else(tell, alice, olga, settings, kept, age):
    settings.PORTAL_KEEP_DAYS = kept
    fail(alice, olga)
    tell()
    fail(alice, olga)
    models.Notification.objects.update(created_at=Now() - timedelta(days=age))
    tell()
    factories.acquire_lease(name="prune").run(prune.prune_old)
    [row] = models.Notification.objects.all()
    assert row.created_at > timezone.now() - timedelta(days=1)
