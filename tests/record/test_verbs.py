"""Every act is an event: for each verb that the portal writes there is an act here that makes it."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from portal import models, services, sessionstore
from portal.admin import filters
from portal.models.clock import Now
from portal.services import (
    accounts,
    audit,
    clock,
    configuration,
    dispatch,
    leases,
    probe,
    record,
    refreshing,
    scans,
    setup,
    types,
)
from portal.services.audit import seals
from portal.worker import process
from tests import factories
from tests.browser import Browser
from tests.record.test_pruning import prune_all
from tests.services.test_decisions import make_orphan, make_unknown
from tests.services.test_reconcile import scan

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

SERVICES = Path(services.__file__).parent
ADDRESS = "203.0.113.9"
UNASKED = {"fill-history"}  # made-up history says of itself that it is: tests/filling/


# --- The verbs ---


def read_verbs(path: Path) -> Iterator[str]:
    """Each verb that the module gives to the record."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "record_event":
            (verb,) = (keyword.value for keyword in node.keywords if keyword.arg == "verb")
            yield from read_words(verb, tree)


def read_words(verb: ast.expr, tree: ast.Module) -> list[str]:
    """The texts that the expression may be."""
    match verb:
        case ast.Constant(value=str(word)):
            return [word]
        case ast.IfExp(body=body, orelse=other):
            return [*read_words(body, tree), *read_words(other, tree)]
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), _]):
            return [f"{start}{name}" for name in ("person", "group")]
        case ast.Name(id=name):
            pairs = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
            found = [
                node.value.value
                for node in pairs
                if isinstance(node.targets[0], ast.Name)
                and node.targets[0].id == name
                and isinstance(node.value, ast.Constant)
            ]
            found += [
                value.value
                for node in pairs
                if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple)
                for target, value in zip(node.targets[0].elts, node.value.elts, strict=True)
                if isinstance(target, ast.Name) and target.id == name and isinstance(value, ast.Constant)
            ]
            assert found, f"what is the verb {name}?"
            return found
    raise AssertionError(ast.dump(verb))


def list_verbs() -> set[str]:
    return {verb for path in SERVICES.rglob("*.py") for verb in read_verbs(path)}


def test_the_admin_knows_every_verb_and_each_has_an_act_here():
    assert len(list_verbs()) > 35
    assert list_verbs() | UNASKED == set(filters.VERBS)
    assert len(filters.VERBS) == len(set(filters.VERBS))
    assert {verb for act in ACTS for verb in act.verbs} == list_verbs()


