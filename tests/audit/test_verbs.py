"""Every act is an event, and what it changes of audited rows is in it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from portal import models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.audit import verify
from portal.services.mirrors import refreshing
from portal.services.reconciliation import timeouts
from portal.services.requests import dispatch
from portal.services.runtime import clients, workers
from tests import factories
from tests.browser import Browser
from tests.conftest import WRITTEN
from tests.provider import server
from tests.services import scanning
from tests.services.reconciling import make_orphan, make_unknown, scan

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS, REASON = "203.0.113.9", "It is so."
TIMES = ("created_at", "claimed_at", "deadline_at", "ended_at")  # of rows that a test lets time pass for


# --- The acts ---


@dataclass(frozen=True, kw_only=True)
class Stage:
    alice: models.User
    olga: models.User
    root: models.User
    sandbox: server.Sandbox
    settings: Settings
    posted: set[str] = field(default_factory=set)  # names

    def browse(self, person: models.User | None = None) -> Browser:
        client = Browser(REMOTE_ADDR=ADDRESS)
        if person is not None:
            factories.sign_in(client, person)
        return client

    def post(self, person: models.User, url: str, /, **values: object) -> None:
        self.posted.update(values)
        assert self.browse(person).post(url, values).status_code == 302

    def pause_key(self, failure: str = "401") -> None:
        self.sandbox.script({"name": f"fail-{failure}"})
        factories.submit(self.alice)
        factories.send_once()
        assert models.Key.objects.get().is_paused


def send(stage: Stage) -> models.Request:
    return factories.submit_and_settle(stage.alice)


def let_worker_die(stage: Stage) -> None:
    dead = f"{workers.make_name().rsplit(':', 2)[0]}:999999999:1"  # no process has such a number
    workers.note_worker(name=dead)
    factories.submit(stage.alice)
    assert factories.claim_next(worker=dead)
    timeouts.end_dead_workers(name=workers.make_name())


def withdraw_key(stage: Stage) -> None:
    factories.present_key()
    stage.settings.AGENTSTATION_API_KEY = "another-key"
    factories.ask_whose_key().update_where(models.Credential.objects.all(), accepted_at=Now())
    factories.submit(stage.alice)
    stage.sandbox.script({"status": 401})
    factories.send_once()


def wait_too_long(stage: Stage) -> None:
    factories.submit(stage.alice)
    models.Request.objects.update(queued_at=Now() - timedelta(days=2))
    assert factories.expire_overdue(lease=factories.acquire_lease(name="recover")) == 1


def wish_cancel(stage: Stage) -> None:
    stage.post(stage.alice, f"/requests/{make_unknown(stage.sandbox, stage.alice).pk}/cancel/")


def decide(decision: str) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        portal_request, orphan = make_unknown(stage.sandbox, stage.alice), make_orphan()
        factories.ask_people(portal_request)
        values = {"decision": decision, "workstation": orphan.uid, "confirmed": "on", "reason": REASON}
        stage.post(stage.olga, f"/unknown/{portal_request.pk}/", **values)

    return act


def open_key(stage: Stage) -> None:
    stage.pause_key()
    stage.post(stage.olga, "/key/resume/")
    send(stage)


def ask_account(stage: Stage) -> models.Credential:
    send(stage)
    stage.settings.AGENTSTATION_API_KEY = "another-key"
    return factories.ask_whose_key()


def confirm_key(stage: Stage) -> None:
    stage.post(stage.olga, f"/key/account/{ask_account(stage).pk}/", account="same")


def look_first(stage: Stage) -> None:
    scanning.advance(factories.acquire_lease(name="reconcile"))


def reconcile_one(stage: Stage) -> None:
    stage.settings.PORTAL_SCAN_INTERVAL = 0.0
    factories.submit(stage.alice)
    stage.sandbox.script({"name": "reset-made"})
    factories.send_once()
    scan(factories.acquire_lease(name="reconcile"))


def need_review(stage: Stage) -> None:
    stage.settings.PORTAL_SCAN_INTERVAL = 0.0
    make_unknown(stage.sandbox, stage.alice)
    stage.sandbox.script({"on": "GET /workstations", "status": 404, "body": {}})
    factories.reconcile_once(factories.acquire_lease(name="reconcile"))


def name_workspace(stage: Stage) -> None:
    space = factories.get_workspace(send(stage).workstation)
    stage.post(stage.alice, f"/workspaces/{space.uid}/name/", name="Report")


def make_and_end_token(stage: Stage) -> None:
    wish = {"name": "ci", "scopes": "read", "days": "3"}
    assert stage.browse(stage.alice).post("/accounts/tokens/new/", wish).status_code == 200
    stage.post(stage.alice, f"/accounts/tokens/{models.Token.objects.get().pk}/end/")


def share_for_a_while(stage: Stage) -> None:
    factories.create_user("bob", "Members")
    stage.post(stage.alice, f"/workstations/{send(stage).workstation.uid}/shares/", person="bob", level="look")
    stage.post(stage.alice, f"/shares/{models.Share.objects.get().pk}/end/")


def refresh(stage: Stage) -> None:
    models.Workstation.objects.update(refresh_due_at=Now())
    factories.acquire_lease(name="refresh").run(refreshing.refresh_workstations, client=clients.make_client())


def miss(stage: Stage) -> models.Workstation:
    stored = send(stage).workstation
    stage.sandbox.script([{"on": "GET /workstations", "status": 404}, {"on": "GET /workstations/{id}", "status": 422}])
    refresh(stage)
    return stored


def declare_ended(stage: Stage) -> None:
    stored = miss(stage)
    models.Workstation.objects.update(missing_since=Now() - timedelta(days=2))
    stage.post(stage.olga, f"/workstations/{stored.uid}/ended/", reason=REASON)


def reopen(stage: Stage) -> None:
    stored = send(stage).workstation
    hour_ago = Now() - timedelta(hours=1)
    models.Workstation.objects.filter(pk=stored.pk).update(
        first_seen_at=hour_ago, ended_at=hour_ago, release_requested_at=hour_ago
    )
    page = {"data": [{"id": stored.uid, "type": stored.type, "status": "active"}], "next_cursor": None}
    stage.sandbox.script({"on": "GET /workstations", "status": 200, "body": page})
    scanning.advance(factories.acquire_lease(name="reconcile"))


def end(stage: Stage) -> None:
    uid = send(stage).workstation.uid
    body = {"id": uid, "type": "python", "status": "completed", "startedAt": "2026-01-02T03:04:05Z"}
    read = {"on": "GET /workstations/{id}", "status": 200, "body": body}
    stage.sandbox.script([{"on": "GET /workstations", "status": 404}, read])
    refresh(stage)


def end_orphan(act: str) -> Callable[[Stage], None]:
    return lambda stage: stage.post(stage.olga, f"/unknown/orphans/{make_orphan().uid}/{act}/", reason=REASON)


def leave_out(stage: Stage) -> None:
    stage.settings.PORTAL_SCAN_INTERVAL = 0.0
    uid = factories.create_workstation(stage.alice).uid
    stage.sandbox.set_faults({"omit": [uid]})
    models.Workstation.objects.update(first_seen_at=Now() - timedelta(hours=1))
    scan(factories.acquire_lease(name="reconcile"))
    stage.post(stage.olga, f"/unknown/orphans/{uid}/disown/", reason=REASON)


def refuse_workspace(stage: Stage) -> None:
    factories.submit(stage.alice, workspace_uid="S-W1")
    models.Workspace.objects.filter(pk=factories.get_workspace(make_orphan()).pk).update(owner=stage.root)
    assert factories.claim_next() is None


def note_sharing(stage: Stage) -> None:
    stage.settings.PORTAL_SCAN_INTERVAL = 0.0
    factories.mark_baseline_scan()
    make_orphan(listed_tick=1)
    scan(factories.acquire_lease(name="reconcile"))


def answer_nobody(stage: Stage) -> None:
    factories.submit(stage.alice)
    call = replace(factories.claim(), token="lost")
    reply = clients.make_client().request_workstation(type="python")
    factories.record(call, dispatch.Result(value=reply.value))


def raise_notice(stage: Stage) -> None:
    body = {"id": "w1", "type": "quantum", "status": "active", "startedAt": "2026-01-02T03:04:05Z"}
    stage.sandbox.script({"status": 200, "body": body})
    factories.submit(stage.alice)
    factories.send_once()


# What is done, and by whom in a browser; and audited columns that the act itself changes outside the portal.
ACTS: list[tuple[Any, ...]] = [
    ("worker-died", let_worker_die, ""),
    ("give-up", wait_too_long, ""),
    ("request-cancel", wish_cancel, "alice"),
    ("close", decide("give-up"), "olga", "operator_note"),
    ("adopt", decide("adopt"), "olga", "operator_note"),
    ("not-created", decide("not-created"), "olga", "operator_note"),
    ("pause activate", open_key, ""),
    ("resume", open_key, "olga"),
    ("ask-account", ask_account, "", "is_sandbox"),
    ("confirm-key", confirm_key, "olga", "is_sandbox"),
    ("withdraw-key", withdraw_key, "", "is_sandbox", "accepted_at"),
    ("baseline-scan", look_first, ""),
    ("disown", end_orphan("disown"), "olga"),
    ("leave-out", leave_out, "olga", *TIMES),
    ("refuse-workspace", refuse_workspace, "", "owner_id"),
    ("note-sharing", note_sharing, ""),
    ("reconcile", reconcile_one, "", *TIMES),
    ("needs-review", need_review, ""),
    ("ended", end, ""),
    ("ended", declare_ended, "olga"),
    ("reopen withdraw-release", reopen, "", "ended_at", "release_requested_at"),
    ("lost-response", answer_nobody, ""),
    ("notice", raise_notice, ""),
    ("name-workspace", name_workspace, "alice"),
    ("share end-share", share_for_a_while, "alice"),
    ("make-token end-token", make_and_end_token, "alice"),
]


@pytest.mark.parametrize(("verbs", "do", "by", "staged"), [(*act[:3], act[3:]) for act in ACTS])
def test_an_act_is_an_event_and_changes_no_row_beside_it(sandbox, settings, alice, olga, root, verbs, do, by, staged):
    stage = Stage(alice=alice, olga=olga, root=root, sandbox=sandbox, settings=settings)
    do(stage)
    for verb in verbs.split():
        event = factories.list_events(verb).latest("id")
        assert event.actor_name == by
        assert "before" not in event.detail or event.detail["before"] != event.detail.get("after")
        assert not by or (event.address == ADDRESS and event.http_request)
    assert models.Event.objects.filter(reason=REASON).exists() == ("reason" in stage.posted)
    columns = tuple(f"{word} {column} " for column in staged for word in ("has", "had"))
    found = [finding for finding in verify.verify_log(rows=True).findings if not finding.words.startswith(columns)]
    # The cast of the tests is there without an event.
    assert [one for one in found if not (one.kind == "row inserted" and one.what.startswith("person"))] == []


def test_each_verb_was_written(request):
    """By the portal, in any of the tests, all of which have run before; where some run alone, nobody can say."""
    if request.config.args_source is not pytest.Config.ArgsSource.TESTPATHS or request.config.option.keyword:
        pytest.skip("only some tests run")
    assert set(Verb) - WRITTEN == set()


def test_an_event_without_its_change_is_refused(alice):
    with pytest.raises(RuntimeError, match="into the transaction of its change"):
        audit.record(Verb.CANCEL, "x", by=alice)
    with transaction.atomic():
        audit.record(Verb.CANCEL, "x", by=alice)
        transaction.set_rollback(True)
    assert not models.Event.objects.exists()
