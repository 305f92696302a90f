"""The rows: a request in each state and with each failure, workstations, workspaces, orphans and looks."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from portal import failures, models
from portal.sandbox import workstation_types
from portal.services.audit import seals
from portal.services.connections import shares
from portal.services.key import accounts
from portal.services.notifications import channels, choices
from portal.services.requests import notes
from portal.services.runtime import leases
from tests import factories
from tests.signing import write_event

NOW = timezone.now().replace(microsecond=0)
ANSWERS = {
    "402": (402, "Payment required", "credits are used up or payment has expired"),
    "422": (422, "Unprocessable", "Asset not found for this key"),
    "503": (503, "Service unavailable", "The request was dropped because of high load"),
}
PASSKEY = 77
LONG = "quarterly-review-of-the-northern-region-2026-with-all-attachments-final-final-2"


def create_people() -> dict[str, models.User]:
    """mira has much, nils nothing yet; guest is in no group; anna audits, olga operates, root administers.

    frida is asked for a code when she signs in.
    """
    people = {
        "mira": factories.create_user("mira", "Members", email="mira@team.example"),
        "nils": factories.create_user("nils", "Members"),
        "guest": factories.create_user("guest"),
        "anna": factories.create_user("anna", "Auditors"),
        "olga": factories.create_user("olga", "Operators"),
        "root": factories.create_user("root", is_superuser=True, is_staff=True),
        "frida": factories.create_user("frida", "Members"),
    }
    TOTP.activate(people["frida"], generate_totp_secret())
    RecoveryCodes.activate(people["frida"])
    Authenticator.objects.create(
        pk=PASSKEY, user=people["root"], type=Authenticator.Type.WEBAUTHN, data={"name": "Laptop", "credential": {}}
    )
    return people


def create_requests(mira: models.User, olga: models.User) -> dict[str, int]:
    """Numbers of requests by what they show."""
    spread = [
        _create_request(olga if n % 3 == 0 else mira, n, "SUCCEEDED", type=_TYPES[n % 9]) for n in range(54, 14, -1)
    ]
    for portal_request in spread:
        _create_attempt(portal_request, "SUCCEEDED")
    numbers = {code: _create_failed(mira, code) for code in ("402", "422", "no-answer")}
    numbers["closed"] = _create_closed(mira, olga)
    numbers["unknown"] = _create_unknown(mira)
    numbers["stuck"] = _create_unknown(
        mira, type="zoom-chromium", workspace_uid="atlas", operator_note=notes.NO_WITNESS
    )
    stuck = models.Request.objects.get(pk=numbers["stuck"])
    _add_event(None, "needs-review", stuck, reason=notes.NO_WITNESS)
    _create_request(mira, 5, "CANCELLED")
    numbers["sending"] = _create_sending(mira)
    _create_retrying(mira)
    numbers["queued"] = _create_request(mira, 1, "QUEUED", note="For the interview on Friday, please.").pk
    return numbers


_TYPES = models.Request.Type.values


def _create_request(requester: models.User, hours: float, status: str, **values: object) -> models.Request:
    at = NOW - timedelta(hours=hours)
    is_over = status in ("SUCCEEDED", "FAILED", "CANCELLED")
    ended = {"ended_at": at + timedelta(seconds=31), "took": 31} if is_over else {}
    ended["was_unknown"] = status == "UNKNOWN"
    defaults = {"account": accounts.get_current_account(), "submission": uuid4(), "type": "python", "status": status}
    times = {"created_at": at, "queued_at": at}
    row = models.Request.objects.create(requester=requester, **defaults | times | ended | values)
    write_event(
        at=at,
        actor_id=requester.pk,
        actor_name=requester.username,
        verb="submit",
        target=f"request {row.label}",
        request_number=row.pk,
    )
    return row


def _create_attempt(
    portal_request: models.Request, outcome: str, failure: str = "", **values: object
) -> models.Attempt:
    number = portal_request.attempts.count()
    claimed_at = portal_request.created_at + timedelta(seconds=2 + 8 * number)
    status, error, message = ANSWERS.get(failure, (200 if outcome == "SUCCEEDED" else None, "", ""))
    return models.Attempt.objects.create(
        request=portal_request,
        number=number + 1,
        worker="desk:4711",
        claimed_at=claimed_at,
        deadline_at=claimed_at + timedelta(minutes=2),
        ended_at=None if outcome == "SENDING" else claimed_at + timedelta(seconds=5),
        outcome=outcome,
        failure=failure,
        http_status=status,
        error=error,
        message=message,
        response=json.dumps({"error": error, "message": message}).encode() if status else None,
        **values,
    )


def _create_failed(mira: models.User, code: str) -> int:
    portal_request = _create_request(mira, 12, "FAILED", failure=code, workspace_uid="atlas" if code == "422" else "")
    _create_attempt(portal_request, "UNKNOWN" if failures.CATALOGUE[code].may_exist else "FAILED", code)
    return int(portal_request.pk)


def _create_closed(mira: models.User, olga: models.User) -> int:
    portal_request = _create_request(mira, 10, "FAILED", failure="no-answer")
    _create_attempt(portal_request, "UNKNOWN", "no-answer")
    reason = "The provider's list does not show it.\nTheir support says the same."
    _add_event(olga, "close", portal_request, reason=reason, before="UNKNOWN", after="FAILED")
    return int(portal_request.pk)


def _create_unknown(mira: models.User, **values: object) -> int:
    portal_request = _create_request(mira, 2, "UNKNOWN", failure="no-answer", **values)
    _create_attempt(portal_request, "UNKNOWN", "no-answer")
    return int(portal_request.pk)


def _create_sending(mira: models.User) -> int:
    portal_request = _create_request(mira, 1, "SENDING", type="max")
    _create_attempt(portal_request, "SENDING", claimed_tick=2)
    return int(portal_request.pk)


def _create_retrying(mira: models.User) -> None:
    portal_request = _create_request(mira, 1, "QUEUED", next_attempt_at=NOW + timedelta(hours=1), type="nodejs")
    _create_attempt(portal_request, "FAILED", "503")


def _add_event(
    actor: models.User | None, verb: str, portal_request: models.Request, reason: str = "", **detail: str
) -> None:
    write_event(
        actor_id=actor.pk if actor else None,
        actor_name=actor.username if actor else "",
        verb=verb,
        target=f"request {portal_request.label}",
        request_number=portal_request.pk,
        reason=reason,
        detail=detail,
    )


def create_mirrors(mira: models.User, olga: models.User) -> dict[str, str]:
    """UIDs of workstations and workspaces by what they show; also orphans, and the looks that found them."""
    atlas = _create_workspace(mira, "atlas", "active")
    _fill(atlas)
    _create_workspace(mira, "9f3c2d1a-77e0-4b7e-9d62-0a4f5b1c8e33", "")
    ends = {"ends_at": NOW + timedelta(hours=3, minutes=12), "end_set_at": NOW}
    shared = {**ends, "workspace": atlas, "raw": json.dumps({"id": "ws-1", "type": "python", "status": "active"})}
    leaving = {"release_requested_at": NOW, "release_requested_by": mira, "release_due_at": NOW}
    former = models.Account.objects.create(base_url="https://former.example/v1", retired_at=NOW)
    begun = NOW - timedelta(hours=2, minutes=28)
    over = {
        "status": "completed",
        "created_at": begun,
        "first_seen_at": begun,
        "ended_at": NOW,
        "note": "Weekly report",
    }
    uids = {
        "elsewhere": _create_workstation(None, "ws-elsewhere", account=former, refreshed_at=NOW - timedelta(hours=2)),
        "active": _create_workstation(mira, "5d0f7a52-1c34-4b8e-a9b5-2f6f0f6a7c11", **shared),
        "ended": _create_workstation(mira, "ws-ended", **over, release_requested_by=mira, release_requested_at=NOW),
        "refused": _create_workstation(mira, "ws-refused", **leaving, release_failure="503"),
        "missing": _create_workstation(mira, "ws-missing", missing_since=NOW - timedelta(days=2), missing_tick=1),
        "strange": _create_workstation(mira, LONG, status="hibernating-until-somebody-wakes-it-up", type=LONG),
        "empty": "9f3c2d1a-77e0-4b7e-9d62-0a4f5b1c8e33",
        "workspace": "atlas",
    }
    made_for = models.Request.objects.filter(requester=mira, status="CANCELLED").first()
    listed = {"listed_tick": 1}  # before the call that is under way was claimed
    _create_workstation(None, "orphan-1", made_for=made_for, **listed)
    _create_workstation(None, LONG + "-orphan", type="voip-chromium", **listed)
    _create_workstation(None, "ws-stranger", type="zoom-chromium", **listed)
    _create_workstation(factories.create_user("ines", is_active=False), "ws-left")
    _create_workstation(olga, "ws-olga")
    _open_connections(mira, olga, uid=uids["active"])
    _create_looks()
    return uids


def _open_connections(mira: models.User, olga: models.User, *, uid: str) -> None:
    """Of mira's, which she shares with kim; olga has looked into it, and says why."""
    workstation = models.Workstation.objects.get(uid=uid)
    workstation.refused_connections = {"log": "The log of this workstation is not to be read."}
    workstation.save()
    level = models.Share.Level.LOOK
    factories.create_user("kim", "Members")
    shares.share_workstation(owner=mira, workstation=workstation, name="kim", level=level, lasts=timedelta(hours=8))
    connections, reason = models.Connection.objects, "She could not find the button that ends her long computation."
    looked = {"opened_at": NOW - timedelta(minutes=4), "ended_at": NOW}
    connections.create(workstation=workstation, person=olga, kind="terminal", reason=reason, **looked)
    connections.create(workstation=workstation, person=mira, kind="vnc")
    connections.create(workstation=workstation, person=mira, kind="desktop")


