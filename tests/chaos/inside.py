"""What the harness reads and writes through the portal's own models."""

import json
import logging
import os
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import django
from django.apps import apps
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import Error as DatabaseError
from django.db import connections
from django.db.models import Count

from tests.chaos import books, clocks, ends, told

_LONG_PAUSE = 60.0  # seconds
OVERDUE = 10.0  # seconds, after which an end has been carried out by any worker that lives


def open_portal(environment: dict[str, str]) -> None:
    """Set Django up with the environment of the portal's processes. Once in a process."""
    os.environ.update(environment)
    django.setup()
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # what it says of a crash is known here


def _model(name: str) -> Any:
    return apps.get_model("portal", name)._default_manager


def make_sessions(names: list[str], *, group: str) -> dict[str, str]:
    groups = apps.get_model("auth", "Group").objects
    for name in names:
        _model("User").create_user(name).groups.add(groups.get(name=group))
    return {name: sign_in(name) for name in names}


def sign_in(name: str) -> str:
    """The key of a new session of theirs; empty while the database cannot be asked."""
    try:
        person = _model("User").get(username=name)
        session = import_module(settings.SESSION_ENGINE).SessionStore()
        session[SESSION_KEY] = str(person.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = person.get_session_auth_hash()
        session.create()
    except DatabaseError:
        return ""
    finally:
        connections.close_all()  # each member has a thread, and the pool fewer connections than there are members
    return str(session.session_key)


def _count_left() -> int:
    """Requests that a person is asked about, and those that wait to know whose the workspaces are that these name."""
    asked = _model("Request").filter(status="UNKNOWN").exclude(operator_note="")
    disputed = asked.exclude(workspace_uid="").values("workspace_uid")
    return int(asked.count() + _model("Request").filter(status="QUEUED", workspace_uid__in=disputed).count())


def read_state() -> dict[str, Any] | None:
    """How many requests are in each status, and the key; None while the database cannot be asked."""
    try:
        counts = _model("Request").values("status").annotate(count=Count("pk")).values_list("status", "count")
        key = _model("Key").first()
        return dict(counts) | {
            "key": key.state if key else "ACTIVE",
            "cause": key.cause if key else "",
            # A probe may end some of these pauses too, and a long one ends by itself: an operator is faster.
            "needs_operator": key is not None
            and key.state == "PAUSED"
            and (key.paused_until is None or key.pause_seconds > _LONG_PAUSE),
            # For as long as nobody decides about them, these stay as they are.
            "left": _count_left(),
        }
    except DatabaseError:
        connections.close_all()
        return None


def make_account() -> None:
    from portal.services.key import accounts  # only now is Django set up

    accounts.get_current_account()


def _list(rows: Any) -> list[Any]:
    """The rows; none while the database cannot be asked."""
    try:
        return list(rows)
    except DatabaseError:
        connections.close_all()
        return []


def has_looked() -> bool:
    return bool(_list(_model("Account").exclude(baseline_scan="WANTED")))


def is_shared() -> bool:
    return bool(_list(_model("Account").exclude(shared_at=None)))


def list_asked() -> dict[str, list[int]]:
    rows = _model("Request").filter(status="UNKNOWN").exclude(operator_note="")
    asked: dict[str, list[int]] = {}
    for name, number in _list(rows.values_list("requester__username", "pk")):
        asked.setdefault(name, []).append(number)
    return asked


def list_unasked() -> set[int] | None:
    """The numbers of the unknown requests about which nobody is asked; None while the database cannot be asked."""
    try:
        return set(_model("Request").filter(status="UNKNOWN", operator_note="").values_list("pk", flat=True))
    except DatabaseError:
        connections.close_all()
        return None


def list_questions() -> list[tuple[int, bool]]:
    """The keys that an operator is asked about, each with whether it is another than this process's."""
    from portal.services.key import accounts  # only now is Django set up

    rows = _list(_model("Credential").filter(accepted_at=None, account__retired_at=None).select_related("account"))
    return [(row.pk, row.fingerprint != accounts.fingerprint_key(account=row.account)) for row in rows]


def list_released() -> list[str]:
    rows = _model("Workstation").filter(release_requested_at__isnull=False, ended_at__isnull=False)
    return _list(rows.order_by("-pk").values_list("uid", flat=True)[:20])


def list_calling() -> set[int]:
    return {_find_process(worker) for worker in _list(_calls().values_list("worker", flat=True))}


def _calls() -> Any:
    return _model("Attempt").filter(outcome="SENDING")


def _find_process(worker: str) -> int:
    return int(worker.rsplit(":", 2)[1])


def list_live() -> set[str]:
    return set(_model("Workstation").filter(ended_at=None).values_list("uid", flat=True))


def read_book(*, clock: clocks.Clock) -> dict[str, list[Any]]:
    given_up = {
        event.request_number
        for event in _model("Event").exclude(actor_id=None).filter(detail__contains="UNKNOWN")
        if event.detail.get("before") == "UNKNOWN" and event.detail.get("after") in ("CANCELLED", "FAILED")
    }
    again = Counter(_model("Event").filter(verb="not-created").values_list("request_number", flat=True))
    requests = [
        books.Request(
            number=row.pk,
            member=row.requester.username,
            submission=str(row.submission),
            type=row.type,
            workspace=row.workspace_uid,
            status=row.status,
            failure=row.failure,
            reason=row.operator_note,
            sent_again=again[row.pk],
            given_up=row.pk in given_up,
        )
        for row in _model("Request").select_related("requester").order_by("pk")
    ]
    attempts: list[books.Attempt] = []
    # One that stands for what a restore may have lost has no worker, and sent nothing that is known of.
    sent = _model("Attempt").filter(worker__contains=":").select_related("late_response")
    for row in sent.order_by("claimed_tick").iterator():
        after = attempts[-1].claimed_at if attempts else 0.0
        attempts.append(_read_attempt(row, clock=clock, after=after))
    workstations = [
        books.Workstation(uid=uid, request=request)
        for uid, request in _model("Workstation").order_by("pk").values_list("uid", "request_id")
    ]
    return {"requests": requests, "attempts": attempts, "workstations": workstations}


def read_lines(*, clock: clocks.Clock) -> list[told.Line]:
    """The events in their order, by the real clock."""
    refused = list(_model("Attempt").filter(failure="401").values_list("request", "ended_at", "key_fingerprint"))
    asked = {row.pk: row for row in _model("Request").select_related("requester")}
    lines: list[told.Line] = []
    for event in _model("Event").exclude(verb__in=("claim", "probe")).order_by("pk").iterator():
        at = clock.locate(event.at.timestamp(), after=lines[-1].at if lines else 0.0)
        lines.append(told.read_line(event, at=at, of=asked.get(event.request_number), refused=refused))
    return lines


def list_overdue() -> list[str]:
    """Workstations that nobody releases though their end was some time ago."""
    from portal.models.clock import Now  # only now is Django set up

    live = _model("Workstation").filter(ended_at=None, release_requested_at=None, request__isnull=False)
    return _list(live.filter(ends_at__lt=Now() - timedelta(seconds=OVERDUE)).values_list("uid", flat=True))


def list_told_twice() -> tuple[int, list[str]]:
    """How many notifications there are, and which events somebody was told of more than once."""
    told: Counter[tuple[int, str, int]] = Counter()
    rows = _list(_model("Notification").values_list("person", "kind", "events"))
    for person, kind, events in rows:
        told.update((person, kind, event) for event in events)
    return len(rows), [
        f"{person} was told {kind} of event {event} {n} times" for (person, kind, event), n in told.items() if n > 1
    ]


def set_limits(name: str) -> None:
    """That of the team, and the member's own."""
    _model("Policy").create(pk=1, running=ends.MOST_OF_TEAM)
    _model("User").filter(username=name).update(running_limit=ends.MOST)


def lift_limit(*, operator: str) -> bool:
    """Lift the one of the team; False while the database cannot be asked."""
    from portal.services.people import policy  # only now is Django set up

    try:
        policy.change_policy(actor=_model("User").get(username=operator), running=0)
    except DatabaseError:
        connections.close_all()
        return False
    return True


def submit(member: str, *, type: str, lifetime: str) -> int:
    """Have a member ask for a workstation while nothing is wrong; returns the request's number."""
    from portal.services.requests import submissions  # only now is Django set up

    person = _model("User").get(username=member)
    return int(submissions.submit_request(requester=person, submission=uuid4(), type=type, lifetime=lifetime).pk)


def list_open(numbers: list[int], *statuses: str) -> list[int]:
    """Those of the requests that are in one of the statuses, or have not ended."""
    rows = _model("Request").filter(pk__in=numbers, status__in=statuses or ("QUEUED", "SENDING", "UNKNOWN"))
    return _list(rows.values_list("pk", flat=True))


def was_lost(number: int) -> bool:
    return bool(_list(_model("Attempt").filter(request=number, outcome="UNKNOWN")))


def count_listed(type: str) -> int:
    """Workstations of the type that a scan has listed and no request owns."""
    return len(_list(_model("Workstation").filter(type=type, request=None, listed_tick__gt=0)))


def count_scans() -> int:
    return len(_list(_model("Scan").filter(is_complete=True)))


def is_announced(number: int) -> bool:
    """Whether the end of a request's workstation was announced."""
    return bool(_list(_model("Workstation").filter(request=number, end_warnings__gt=0)))


def is_all_sent() -> bool:
    """Whether all events have been sent to the sink."""
    newest = _list(_model("Event").order_by("-pk").values_list("pk", flat=True)[:1])
    return bool(_list(_model("StreamPosition").filter(last_id=newest[0])))


def keep(number: int, *, operator: str) -> str:
    """Put the end of a request's workstation off for good; returns its UID, or nothing where it has ended."""
    from portal.services.lives import ends as lives  # only now is Django set up

    row = _model("Workstation").get(request=number)
    try:
        lives.change_end(actor=_model("User").get(username=operator), workstation=row, lifetime="none")
    except lives.NotChanged:
        return ""
    return str(row.uid)


def reconnect() -> None:
    """Forget all connections, once they have been broken on purpose; only PostgreSQL's are in a pool."""
    connections.close_all()
    if connections["default"].vendor == "postgresql":
        connections["default"].close_pool()  # type: ignore[attr-defined]


def clear_sharing(*, operator: str) -> None:
    from portal.services.key import accounts, sharing  # only now is Django set up

    sharing.clear_sharing(actor=_model("User").get(username=operator), account=accounts.get_current_account())


def read_first_key() -> str:
    return str(_model("Credential").order_by("pk").values_list("fingerprint", flat=True)[0])


def verify_record(sent: Path) -> list[str]:
    """What does not agree with the audit log that the portal kept, sealed and sent to this file."""
    from portal.services.audit import comparison, verify  # only now is Django set up

    report = verify.verify_log(rows=True)
    try:
        comparison.compare_sent(path=sent, report=report)
    except (OSError, comparison.NothingSent) as error:
        return [str(error)]
    return [str(finding) for finding in report.findings] or ([] if report.seals else ["Nothing was sealed."])


def replay_traces(made: Mapping[int, list[tuple[str, float, float]]]) -> tuple[str, list[str]]:
    from tests.protocol import traces  # only now is Django set up

    entries = {number: [traces.Entry(*one) for one in rows] for number, rows in made.items()}
    return traces.describe_traces(entries)


def _read_attempt(row: Any, *, clock: clocks.Clock, after: float) -> books.Attempt:
    late = getattr(row, "late_response", None)
    answer = late if late is not None and row.http_status is None else row
    claimed_at = clock.locate(row.claimed_at.timestamp(), after=after)
    return books.Attempt(
        request=row.request_id,
        worker=_find_process(row.worker),
        claimed_at=claimed_at,
        ended_at=clock.locate(row.ended_at.timestamp(), after=claimed_at) if row.ended_at else None,
        outcome=answer.outcome,
        failure=answer.failure,
        answered=answer.http_status,
        late=late is not None,
        uid=_read_uid(answer.response) if answer.http_status == 200 else "",
    )


def _read_uid(response: Any) -> str:
    try:
        return str(json.loads(bytes(response))["id"])
    except (TypeError, ValueError, KeyError):
        return ""


def read_record(record: dict[str, Any]) -> list[books.Post]:
    posts = []
    for post in record["posts"]:
        wish = json.loads(post["body"])
        posts.append(
            books.Post(
                sequence=post["sequence"],
                at=datetime.fromisoformat(post["time"]).timestamp(),
                type=wish["type"],
                workspace=wish.get("workspace_id", ""),
                answered=post["answered"],
                made=post["made"],
            )
        )
    return posts
