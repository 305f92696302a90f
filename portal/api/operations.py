"""The operations of `/v1`: their addresses, and reading, releasing and opening what is one's own."""

import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from urllib.parse import quote, unquote

from django.db.models import QuerySet
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse

from portal import models
from portal.api import outcomes, own, paging, requesting
from portal.api.answers import AGAIN, Answer, Refusal, make_error
from portal.api.calls import Call, Pending, Relay, Result, Route, check_living
from portal.api.waiting import Goal
from portal.services.connections import opening, passing
from portal.services.key import accounts, pace
from portal.services.mirrors import releases, sanitize
from portal.services.people import policy
from portal.web import logs

_STREAM = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
_COMMENT = b":\n\n"  # with which the head leaves at once: gunicorn keeps it for the first piece of a body


def find_route(*, method: str, path: str) -> tuple[Route, str]:
    """The operation, and the UID in its path. Raises Refusal."""
    matches = [
        (route, match) for route in (*_ROUTES, *own.ROUTES, *_OTHERS) if (match := route.pattern.fullmatch(path))
    ]
    for route, match in matches:
        if route.method == method or (method == "HEAD" and route.method == "GET" and route not in _OTHERS):
            return route, unquote("".join(match.groups()))
    allowed = ", ".join(dict.fromkeys(route.method for route, _ in matches))
    raise Refusal(405, headers={"Allow": allowed}) if allowed else Refusal(404)


def _list_own(call: Call) -> QuerySet[models.Workstation]:
    rows = models.Workstation.objects.filter(account=accounts.get_current_account(), is_nameless=False)
    return rows.filter(request__requester=call.user).select_related("workspace")


def _list_workstations(call: Call, *, active: bool) -> Answer:
    found, cursors = paging.read_page(_list_own(call).filter(ended_at__isnull=active), call.META["QUERY_STRING"])
    data = [outcomes.describe_workstation(row, person=call.user) for row in found]
    return JsonResponse({"object": "list", "data": data, **cursors})


def _list_types(call: Call) -> Answer:
    rows = models.WorkstationType.objects.filter(account=accounts.get_current_account(), withdrawn_at=None)
    data = [json.loads(raw) for raw in rows.order_by("id").values_list("raw", flat=True)]
    return JsonResponse({"object": "list", "data": data or [{"id": name} for name in models.Request.Type.values]})


def _find_live(call: Call) -> models.Workstation:
    """The caller's own while it runs. Whether another has one of that UID, is not said."""
    own = _list_own(call).filter(ended_at=None)
    found = own.filter(uid=call.uid).first() if sanitize.is_storable(uid=call.uid) else None
    if found is None:
        raise Refusal(422)
    return found


def _retrieve(call: Call) -> Answer:
    found = _find_live(call)
    headers = {"X-Portal-Page": outcomes.name_page(f"/workstations/{quote(found.uid, safe='')}/")}
    return JsonResponse(outcomes.describe_workstation(found, person=call.user), headers=headers)


def _release(call: Call) -> Pending:
    """One that is being released already is waited for."""
    workstation = _find_live(call)
    with suppress(releases.NotLive):
        releases.request_release(actor=call.user, workstation=workstation)
    goal = Goal(models.Workstation, workstation.pk)
    return Pending(goal=goal, finish=partial(_finish_release, workstation.pk))


def _finish_release(number: int, is_gone: bool) -> Answer:
    stored = models.Workstation.objects.get(pk=number)
    if stored.ended_at is None:
        raise Refusal(503, "the workstation is being released, which is not confirmed yet.", AGAIN)
    return JsonResponse({"type": stored.type, "released": True})


def _open(call: Call, *, kind: models.Connection.Kind) -> Answer:
    """The address is the provider's own, which the program connects to directly."""
    workstation = _find_live(call)
    with _refusing():
        opened = opening.open_connection(person=call.user, workstation=workstation, kind=kind, by_program=True)
    check_living(call.token)
    return JsonResponse({"url": opened.address})


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except opening.NotOpened as error:
        raise Refusal(error.status, error.said or f"{error.title}. {error.text}", _wait(error.retry_after)) from None


def _wait(seconds: float | None) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(min(seconds, pace.LONGEST_RETRY_AFTER)))} if seconds else {}


def _pass_on(call: Call) -> Pending:
    if not policy.read_policy().passes_on:
        raise Refusal(404)
    return Pending(goal=None, finish=partial(_ask, call, _find_live(call)), is_aside=True)


def _ask(call: Call, workstation: models.Workstation, _is_gone: bool) -> Pending:
    wish = passing.Wish(
        method=str(call.method), path=call.raw_path.split("/", 4)[4], query=call.META["QUERY_STRING"], body=call.body
    )
    with _refusing():
        passed = passing.pass_on(person=call.user, workstation=workstation, wish=wish)
    if passed.stream:
        call.ends.append(lambda _is_sent: passing.end_stream(passed=passed))
    return Pending(goal=None, finish=partial(_finish_passing, call, passed))


def _finish_passing(call: Call, passed: passing.Passed, _is_gone: bool) -> Answer:
    passing.record_passed(passed=passed, method=str(call.method), path=logs.hide_token(call.raw_path))
    headers = _wait(passed.retry_after)
    if stream := passed.stream:
        call.relay = Relay(check=partial(_check_living, call), stop=stream.stop)
        return StreamingHttpResponse(chain([_COMMENT], stream.pieces), headers=_STREAM)
    if passed.body is None:
        return make_error(passed.status, passed.words, headers)
    return HttpResponse(passed.body, "application/json", passed.status, headers=headers)


def _check_living(call: Call) -> None:
    """The token and the workstation. Raises Refusal."""
    check_living(call.token)
    _find_live(call)


def _make_route(address: str, scope: models.Token.Scope, act: Callable[[Call], Result]) -> Route:
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