def _create_workspace(owner: models.User, uid: str, status: str) -> models.Workspace:
    return models.Workspace.objects.create(
        account=accounts.get_current_account(),
        owner=owner,
        uid=uid,
        status=status,
        created_at=NOW,
        raw='{"id": "atlas"}',
    )


def _create_workstation(requester: models.User | None, uid: str, **values: object) -> str:
    note = str(values.pop("note", ""))
    portal_request = _create_request(requester, 3, "SUCCEEDED", note=note) if requester else None
    if portal_request:
        _create_attempt(portal_request, "SUCCEEDED")
    defaults = {"account": accounts.get_current_account(), "type": "python", "status": "active", "created_at": NOW}
    models.Workstation.objects.create(request=portal_request, uid=uid, **defaults | values)
    return uid


def _fill(workspace: models.Workspace) -> None:
    web = "https://files.example/"
    for name, url, size in (
        ("notes.txt", f"{web}notes", 12),
        ("recording-2026-11-24.webm", f"{web}recording", 734_003_200),
        (f"{LONG}.pdf", f"{web}long", 48_211),
        ("from-another-world.bin", "ftp://files.example/x", None),
    ):
        models.File.objects.create(workspace=workspace, uid=uuid4().hex, name=name, url=url, size=size, created_at=NOW)
    for kind, level, url in (("boot", "info", f"{web}boot"), ("setup", "WARN", ""), ("chromium", "error", f"{web}c")):
        models.Log.objects.create(workspace=workspace, uid=uuid4().hex, type=kind, level=level, url=url, created_at=NOW)