# --- The acts ---


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Who and what there is."""

    alice: models.User
    olga: models.User
    root: models.User
    sandbox: object
    settings: object

    def browse(self, person: models.User | None = None) -> Browser:
        client = Browser(REMOTE_ADDR=ADDRESS)
        if person is not None:
            factories.sign_in(client, person)
        return client

    def post(self, person: models.User, url: str, **values: object) -> None:
        assert self.browse(person).post(url, values).status_code == 302

    def hold_key(self, failure: str = "401") -> None:
        self.sandbox.script({"name": f"fail-{failure}"})
        factories.submit(self.alice)
        factories.send_once()
        assert models.Key.objects.get().is_held


@dataclass(frozen=True, kw_only=True)
class Act:
    """What somebody, or the portal, does. `by`: who, in a browser; empty: the portal by itself."""

    verbs: tuple[str, ...]
    do: Callable[[Stage], object]
    by: str = ""
    has_change: bool = False  # then the event tells before and after
    reason: str = ""


def hold(name: str) -> leases.Lease:
    held = leases.acquire_lease(name=name, holder="test", seconds=600)
    assert held is not None
    return held


def submit(stage: Stage) -> None:
    factories.mark_first_look()
    form = {"type": "python", "workspace_id": "", "note": "", "submission": uuid4()}
    assert stage.browse(stage.alice).post("/requests/new/", form).status_code == 302


def send(stage: Stage) -> models.Request:
    portal_request = factories.submit(stage.alice)
    return factories.send_until_settled(portal_request)


def answer_late(stage: Stage) -> None:
    factories.submit(stage.alice)
    call = factories.claim()
    pass_deadline()
    record.record_result(call=call, result=dispatch.send_call(call=call, client=process.make_client()))


def pass_deadline() -> None:
    models.Attempt.objects.filter(outcome="SENDING").update(deadline_at=Now() - timedelta(seconds=1))
    assert factories.recover_requests(held=hold("recover")) == 1


def let_deadline_pass(stage: Stage) -> None:
    factories.submit(stage.alice)
    factories.claim()
    pass_deadline()


def wait_too_long(stage: Stage) -> None:
    factories.submit(stage.alice)
    stage.settings.PORTAL_SETTLE_GRACE = 0.0  # the clock need not have been steady for long
    models.Request.objects.update(queued_at=Now() - timedelta(days=2))
    assert factories.recover_requests(held=hold("recover")) == 1


def cancel(stage: Stage) -> None:
    stage.post(stage.alice, f"/requests/{factories.submit(stage.alice).pk}/cancel/")


def wish_cancel(stage: Stage) -> None:
    stage.post(stage.alice, f"/requests/{make_unknown(stage.sandbox, stage.alice).pk}/cancel/")


def decide(decision: str) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        portal_request, orphan = make_unknown(stage.sandbox, stage.alice), make_orphan()
        factories.ask_people(portal_request)
        values = {"decision": decision, "workstation": orphan.uid, "reason": "It is so."}
        stage.post(stage.olga, f"/unknown/{portal_request.pk}/", **values)

    return act


def resume(stage: Stage) -> None:
    stage.hold_key()
    stage.post(stage.olga, "/key/resume/")


def open_key(stage: Stage) -> None:
    resume(stage)
    send(stage)


def probe_key(stage: Stage) -> None:
    stage.hold_key()
    models.Key.objects.update(probe_at=Now() - timedelta(seconds=1))
    probe.probe_key(held=hold("probe"), client=process.make_client())


def ask_account(stage: Stage) -> None:
    send(stage)
    stage.settings.AGENTSTATION_API_KEY = "another-key"
    factories.ask_whose_key()


def confirm_key(stage: Stage) -> None:
    send(stage)
    stage.settings.AGENTSTATION_API_KEY = "another-key"
    asked = factories.ask_whose_key()
    stage.post(stage.olga, f"/key/account/{asked.pk}/", account="same")


def look_first(stage: Stage) -> None:
    scans.advance_scan(account=accounts.get_current_account(), held=hold("reconcile"), client=process.make_client())


def change_types(stage: Stage) -> None:
    accounts.get_current_account()
    types.read_types(held=hold("types"), client=process.make_client())


def reconcile_one(stage: Stage) -> None:
    stage.settings.PORTAL_LOOK_INTERVAL = 0.0
    factories.submit(stage.alice)
    stage.sandbox.script({"name": "reset-made"})
    factories.send_once()
    scan(hold("reconcile"))


def need_review(stage: Stage) -> None:
    stage.settings.PORTAL_LOOK_INTERVAL = 0.0
    make_unknown(stage.sandbox, stage.alice)
    stage.sandbox.script({"on": "GET /workstations", "status": 404, "body": {}})
    factories.reconcile_once(hold("reconcile"))


def ask_release(stage: Stage) -> None:
    stage.post(stage.olga, f"/workstations/{send(stage).workstation.uid}/release/", reason="It is idle.")


def refresh(stage: Stage) -> None:
    models.Workstation.objects.update(refresh_due_at=Now())
    refreshing.refresh_workstations(held=hold("refresh"), client=process.make_client())


def release(stage: Stage) -> None:
    ask_release(stage)
    factories.send_releases()


def miss(stage: Stage) -> models.Workstation:
    stored = send(stage).workstation
    stage.sandbox.script({"on": "GET /workstations/{id}", "status": 422})
    refresh(stage)
    return stored


def miss_and_find(stage: Stage) -> None:
    miss(stage)
    refresh(stage)


def declare_ended(stage: Stage) -> None:
    stored = miss(stage)
    models.Workstation.objects.update(doubted_at=Now() - timedelta(days=2))
    stage.post(stage.olga, f"/workstations/{stored.uid}/ended/", reason="Its console says so.")


def scan_as(status: str, *, doubted: bool = False, ended: bool = False) -> Callable[[Stage], None]:
    """A scan that shows a workstation of which something else is on record."""

    def act(stage: Stage) -> None:
        stored = send(stage).workstation
        hour_ago = Now() - timedelta(hours=1)
        models.Workstation.objects.filter(pk=stored.pk).update(
            first_seen_at=hour_ago,
            doubted_at=hour_ago if doubted else None,
            doubted_tick=0 if doubted else None,
            ended_at=hour_ago if ended else None,
        )
        entry = {"id": stored.uid, "type": stored.type, "status": status}
        page = {"data": [entry] if status else [], "next_cursor": None}
        stage.sandbox.script({"on": "GET /workstations", "status": 200, "body": page})
        if not status:
            stage.sandbox.script({"on": "GET /workstations/{id}", "status": 422})
        scans.advance_scan(account=accounts.get_current_account(), held=hold("reconcile"), client=process.make_client())

    return act


def end(stage: Stage) -> None:
    uid = send(stage).workstation.uid
    body = {"id": uid, "type": "python", "status": "completed", "startedAt": "2026-01-02T03:04:05Z"}
    stage.sandbox.script({"on": "GET /workstations/{id}", "status": 200, "body": body})
    refresh(stage)


def release_orphan(stage: Stage) -> None:
    stage.post(stage.olga, f"/unknown/orphans/{make_orphan().uid}/release/", reason="Nobody wants it.")


def disown(stage: Stage) -> None:
    stage.post(stage.olga, f"/unknown/orphans/{make_orphan().uid}/disown/", reason="It is another team's.")


def refuse_workspace(stage: Stage) -> None:
    factories.submit(stage.alice, workspace_uid="S-W1")
    models.Workspace.objects.filter(pk=make_orphan().workspace_id).update(owner=stage.root)
    assert dispatch.claim_request(worker="w") is None


def note_sharing(stage: Stage) -> None:
    stage.settings.PORTAL_LOOK_INTERVAL = 0.0
    factories.mark_first_look()
    make_orphan(listed_tick=1)
    scan(hold("reconcile"))


def restore(stage: Stage) -> None:
    factories.submit(stage.alice)
    call_command("restore")


def move_database(stage: Stage) -> None:
    stage.settings.USING_SANDBOX = False
    send(stage)
    models.Database.objects.update(place="elsewhere")
    factories.submit(stage.alice)
    assert dispatch.claim_request(worker="w") is None


def confirm_database(stage: Stage) -> None:
    move_database(stage)
    stage.post(stage.olga, "/key/database/", database="moved")


def answer_nobody(stage: Stage) -> None:
    factories.submit(stage.alice)
    call = replace(factories.claim(), token="lost")
    reply = process.make_client().request_workstation(type="python")
    record.record_result(call=call, result=dispatch.Result(workstation=reply.value))


def raise_notice(stage: Stage) -> models.Notice:
    body = {"id": "w1", "type": "quantum", "status": "active", "startedAt": "2026-01-02T03:04:05Z"}
    stage.sandbox.script({"status": 200, "body": body})
    factories.submit(stage.alice)
    factories.send_once()
    return models.Notice.objects.get()


def acknowledge(stage: Stage) -> None:
    stage.post(stage.olga, f"/unknown/notices/{raise_notice(stage).pk}/acknowledge/")


def start(stage: Stage) -> None:
    assert configuration.note_settings()


def sign_in(stage: Stage, password: str = factories.PASSWORD) -> Browser:
    browser = stage.browse()
    browser.post("/accounts/login/", {"username": "alice", "password": password})
    return browser


def set_up(stage: Stage) -> None:
    models.User.objects.update(is_superuser=False)
    values = {"username": "first", "password": factories.PASSWORD, "password_again": factories.PASSWORD}
    response = stage.browse().post(f"/setup/{setup.create_setup_link()}/", values)
    assert response.status_code == 302, response.content.decode()


def change_password(stage: Stage) -> None:
    new = "another long passphrase"
    values = {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new}
    stage.post(stage.alice, "/accounts/password/", **values)


def add_person(stage: Stage) -> None:
    password = "quite another 1"
    values = {"username": "carol", "usable_password": "true", "password1": password, "password2": password}
    stage.post(stage.root, "/admin/portal/user/add/", **values)


def edit_group(page: str, **values: object) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        number = Group.objects.get(name="Members").pk
        stage.post(stage.root, f"/admin/auth/group/{number}/{page}/", **values)

    return act


def prune_old(stage: Stage) -> None:
    cancel(stage)
    seals.seal_events(held=hold("seal"))
    stage.settings.PORTAL_KEEP_DAYS = 30
    read_clock = clock.read_clock
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "read_clock", lambda *, account: read_clock(account=account) + timedelta(days=40))
        assert prune_all()


def step_clock(stage: Stage) -> None:
    boottime = iter([1000.0, 1000.0, 900.0, 900.0])  # time that passes only for the database: its clock was set forward
    watched = clock.SteadyClock(boottime=lambda: next(boottime))
    for _ in range(2):
        watched.observe(account=accounts.get_current_account(), token=1)


def guess(stage: Stage) -> None:
    for _ in range(5):
        sign_in(stage, "wrong")


def sign_out_elsewhere(stage: Stage) -> None:
    here, there = stage.browse(stage.alice), stage.browse(stage.alice)
    chosen = sessionstore.hash_key(there.session.session_key)
    assert here.post("/accounts/sessions/end/", {"session": chosen}).status_code == 302


def take_evidence(stage: Stage) -> None:
    url = f"/requests/{factories.submit(stage.alice).pk}/evidence.json"
    assert stage.browse(stage.olga).post(url).status_code == 200


def download(stage: Stage) -> None:
    assert stage.browse(stage.alice).post("/requests/export.csv").status_code == 200


ACTS = [
    Act(verbs=("submit",), do=submit, by="alice"),
    Act(verbs=("claim", "answer"), do=send, has_change=True),
    Act(verbs=("late-answer",), do=answer_late, has_change=True),
    Act(verbs=("deadline-passed",), do=let_deadline_pass, has_change=True),
    Act(verbs=("give-up",), do=wait_too_long, has_change=True),
    Act(verbs=("cancel",), do=cancel, by="alice", has_change=True),
    Act(verbs=("wish-cancel",), do=wish_cancel, by="alice", has_change=True),
    Act(verbs=("close",), do=decide("give-up"), by="olga", has_change=True, reason="It is so."),
    Act(verbs=("adopt",), do=decide("adopt"), by="olga", has_change=True, reason="It is so."),
    Act(verbs=("not-created",), do=decide("not-created"), by="olga", has_change=True, reason="It is so."),
    Act(verbs=("hold",), do=Stage.hold_key, has_change=True),
    Act(verbs=("resume",), do=resume, by="olga", has_change=True),
    Act(verbs=("open",), do=open_key, has_change=True),
    Act(verbs=("probe",), do=probe_key),
    Act(verbs=("ask-account",), do=ask_account),
    Act(verbs=("confirm-key",), do=confirm_key, by="olga", has_change=True),
    Act(verbs=("first-look",), do=look_first, has_change=True),
    Act(verbs=("change-types",), do=change_types, has_change=True),
    Act(verbs=("disown",), do=disown, by="olga", has_change=True, reason="It is another team's."),
    Act(verbs=("refuse-workspace",), do=refuse_workspace, has_change=True),
    Act(verbs=("note-sharing",), do=note_sharing, has_change=True),
    Act(verbs=("reconcile",), do=reconcile_one, has_change=True),
    Act(verbs=("needs-review",), do=need_review, has_change=True),
    Act(verbs=("ask-release",), do=ask_release, by="olga", has_change=True, reason="It is idle."),
    Act(verbs=("released",), do=release, has_change=True),
    Act(verbs=("ended",), do=end, has_change=True),
    Act(verbs=("begin-doubt",), do=miss, has_change=True),
    Act(verbs=("clear-doubt",), do=miss_and_find, has_change=True),
    Act(verbs=("declare-ended",), do=declare_ended, by="olga", has_change=True, reason="Its console says so."),
    Act(verbs=("reopen",), do=scan_as("active", ended=True), has_change=True),
    Act(verbs=("release-orphan",), do=release_orphan, by="olga", has_change=True, reason="Nobody wants it."),
    Act(verbs=("restore", "restored"), do=restore),
    Act(verbs=("database-changed",), do=move_database, has_change=True),
    Act(verbs=("confirm-database",), do=confirm_database, by="olga", has_change=True),
    Act(verbs=("stray-response",), do=answer_nobody),
    Act(verbs=("prune",), do=prune_old),
    Act(verbs=("notice",), do=raise_notice),
    Act(verbs=("acknowledge",), do=acknowledge, by="olga", has_change=True),
    Act(verbs=("settings",), do=start),
    Act(verbs=("clock-step",), do=step_clock),
    Act(verbs=("sign-in",), do=sign_in, by="alice"),
    Act(verbs=("sign-in-failed",), do=lambda stage: sign_in(stage, "wrong")),
    Act(verbs=("sign-in-blocked",), do=guess),
    Act(verbs=("end-sessions",), do=sign_out_elsewhere, by="alice"),
    Act(verbs=("sign-out",), do=lambda stage: stage.post(stage.alice, "/accounts/logout/"), by="alice"),
    Act(verbs=("set-up",), do=set_up, by="first"),
    Act(verbs=("change-password",), do=change_password, by="alice"),
    Act(
        verbs=("set-time-zone",),
        do=lambda stage: stage.post(stage.alice, "/accounts/", time_zone="Europe/Rome"),
        by="alice",
        has_change=True,
    ),
    Act(verbs=("add-person",), do=add_person, by="root"),
    Act(
        verbs=("change-person",),
        do=lambda stage: stage.post(stage.root, f"/admin/portal/user/{stage.alice.pk}/change/", username="alicia"),
        by="root",
        has_change=True,
    ),
    Act(
        verbs=("add-group",),
        do=lambda stage: stage.post(stage.root, "/admin/auth/group/add/", name="Guests"),
        by="root",
    ),
    Act(verbs=("change-group",), do=edit_group("change", name="Users"), by="root", has_change=True),
    Act(verbs=("delete-group",), do=edit_group("delete", post="yes"), by="root"),
    Act(verbs=("evidence",), do=take_evidence, by="olga"),
    Act(verbs=("export",), do=download, by="alice"),
]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.verbs[0])
def test_an_act_is_an_event(act, sandbox, settings, alice, olga, root):
    began = timezone.now() - timedelta(seconds=1)
    act.do(Stage(alice=alice, olga=olga, root=root, sandbox=sandbox, settings=settings))

    for verb in act.verbs:
        event = models.Event.objects.filter(verb=verb).latest("id")
        assert began < event.at < timezone.now() + timedelta(seconds=1)
        assert event.actor_name == act.by
        assert (event.actor_id is None) == (act.by == "")
        assert event.reason == act.reason or not act.by
        assert event.target
        if act.by:
            assert event.address == ADDRESS
            assert event.http_request
        if act.has_change:
            assert event.detail["before"] != event.detail["after"]
        if event.target.startswith("request "):
            assert event.target == f"request R-{event.request_number}"


def test_an_event_outlives_the_name_of_who_did_it(sandbox, alice, root):
    factories.submit(alice)
    models.User.objects.filter(pk=alice.pk).update(username="alicia", is_active=False)
    assert models.Event.objects.get(verb="submit").actor_name == "alice"


def test_an_event_without_its_change_is_refused(alice):
    with pytest.raises(RuntimeError, match="into the transaction of its change"):
        audit.record_event(actor=alice, verb="cancel", target="x")
    with transaction.atomic():
        audit.record_event(actor=alice, verb="cancel", target="x")
        transaction.set_rollback(True)
    assert not models.Event.objects.exists()
