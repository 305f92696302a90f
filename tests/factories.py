"""Makes what tests need, through the portal's own services."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models import F, Model, QuerySet
from django.test import Client

from portal import agentstation, models
from portal.models.clock import Now
from portal.services.key import accounts, credentials, key_lock, steady_clock
from portal.services.mirrors import releases
from portal.services.people import invitations, links, sessions
from portal.services.reconciliation import reconcile, timeouts
from portal.services.requests import dispatch, results, submissions
from portal.services.runtime import clients, leases
from tests.provider import server

PASSWORD = "correct horse battery staple"
MOVED = {
    models.Account: ["created_at"],
    models.Attempt: ["claimed_at", "deadline_at", "ended_at"],
    models.Credential: ["seen_at"],
    models.Key: ["paused_at", "paused_until", "pause_ended_at", "probe_at"],
    models.Request: ["queued_at", "next_attempt_at"],
    models.Scan: ["begun_at", "ended_at"],
    models.Workspace: ["first_seen_at"],
    models.Workstation: ["first_seen_at", "listed_at", "created_at"],
}
RUNNING: list[server.Sandbox] = []  # the sandboxes of the present test


@contextmanager
def unprotected() -> Iterator[None]:
    """With the audit log's triggers off on this connection: for emptying the database, and for moving what was written
    into the past. Nothing else may need it."""
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        connection.connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
    else:
        _set_role("replica")
    try:
        yield
    finally:
        if connection.vendor == "sqlite":
            connection.connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, True)
        else:
            _set_role("origin")


def _set_role(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET session_replication_role = {name}")


def name_database() -> str:
    """The URL by which another process uses this test's database."""
    own = connection.settings_dict
    server = f"postgres://{own['USER']}@{own['HOST']}:{own['PORT']}" if own["HOST"] else "sqlite://"
    return f"{server}/{own['NAME']}"


def create_user(username: str, *groups: str, **values: Any) -> models.User:
    user = models.User.objects.create_user(username=username, password=PASSWORD, **values)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


def add_person(actor: models.User, username: str = "carol", *, group: str = "Members") -> invitations.Invitation:
    """One who has yet to choose a password; without a group an administrator."""
    place = Group.objects.get(name=group) if group else None
    values = {"username": username, "name": "", "email": "", "role": place}
    return invitations.add_people(actor=actor, people=[values])[0]


def sign_in(client: Client, person: models.User) -> None:
    client.force_login(person)
    session = client.session
    sessions.begin_session(session=session, address="127.0.0.1", browser="Firefox/140.0")
    session.save()


def fill_form(**changes: object) -> dict[str, object]:
    return {"type": "python", "workspace_id": "", "note": "", "submission": str(uuid4())} | changes


def submit(
    requester: models.User, *, submission: UUID | None = None, type: str = "python", **submitted: Any
) -> models.Request:
    mark_baseline_scan()
    return submissions.submit_request(requester=requester, submission=submission or uuid4(), type=type, **submitted)


def submit_for(*requesters: models.User) -> list[models.Request]:
    return [submit(requester) for requester in requesters]


def create_past_request(
    requester: models.User, at: datetime, *, status: str = "SUCCEEDED", seconds: float = 30.0, **values: str
) -> models.Request:
    """One that was submitted then, and took so long where it has ended."""
    is_open = status in ("QUEUED", "SENDING", "UNKNOWN")
    return models.Request.objects.create(
        **{"account": accounts.get_current_account(), "submission": uuid4(), "type": "python"} | values,
        requester=requester,
        status=status,
        was_unknown=status == "UNKNOWN",
        created_at=at,
        ended_at=None if is_open else at + timedelta(seconds=seconds),
        took=None if is_open else seconds,
    )


def set_policy(**values: Any) -> None:
    """What administrators decide; what is not named is as in a new portal."""
    models.Policy(pk=1, **values).save()


def mark_baseline_scan() -> None:
    """As if a worker had looked at the new account already."""
    models.Account.objects.filter(pk=accounts.get_current_account().pk, baseline_scan="WANTED").update(
        baseline_scan="DONE"
    )


def claim_requests(*, worker: str, most: int) -> list[dispatch.Call]:
    """As the dispatcher claims, without its loop."""
    boottime = agentstation.boottime()
    account, is_any_due = dispatch.look_for_requests()
    if not is_any_due:
        return []
    with transaction.atomic():
        key = key_lock.lock_key(account=account)
        return dispatch.claim_with_key(key=key, worker=worker, most=most, boottime=boottime)[0]


def claim_next(*, worker: str = "test-worker") -> dispatch.Call | None:
    calls = claim_requests(worker=worker, most=1)
    return calls[0] if calls else None


def claim() -> dispatch.Call:
    call = claim_next()
    assert call is not None, "nothing could be claimed"
    return call


def send(call: dispatch.Call) -> dispatch.Result:
    return dispatch.send_call(call=call, client=clients.make_client())


def record(call: dispatch.Call, result: dispatch.Result) -> None:
    results.record_result(call=call, result=result)


def end_workstations() -> None:
    models.Workstation.objects.update(ended_at=Now())


def finish(call: dispatch.Call, *, client: agentstation.Client | None = None) -> dispatch.Result:
    """Send what is claimed, and record what comes of it."""
    result = dispatch.send_call(call=call, client=client or clients.make_client())
    results.record_result(call=call, result=result)
    return result