def _create_looks() -> None:
    account = accounts.get_current_account()
    for minutes in (15, 10, 5):
        begun = NOW - timedelta(minutes=minutes)
        models.Scan.objects.create(
            account=account, begun_at=begun, ended_at=NOW, is_complete=True, active_count=4, history_count=31
        )
    models.Scan.objects.create(account=account, begun_at=NOW, ended_at=NOW, problem="503: Service unavailable")


def create_types(*, strange: bool = True) -> None:
    """The sandbox's list without the newest; and strange ones: with much to say, and not offered any more."""
    account = accounts.get_current_account()
    for one in workstation_types.list_types()["data"][1:]:
        models.WorkstationType.objects.create(
            account=account,
            name=one["id"],
            description=one["description"],
            software=one["software"],
            raw=json.dumps(one),
        )
    if not strange:
        return
    software = ["desktop", "terminal", LONG, "chromium", "large-language-model-runtime", "speech-to-text"]
    models.WorkstationType.objects.create(
        account=account, name=LONG, description=f"Everything for {LONG}. " * 5, software=software
    )
    models.WorkstationType.objects.create(account=account, name="retired", withdrawn_at=NOW)


def create_notifications(people: dict[str, models.User], requests: dict[str, int]) -> str:
    """What mira and the channels were told; gives the token by which mails to mira are stopped."""
    told: list[dict[str, Any]] = [
        {"kind": "ready", "request_number": 1, "read_at": NOW},
        {"kind": "failed", "request_number": requests["402"], "values": {"failure": "402"}, "events": [*range(12)]},
        {"kind": "released", "workstation": LONG, "values": {"who": "olga", "reason": LONG}, "request_number": 1},
        {"kind": "decision", "request_number": requests["stuck"], "values": {"reason": notes.NO_WITNESS}},
    ]
    first, second = (channels.make_fingerprint(url=url) for url in settings.PORTAL_NOTIFY_URLS)
    sent: list[dict[str, Any]] = [
        {"channel": first, "sent_at": NOW},
        {"channel": first, "send_due_at": NOW + timedelta(hours=1), "failure": "HTTP 503"},
        {"channel": first, "failure": "timeout"},
        {"channel": second, "send_due_at": NOW},
    ]
    for values in told:
        models.Notification.objects.create(**{"person": people["mira"], "events": [1]} | values)
    for columns in sent:
        models.Notification.objects.create(kind="paused", values={"cause": "402"}, events=[1], **columns)
    return choices.make_path(person=people["mira"], kind="failed").split("/")[-2]


@transaction.atomic
def create_record(olga: models.User) -> None:
    """Notices, a check, and a seal over all events but the newest."""
    example = json.dumps({"id": "ws-1", "type": "quantum"})
    models.Notice.objects.create(kind="workstation.type=quantum", example=example, numbers=[1])
    models.Notice.objects.create(kind=f"workstation has a field {LONG}", example=example, numbers=list(range(1, 21)))
    seal()
    write_event(actor_name="mira", verb="sign-in", target="user mira")
    check()


def check() -> None:
    """As if the audit log had been verified in the night, and was intact."""
    counts = {
        "seals": 1_204,
        "events": 98_765,
        "pruned": 1_000,
        "unsealed": 2,
        "rows": 31_415,
        "not_judged": 12,
        "findings": 0,
    }
    ended_at = timezone.now().replace(hour=3, minute=10)
    models.LogCheck.objects.create(begun_at=ended_at - timedelta(minutes=1), ended_at=ended_at, counts=counts)


def seal() -> None:
    """What there is of events."""
    lease = leases.acquire_lease(name="seal", holder="desk:4711", seconds=60)
    assert lease is not None
    lease.run(seals.seal_events)
