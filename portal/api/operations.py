"""The operations of `/v1`: their addresses, and reading, releasing and opening what is one's own."""

import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from urllib.parse import quote, unquote

from django.conf import settings
from django.db.models import QuerySet

from portal import models
from portal.api import outcomes, own, paging, requesting
from portal.api.answers import AGAIN, Answer, Refusal, Relay, make_answer, make_error
from portal.api.calls import Aside, Pending, Result, Route, Task, check_living
from portal.api.waiting import Goal
from portal.services.connections import opening, passing
from portal.services.key import accounts, pace
from portal.services.mirrors import releases, sanitize
from portal.web import logs

_STREAM = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
_COMMENT = b":\n\n"  # with which the head leaves at once: gunicorn keeps it for the first piece of a body


def find_route(*, method: str, path: str) -> tuple[Route, str]:
    """The operation, and the UID in its path. Raises Refusal."""
    if path.startswith(own.PREFIX):
        return own.find_route(method=method, path=path), ""
    routes = (*_ROUTES, *_OTHERS) if settings.PORTAL_API_PASS_THROUGH else _ROUTES
    matches = [(route, match) for route in routes if (match := route.pattern.fullmatch(path))]
    for route, match in matches:
        if route.method == method or (method == "HEAD" and route.method == "GET" and route in _ROUTES):
            return route, unquote("".join(match.groups()))
    allowed = ", ".join(dict.fromkeys(route.method for route, _ in matches))
    raise Refusal(405, headers={"Allow": allowed}) if allowed else Refusal(404)


def _list_own(task: Task) -> QuerySet[models.Workstation]:
    rows = models.Workstation.objects.filter(account=accounts.get_current_account(), is_nameless=False)
    return rows.filter(request__requester=task.person).select_related("workspace")


def _list_workstations(task: Task, *, active: bool) -> Answer:
    found, cursors = paging.read_page(_list_own(task).filter(ended_at__isnull=active), task.call.query)
    data = [outcomes.describe_workstation(row, person=task.person) for row in found]
    return make_answer({"object": "list", "data": data, **cursors})


def _list_types(task: Task) -> Answer:
    rows = models.WorkstationType.objects.filter(account=accounts.get_current_account(), withdrawn_at=None)
    data = [json.loads(raw) for raw in rows.order_by("id").values_list("raw", flat=True)]
    return make_answer({"object": "list", "data": data or [{"id": name} for name in models.Request.Type.values]})


def _find_live(task: Task) -> models.Workstation:
    """The caller's own while it runs. Whether another has one of that UID, is not said."""
    own = _list_own(task).filter(ended_at=None)
    found = own.filter(uid=task.uid).first() if sanitize.is_storable(uid=task.uid) else None
    if found is None:
        raise Refusal(422)
    return found


def _retrieve(task: Task) -> Answer:
    found = _find_live(task)
    headers = {"X-Portal-Page": outcomes.name_page(f"/workstations/{quote(found.uid, safe='')}/")}
    return make_answer(outcomes.describe_workstation(found, person=task.person), headers)


def _release(task: Task) -> Pending:
    """One that is being released already is waited for."""
    workstation = _find_live(task)
    with suppress(releases.NotLive):
        releases.request_release(actor=task.person, workstation=workstation)
    goal = Goal(models.Workstation, workstation.pk)
    return Pending(goal=goal, task=task, finish=partial(_finish_release, workstation.pk))


def _finish_release(number: int, is_gone: bool) -> Answer:
    stored = models.Workstation.objects.get(pk=number)
    if stored.ended_at is None:
        raise Refusal(503, "the workstation is being released, which is not confirmed yet.", AGAIN)
    return make_answer({"type": stored.type, "released": True})


def _open(task: Task, *, kind: models.Connection.Kind) -> Answer:
    """The address is the provider's own, which the program connects to directly."""
    workstation = _find_live(task)
    with _refusing():
        opened = opening.open_connection(person=task.person, workstation=workstation, kind=kind, by_program=True)
    check_living(task.token)
    return make_answer({"url": opened.address})


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except opening.NotOpened as error:
        raise Refusal(error.status, error.said or f"{error.title}. {error.text}", _wait(error.retry_after)) from None


def _wait(seconds: float | None) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(min(seconds, pace.LONGEST_RETRY_AFTER)))} if seconds else {}


def _pass_on(task: Task) -> Aside:
    return Aside(task=task, ask=partial(_ask, task, _find_live(task)))


def _ask(task: Task, workstation: models.Workstation) -> Callable[[bool], Answer]:
    call, path = task.call, task.call.path.split("/", 4)[4]
    wish = passing.Wish(method=str(call.http.method), path=path, query=call.query, body=call.http.body)
    with _refusing():
        passed = passing.pass_on(person=task.person, workstation=workstation, wish=wish)
    if passed.stream:
        call.at_end(lambda _is_sent: passing.end_stream(passed=passed))
    return partial(_finish_passing, task, passed)


def _finish_passing(task: Task, passed: passing.Passed, _is_gone: bool) -> Answer:
    passing.record_passed(passed=passed, method=str(task.call.http.method), path=logs.hide_token(task.call.path))
    headers = _wait(passed.retry_after)
    if stream := passed.stream:
        relay = Relay(check=partial(_check_living, task), stop=stream.stop)
        return Answer(200, b"", _STREAM, pieces=chain([_COMMENT], stream.pieces), relay=relay)
    if passed.body is None:
        return make_error(passed.status, passed.words, headers)
    return Answer(passed.status, passed.body, headers)


def _check_living(task: Task) -> None:
    """The token and the workstation. Raises Refusal."""
    check_living(task.token)
    _find_live(task)


def _make_route(address: str, scope: models.Token.Scope, act: Callable[[Task], Result | Aside]) -> Route:
    """The address as a method and a pattern, whose group is the UID."""
    method, _, path = address.partition(" ")
    return Route(method=method, pattern=re.compile(f"/v1/workstations{path}"), scope=scope, act=act)


_Scope = models.Token.Scope
# In this order: `history` and `types` are no workstations.
_ROUTES = (
    _make_route("POST ", _Scope.REQUEST, requesting.request_workstation),
    _make_route("GET ", _Scope.READ, partial(_list_workstations, active=True)),
    _make_route("GET /history", _Scope.READ, partial(_list_workstations, active=False)),
    _make_route("GET /types", _Scope.READ, _list_types),
    _make_route("GET /([^/]+)", _Scope.READ, _retrieve),
    _make_route("DELETE /([^/]+)", _Scope.RELEASE, _release),
    _make_route("DELETE /([^/]+)/release", _Scope.RELEASE, _release),
    *(
        _make_route(f"POST /([^/]+)/{kind.way.path}", _Scope.OPEN, partial(_open, kind=kind))
        for kind in models.Connection.Kind
    ),
)
# What else the provider may have below a workstation: in no spelling what is above.
_OWN = "|".join(["release", *(kind.way.path for kind in models.Connection.Kind)]).replace("/", "/+")
_OTHERS = tuple(
    _make_route(f"{method} /([^/]+)/(?!(?i:/*(?:{_OWN})?/*)$)[0-9A-Za-z_/-]+", _Scope.OPEN, _pass_on)
    for method in ("POST", "GET", "DELETE")
)
