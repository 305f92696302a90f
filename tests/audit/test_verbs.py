"""Every act is an event: for each verb that the portal writes there is an act here that makes it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from html import unescape

import pyotp
import pytest
from django.contrib.auth.models import Group
from django.core.cache import caches
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.audit import nightly, seals, verify
from portal.services.connections import passing
from portal.services.key import accounts, credentials, steady_clock
from portal.services.lives import carrying_out
from portal.services.mirrors import refreshing, types
from portal.services.notifications import lasting
from portal.services.people import invitations, links, membership
from portal.services.reconciliation import timeouts
from portal.services.reports import configuration
from portal.services.requests import dispatch
from portal.services.runtime import clients, workers
from portal.web import sessionstore
from tests import factories, ports
from tests.accounts import issuer
from tests.audit.conftest import prune_all
from tests.browser import Browser
from tests.provider import server
from tests.services import scanning
from tests.services.reconciling import make_orphan, make_unknown, scan

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS, REASON = "203.0.113.9", "It is so."
NEW = "another long passphrase"
CHANGED = {"old_password": factories.PASSWORD, "new_password1": NEW, "new_password2": NEW}
NOTE = ("operator_note",)
TIMES = ("created_at", "claimed_at", "deadline_at", "ended_at")  # of rows that a test lets time pass for


def test_each_verb_has_an_act_here():
    assert {verb for act in ACTS for verb in act.verbs} == set(Verb)


# --- The acts ---


@dataclass(frozen=True, kw_only=True)
class Stage:
    alice: models.User
    olga: models.User
    root: models.User
    sandbox: server.Sandbox
    settings: Settings

    def browse(self, person: models.User | None = None) -> Browser:
        client = Browser(REMOTE_ADDR=ADDRESS)
        if person is not None:
            factories.sign_in(client, person)
        return client

    def post(self, person: models.User, url: str, /, **values: object) -> None:
        assert self.browse(person).post(url, values).status_code == 302

    def pause_key(self, failure: str = "401") -> None:
        self.sandbox.script({"name": f"fail-{failure}"})
        factories.submit(self.alice)
        factories.send_once()
        assert models.Key.objects.get().is_paused


@dataclass(frozen=True, kw_only=True)
class Act:
    """What somebody, or the portal, does. `by`: who, in a browser; empty: the portal by itself."""

    verbs: tuple[Verb, ...]
    do: Callable[[Stage], object]
    by: str = ""
    has_change: bool = False  # then the event tells before and after
    has_reason: bool = False  # then it is REASON
    staged: tuple[str, ...] = ()  # audited columns that the act itself changes outside the portal


def posting(who: str, url: str, /, **values: object) -> Callable[[Stage], None]:
    """Somebody posts a form; the address may name alice."""
    return lambda stage: stage.post(getattr(stage, who), url.format(alice=stage.alice.pk), **values)


def submit(stage: Stage) -> None:
    factories.mark_baseline_scan()
    stage.post(stage.alice, "/requests/new/", **factories.fill_form())


def send(stage: Stage) -> models.Request:
    return factories.submit_and_settle(stage.alice)


def answer_late(stage: Stage) -> None:
    factories.submit(stage.alice)
    call = factories.claim()
    models.Attempt.objects.filter(outcome="SENDING").update(deadline_at=Now() - timedelta(seconds=1))
    assert factories.expire_overdue(lease=factories.acquire_lease(name="recover")) == 1
    factories.record(call, factories.send(call))


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


def cancel(stage: Stage) -> None:
    stage.post(stage.alice, f"/requests/{factories.submit(stage.alice).pk}/cancel/")


def wish_cancel(stage: Stage) -> None:
    stage.post(stage.alice, f"/requests/{make_unknown(stage.sandbox, stage.alice).pk}/cancel/")


def decide(decision: str) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        portal_request, orphan = make_unknown(stage.sandbox, stage.alice), make_orphan()
        factories.ask_people(portal_request)
        values = {"decision": decision, "workstation": orphan.uid, "confirmed": "on", "reason": REASON}
        stage.post(stage.olga, f"/unknown/{portal_request.pk}/", **values)

    return act


def resume(stage: Stage) -> None:
    stage.pause_key()
    stage.post(stage.olga, "/key/resume/")


def open_key(stage: Stage) -> None:
    resume(stage)
    send(stage)


def probe_key(stage: Stage) -> None:
    stage.pause_key()
    models.Key.objects.update(probe_at=Now() - timedelta(seconds=1))
    factories.acquire_lease(name="probe").run(credentials.probe_key, client=clients.make_client())


def ask_account(stage: Stage) -> models.Credential:
    send(stage)
    stage.settings.AGENTSTATION_API_KEY = "another-key"
    return factories.ask_whose_key()


def confirm_key(stage: Stage) -> None:
    stage.post(stage.olga, f"/key/account/{ask_account(stage).pk}/", account="same")


def look_first(stage: Stage) -> None:
    scanning.advance(factories.acquire_lease(name="reconcile"))


def change_types(stage: Stage) -> None:
    accounts.get_current_account()
    factories.acquire_lease(name="types").run(types.read_types, client=clients.make_client())


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


def change_workstation(act: str, **values: object) -> Callable[[Stage], None]:
    url = f"/workstations/{{}}/{act}/"
    return lambda stage: stage.post(stage.olga, url.format(send(stage).workstation.uid), reason=REASON, **values)


request_release = change_workstation("release")


def reach_end(stage: Stage) -> None:
    stored = factories.create_workstation(stage.alice, lifetime="1m")
    lease = factories.acquire_lease(name="ends")
    for _ in range(2):  # it is announced, and comes
        factories.update(stored, ends_at=Now() - timedelta(seconds=1))
        lease.run(carrying_out.carry_out_ends, watched=factories.make_steady(lease))


def name_workspace(stage: Stage) -> None:
    space = factories.get_workspace(send(stage).workstation)
    stage.post(stage.alice, f"/workspaces/{space.uid}/name/", name="Report")


def give_workspace(stage: Stage) -> None:
    space = factories.get_workspace(send(stage).workstation)
    factories.update(space, owner=None, is_contested=True)
    stage.post(stage.olga, f"/workspaces/{space.uid}/owner/", owner=str(stage.alice.pk), reason=REASON)


def open_connection(stage: Stage, *, by: str = "olga", reason: str = REASON) -> None:
    workstation = send(stage).workstation
    address = {"url": "ws://127.0.0.1:9/secret"}
    stage.sandbox.script({"on": "POST /workstations/{id}/sandbox/pty", "status": 200, "body": address})
    browser = stage.browse(models.User.objects.get(username=by))
    wish = {"kind": "terminal", "reason": reason}
    assert browser.post(f"/workstations/{workstation.uid}/connections/", wish).status_code == 200


def end_connection(stage: Stage) -> None:
    open_connection(stage, by="alice", reason="")
    browser = stage.browse(stage.alice)
    number = models.Connection.objects.get().pk
    assert browser.post(f"/connections/{number}/end/").status_code == 204


def pass_on(stage: Stage) -> None:
    workstation = send(stage).workstation
    wish = passing.Wish(method="GET", path="other", query="", body=b"")
    with audit.acting_from(address=ADDRESS, http_request="1"):
        passed = passing.pass_on(person=stage.alice, workstation=workstation, wish=wish)
        passing.record_passed(passed=passed, method="GET", path="/v1/workstations/x/other")


def make_and_end_token(stage: Stage) -> None:
    wish = {"name": "ci", "scopes": "read", "days": "3"}
    assert stage.browse(stage.alice).post("/accounts/tokens/new/", wish).status_code == 200
    stage.post(stage.alice, f"/accounts/tokens/{models.Token.objects.get().pk}/end/")


def sign_in_a_program(stage: Stage) -> None:
    program, person = Browser(REMOTE_ADDR=ADDRESS), stage.browse(stage.alice)
    asked = program.post("/accounts/device/code/", {"client_id": "wsp"}).json()
    person.post("/accounts/device/", {"code": asked["user_code"], "answer": "approve", "scopes": "read"})
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": asked["device_code"]}
    assert "access_token" in program.post("/accounts/device/token/", {"client_id": "wsp"} | grant).json()


def share_for_a_while(stage: Stage) -> None:
    factories.create_user("bob", "Members")
    stage.post(stage.alice, f"/workstations/{send(stage).workstation.uid}/shares/", person="bob", level="look")
    stage.post(stage.alice, f"/shares/{models.Share.objects.get().pk}/end/")


def refresh(stage: Stage) -> None:
    models.Workstation.objects.update(refresh_due_at=Now())
    factories.acquire_lease(name="refresh").run(refreshing.refresh_workstations, client=clients.make_client())


def release(stage: Stage) -> None:
    request_release(stage)
    factories.send_releases()


def miss(stage: Stage) -> models.Workstation:
    stored = send(stage).workstation
    stage.sandbox.script([{"on": "GET /workstations", "status": 404}, {"on": "GET /workstations/{id}", "status": 422}])
    refresh(stage)
    return stored


def miss_and_find(stage: Stage) -> None:
    miss(stage)
    refresh(stage)


def declare_ended(stage: Stage) -> None:
    stored = miss(stage)
    models.Workstation.objects.update(missing_since=Now() - timedelta(days=2))
    stage.post(stage.olga, f"/workstations/{stored.uid}/ended/", reason=REASON)


def reopen(stage: Stage) -> None:
    stored = send(stage).workstation
    hour_ago = Now() - timedelta(hours=1)
    factories.update(stored, first_seen_at=hour_ago, ended_at=hour_ago, release_requested_at=hour_ago)
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


def clear_sharing(stage: Stage) -> None:
    note_sharing(stage)
    stage.post(stage.olga, "/key/unshared/")


def restore(stage: Stage) -> None:
    factories.submit(stage.alice)
    call_command("restore")


def move_database(stage: Stage) -> None:
    stage.settings.USING_SANDBOX = False
    send(stage)
    models.Database.objects.update(place="elsewhere")
    factories.submit(stage.alice)
    assert factories.claim_next() is None


def confirm_database(stage: Stage) -> None:
    move_database(stage)
    stage.post(stage.olga, "/key/database/", database="moved")


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


def sign_in(stage: Stage, password: str = factories.PASSWORD) -> Browser:
    browser = stage.browse()
    browser.post("/accounts/login/", {"username": "alice", "password": password})
    return browser


def set_up(stage: Stage) -> None:
    models.User.objects.update(is_superuser=False)
    values = {"username": "first", "password": factories.PASSWORD, "password_again": factories.PASSWORD}
    response = stage.browse().post(f"/setup/{links.create_setup_link()}/", values)
    assert response.status_code == 302, response.content.decode()


def add_by_link(stage: Stage) -> str:
    membership.record_set_up(person=stage.root)  # whom the log must know before the second event
    values = {"username": "carol", "role": Group.objects.get(name="Members").pk}
    response = stage.browse(stage.root).post("/people/new/", values)
    found = re.search(r"/join/[^/]+/", response.content.decode())
    assert found is not None
    return found[0]


def use_link(stage: Stage) -> None:
    values = {"password": factories.PASSWORD, "password_again": factories.PASSWORD}
    assert stage.browse().post(add_by_link(stage), values).status_code == 302


def ask_for_link(stage: Stage) -> None:
    """No mail server is there."""
    options = {"host": "127.0.0.1", "port": ports.find_port()}
    stage.settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
    factories.update(stage.alice, email="alice@team.example")
    assert stage.browse().post("/accounts/forgotten/", {"name": "alice"}).status_code == 302
    factories.acquire_lease(name="mail").run(invitations.send_asked)


def edit_group(page: str, **values: object) -> Callable[[Stage], None]:
    url = f"/admin/auth/group{page}"
    return lambda stage: stage.post(stage.root, url.format(Group.objects.get(name="Members").pk), **values)


def change_policy(stage: Stage) -> None:
    values = models.Policy.read_defaults() | {"running_per_person": 3, "running": 50}
    stage.post(stage.root, "/settings/", **values)


def set_limit(stage: Stage) -> None:
    stage.post(stage.olga, "/limits/", person=stage.alice.pk, limit=5, reason=REASON)


def let_last(stage: Stage) -> None:
    make_orphan()
    models.Workstation.objects.update(first_seen_at=Now() - timedelta(minutes=11))
    factories.submit(stage.alice)
    models.Request.objects.update(queued_at=Now() - timedelta(minutes=11))
    factories.acquire_lease(name="lasting").run(lasting.note_lasting)


def prune_old(stage: Stage) -> None:
    cancel(stage)
    factories.acquire_lease(name="seal").run(seals.seal_events)
    stage.settings.PORTAL_KEEP_DAYS = 30
    read_clock = clock.read_clock
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "read_clock", lambda: read_clock() + timedelta(days=40))
        assert prune_all()


def step_clock(stage: Stage) -> None:
    boottime = iter([1000.0, 1000.0, 900.0, 900.0])  # time that passes only for the database: its clock was set forward
    watched = steady_clock.SteadyClock(boottime=lambda: next(boottime))
    for _ in range(2):
        watched.observe(token=1)


def guess(stage: Stage) -> None:
    for _ in range(5):
        sign_in(stage, "wrong")


def sign_out_elsewhere(stage: Stage) -> None:
    key = stage.browse(stage.alice).session.session_key
    assert key is not None
    stage.post(stage.alice, "/accounts/sessions/end/", session=sessionstore.hash_key(key))


def change_factors(stage: Stage) -> None:
    browser = stage.browse(stage.alice)
    browser.get("/accounts/app/")
    secret = browser.session["mfa.totp.secret"]
    browser.post("/accounts/app/", {"code": pyotp.TOTP(secret).now()})
    browser.post("/accounts/codes/new/")
    browser.post("/accounts/app/remove/")


def come_by_issuer(stage: Stage) -> None:
    with issuer.running() as acme:
        caches["issuers"].clear()
        stage.settings.PORTAL_OIDC = acme.settings(can_sign_up=True)
        browser = stage.browse()
        address = unescape(re.findall(r'content="0; url=([^"]*)"', browser.post("/accounts/oidc/acme/").text)[0])
        browser.get("/accounts/oidc/acme/callback/", acme.authorize(address))


def take_evidence(stage: Stage) -> None:
    url = f"/requests/{factories.submit(stage.alice).pk}/evidence.json"
    assert stage.browse(stage.olga).post(url).status_code == 200


def download(stage: Stage) -> None:
    assert stage.browse(stage.alice).post("/requests/export.csv").status_code == 200


ACTS = [
    Act(verbs=(Verb.SUBMIT,), do=submit, by="alice"),
    Act(verbs=(Verb.CLAIM, Verb.RESPONSE), do=send, has_change=True),
    Act(verbs=(Verb.DEADLINE_PASSED, Verb.LATE_RESPONSE), do=answer_late, has_change=True, staged=("deadline_at",)),
    Act(verbs=(Verb.WORKER_DIED,), do=let_worker_die, has_change=True),
    Act(verbs=(Verb.GIVE_UP,), do=wait_too_long, has_change=True),
    Act(verbs=(Verb.CANCEL,), do=cancel, by="alice", has_change=True),
    Act(verbs=(Verb.REQUEST_CANCEL,), do=wish_cancel, by="alice", has_change=True),
    Act(verbs=(Verb.CLOSE,), do=decide("give-up"), by="olga", has_change=True, has_reason=True, staged=NOTE),
    Act(verbs=(Verb.ADOPT,), do=decide("adopt"), by="olga", has_change=True, has_reason=True, staged=NOTE),
    Act(verbs=(Verb.NOT_CREATED,), do=decide("not-created"), by="olga", has_change=True, has_reason=True, staged=NOTE),
    Act(verbs=(Verb.RESUME,), do=resume, by="olga", has_change=True),
    Act(verbs=(Verb.PAUSE, Verb.ACTIVATE), do=open_key, has_change=True),
    Act(verbs=(Verb.PROBE,), do=probe_key),
    Act(verbs=(Verb.FIRST_KEY,), do=lambda stage: accounts.get_current_account()),
    Act(verbs=(Verb.ASK_ACCOUNT,), do=ask_account, staged=("is_sandbox",)),
    Act(verbs=(Verb.CONFIRM_KEY,), do=confirm_key, by="olga", has_change=True, staged=("is_sandbox",)),
    Act(verbs=(Verb.WITHDRAW_KEY,), do=withdraw_key, has_change=True, staged=("is_sandbox", "accepted_at")),
    Act(verbs=(Verb.BASELINE_SCAN,), do=look_first, has_change=True),
    Act(verbs=(Verb.CHANGE_TYPES,), do=change_types, has_change=True),
    Act(verbs=(Verb.DISOWN,), do=end_orphan("disown"), by="olga", has_change=True, has_reason=True),
    Act(verbs=(Verb.LEAVE_OUT,), do=leave_out, by="olga", has_change=True, has_reason=True, staged=TIMES),
    Act(verbs=(Verb.REFUSE_WORKSPACE,), do=refuse_workspace, has_change=True, staged=("owner_id",)),
    Act(verbs=(Verb.NOTE_SHARING,), do=note_sharing, has_change=True),
    Act(verbs=(Verb.CLEAR_SHARING,), do=clear_sharing, by="olga", has_change=True),
    Act(verbs=(Verb.RECONCILE,), do=reconcile_one, has_change=True, staged=TIMES),
    Act(verbs=(Verb.NEEDS_REVIEW,), do=need_review, has_change=True),
    Act(verbs=(Verb.REQUEST_RELEASE,), do=request_release, by="olga", has_change=True, has_reason=True),
    Act(
        verbs=(Verb.SET_END,), do=change_workstation("end", lifetime="2h"), by="olga", has_change=True, has_reason=True
    ),
    Act(verbs=(Verb.WARN_END, Verb.REQUEST_RELEASE), do=reach_end),
    Act(verbs=(Verb.UNASSIGNED, Verb.QUEUE_SLOW), do=let_last),
    Act(verbs=(Verb.RELEASED,), do=release, has_change=True),
    Act(verbs=(Verb.ENDED,), do=end, has_change=True),
    Act(verbs=(Verb.MISSING, Verb.FOUND_AGAIN), do=miss_and_find, has_change=True),
    Act(verbs=(Verb.ENDED,), do=declare_ended, by="olga", has_change=True, has_reason=True),
    Act(
        verbs=(Verb.REOPEN, Verb.WITHDRAW_RELEASE),
        do=reopen,
        has_change=True,
        staged=("ended_at", "release_requested_at"),
    ),
    Act(verbs=(Verb.REQUEST_RELEASE,), do=end_orphan("release"), by="olga", has_change=True, has_reason=True),
    Act(verbs=(Verb.RESTORE, Verb.RESTORED), do=restore),
    Act(verbs=(Verb.DATABASE_CHANGED,), do=move_database, has_change=True),
    Act(verbs=(Verb.CONFIRM_DATABASE,), do=confirm_database, by="olga", has_change=True),
    Act(verbs=(Verb.LOST_RESPONSE,), do=answer_nobody),
    Act(verbs=(Verb.PRUNE,), do=prune_old),
    Act(verbs=(Verb.NOTICE,), do=raise_notice),
    Act(verbs=(Verb.REFUSED,), do=lambda stage: stage.browse(stage.alice).post("/key/resume/"), by="alice"),
    Act(verbs=(Verb.CHECKED,), do=lambda stage: factories.acquire_lease(name="check").run(nightly.check_log)),
    Act(verbs=(Verb.SETTINGS,), do=lambda stage: configuration.note_settings()),
    Act(verbs=(Verb.CLOCK_STEP,), do=step_clock),
    Act(verbs=(Verb.SIGN_IN,), do=sign_in, by="alice"),
    Act(verbs=(Verb.SIGN_IN_FAILED, Verb.SIGN_IN_BLOCKED), do=guess),
    Act(verbs=(Verb.END_SESSIONS,), do=sign_out_elsewhere, by="alice"),
    Act(verbs=(Verb.SIGN_OUT,), do=posting("alice", "/accounts/logout/"), by="alice"),
    Act(verbs=(Verb.SET_UP,), do=set_up, by="first"),
    Act(verbs=(Verb.ADD_FACTOR, Verb.RENEW_CODES, Verb.REMOVE_FACTOR), do=change_factors, by="alice"),
    Act(verbs=(Verb.RESET_FACTORS,), do=posting("root", "/people/{alice}/factors/reset/"), by="root"),
    Act(verbs=(Verb.LINK_IDENTITY,), do=come_by_issuer),
    Act(verbs=(Verb.UNLINK_IDENTITY,), do=posting("root", "/people/{alice}/identities/remove/"), by="root"),
    Act(verbs=(Verb.CHANGE_PASSWORD,), do=posting("alice", "/accounts/password/", **CHANGED), by="alice"),
    Act(
        verbs=(Verb.SET_TIME_ZONE,),
        do=posting("alice", "/accounts/", time_zone="Europe/Rome"),
        by="alice",
        has_change=True,
    ),
    Act(
        verbs=(Verb.CHOOSE_MAIL,), do=posting("alice", "/notifications/", kinds=["failed"]), by="alice", has_change=True
    ),
    Act(verbs=(Verb.CHANGE_POLICY,), do=change_policy, by="root", has_change=True),
    Act(verbs=(Verb.SET_LIMIT,), do=set_limit, by="olga", has_change=True, has_reason=True),
    Act(verbs=(Verb.GIVE_WORKSPACE,), do=give_workspace, by="olga", has_reason=True, staged=("owner_id",)),
    Act(verbs=(Verb.NAME_WORKSPACE,), do=name_workspace, by="alice"),
    Act(verbs=(Verb.OPEN_CONNECTION,), do=open_connection, by="olga", has_reason=True),
    Act(verbs=(Verb.END_CONNECTION,), do=end_connection, by="alice"),
    Act(verbs=(Verb.PASS_ON,), do=pass_on, by="alice"),
    Act(verbs=(Verb.SHARE, Verb.END_SHARE), do=share_for_a_while, by="alice"),
    Act(verbs=(Verb.MAKE_TOKEN, Verb.END_TOKEN), do=make_and_end_token, by="alice"),
    Act(verbs=(Verb.MAKE_TOKEN,), do=sign_in_a_program, by="alice"),
    Act(verbs=(Verb.MAKE_LINK, Verb.ADD_PERSON), do=add_by_link, by="root"),
    Act(verbs=(Verb.USE_LINK,), do=use_link, by="carol"),
    Act(verbs=(Verb.ASK_LINK, Verb.MAIL_FAILED), do=ask_for_link),
    Act(
        verbs=(Verb.CHANGE_PERSON,),
        do=posting("root", "/people/{alice}/details/", name="Alice Liddell"),
        by="root",
        has_change=True,
    ),
    Act(verbs=(Verb.ADD_GROUP,), do=edit_group("/add/", name="Guests"), by="root"),
    Act(verbs=(Verb.CHANGE_GROUP,), do=edit_group("/{}/change/", name="Users"), by="root", has_change=True),
    Act(verbs=(Verb.DELETE_GROUP,), do=edit_group("/{}/delete/", post="yes"), by="root"),
    Act(verbs=(Verb.EVIDENCE,), do=take_evidence, by="olga"),
    Act(verbs=(Verb.EXPORT,), do=download, by="alice"),
]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: f"{act.verbs[0]}-{ACTS.index(act)}")
def test_an_act_is_an_event(act, sandbox, settings, alice, olga, root):
    began = timezone.now() - timedelta(seconds=1)
    act.do(Stage(alice=alice, olga=olga, root=root, sandbox=sandbox, settings=settings))

    for verb in act.verbs:
        event = factories.list_events(verb).latest("id")
        assert began < event.at < timezone.now() + timedelta(seconds=1)
        assert event.actor_name == act.by
        assert (event.actor_id is None) == (act.by == "")
        assert event.reason == (REASON if act.has_reason else "") or not act.by
        assert event.target
        if act.by:
            assert event.address == ADDRESS
            assert event.http_request
        if act.has_change:
            assert event.detail["before"] != event.detail["after"]
        if event.target.startswith("request "):
            assert event.target == f"request R-{event.request_number}"
    staged = tuple(f"{word} {column} " for column in act.staged for word in ("has", "had"))
    found = [finding for finding in verify.verify_log(rows=True).findings if not finding.words.startswith(staged)]
    # The cast of the tests is there without an event.
    assert [one for one in found if not (one.kind == "row inserted" and one.what.startswith("person"))] == []


def test_an_event_outlives_the_name_of_who_did_it(sandbox, alice, root):
    factories.submit(alice)
    factories.update(alice, username="alicia", is_active=False)
    assert factories.find_event("submit").actor_name == "alice"


def test_an_event_without_its_change_is_refused(alice):
    with pytest.raises(RuntimeError, match="into the transaction of its change"):
        audit.record(Verb.CANCEL, "x", by=alice)
    with transaction.atomic():
        audit.record(Verb.CANCEL, "x", by=alice)
        transaction.set_rollback(True)
    assert not models.Event.objects.exists()