def send_once(*, client: agentstation.Client | None = None) -> dispatch.Result:
    return finish(claim(), client=client)


def find_event(verb: str, **values: Any) -> models.Event:
    return models.Event.objects.get(verb=verb, **values)


def list_events(verb: str) -> QuerySet[models.Event]:
    return models.Event.objects.filter(verb=verb)


def update(row: Model, **values: Any) -> int:
    """In the database alone, as nothing of the portal would."""
    return type(row)._default_manager.filter(pk=row.pk).update(**values)


def submit_and_settle(requester: models.User, **submitted: Any) -> models.Request:
    return send_until_settled(submit(requester, **submitted))


def submit_and_send(requester: models.User, **submitted: Any) -> models.Request:
    portal_request = submit(requester, **submitted)
    send_once()
    portal_request.refresh_from_db()
    return portal_request


def send_until_settled(portal_request: models.Request) -> models.Request:
    """Attempt by attempt until the request is neither queued nor being sent, or the key is held."""
    client = clients.make_client()
    waiting = (models.Request.Status.QUEUED, models.Request.Status.SENDING)
    looks = 0
    while (
        portal_request.status in waiting and not models.Key.objects.filter(state="PAUSED", paused_until=None).exists()
    ):
        call = claim_next()
        if call is not None:
            finish(call, client=client)
        portal_request.refresh_from_db()
        looks += 1
        assert looks < 2_000, f"{portal_request} stays {portal_request.status}: {models.Key.objects.values()}"
    return portal_request


def send_releases() -> list[releases.Result]:
    client, results = clients.make_client(), []
    while (release := releases.claim_release()) is not None:
        results.append(releases.send_release(release=release, client=client))
        releases.record_release(release=release, result=results[-1])
    return results


def present_key() -> None:
    """A worker of this process shows that it lives, with the key that the settings have."""
    credentials.present_key(worker="test-worker")


def ask_whose_key() -> models.Credential:
    """As if the account were no sandbox's, whose key may be replaced without a question; then a worker with another
    key comes."""
    models.Credential.objects.update(is_sandbox=False)
    present_key()
    return models.Credential.objects.asked().latest("pk")


def expire_overdue(*, lease: leases.Lease) -> int:
    """The second round of the job that ends what nobody ends any more: it has just begun to watch the clock."""
    watched = steady_clock.SteadyClock()
    watched.observe(token=lease.token)
    return lease.run(timeouts.expire_overdue, watched=watched)


def create_workstation(requester: models.User, **values: Any) -> models.Workstation:
    """A workstation that the provider really made."""
    portal_request = send_until_settled(submit(requester, **values))
    return models.Workstation.objects.get(request=portal_request)


def create_workstations(requester: models.User, count: int) -> list[models.Workstation]:
    return [create_workstation(requester) for _ in range(count)]


def reread[Row: Model](row: Row) -> Row:
    """As the database has it now."""
    return type(row)._base_manager.get(pk=row.pk)


def get_workspace(workstation: models.Workstation | None) -> models.Workspace:
    assert workstation is not None, "no workstation"
    assert workstation.workspace is not None, f"{workstation} has no workspace"
    return workstation.workspace


def get_named(result: dispatch.Result) -> agentstation.Workstation:
    """The one that the provider named when it said that it had made it."""
    assert result.value is not None, f"{result} names none"
    return result.value


def read_response(stored: models.Attempt | models.LateResponse) -> bytes:
    """What is stored of the response's body, whichever database has it."""
    assert stored.response is not None, f"{stored} has no response"
    return bytes(stored.response)


def acquire_lease(*, name: str, holder: str = "test", seconds: float = 600) -> leases.Lease:
    lease = leases.acquire_lease(name=name, holder=holder, seconds=seconds)
    assert lease is not None, f"another holds {name}"
    return lease


def claim_release() -> releases.Release:
    release = releases.claim_release()
    assert release is not None, "nothing is to be released"
    return release


def create_setup_link() -> str:
    token = links.create_setup_link()
    assert token is not None, "there is an administrator already"
    return token


def make_steady(lease: leases.Lease) -> steady_clock.SteadyClock:
    """A clock that has been watched for years."""
    steady = steady_clock.SteadyClock()
    steady.observe(token=lease.token)
    steady._steady_since = -1e8
    return steady


def reconcile_once(lease: leases.Lease) -> None:
    lease.run(reconcile.reconcile_requests, client=clients.make_client(), steady=make_steady(lease))


def ask_people(*portal_requests: models.Request) -> None:
    numbers = [portal_request.pk for portal_request in portal_requests]
    models.Request.objects.filter(pk__in=numbers).update(operator_note="Undecided.")


def make_overdue(call: dispatch.Call) -> None:
    """As if the worker that made this call had died long ago."""
    models.Attempt.objects.filter(pk=call.attempt_id).update(deadline_at=Now() - timedelta(seconds=1))


def pass_time(seconds: float) -> None:
    """As if so much time had gone by: all that was written so far moves into the past, at the provider too."""
    with unprotected():
        for model, names in MOVED.items():
            model._default_manager.update(**{name: F(name) - timedelta(seconds=seconds) for name in names})
    age_provider(seconds)


def age_provider(seconds: float) -> None:
    """As if everything at the provider had begun so much earlier; what ends then, and when, stays as it is."""
    for running in RUNNING:
        running.age(seconds)
