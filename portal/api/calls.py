"""A call to `/v1`: what came in, whose it is, and what is answered later."""

import re
from asyncio import Task
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from io import BytesIO
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.core.handlers.asgi import ASGIRequest

from portal import models
from portal.api.answers import Answer, Refusal
from portal.api.waiting import Goal
from portal.services import audit
from portal.services.limits import acts, limits, throttle
from portal.services.tokens import tokens
from portal.web import client_address, logs, middleware

_BEARER = {"WWW-Authenticate": "Bearer"}

type End = Callable[[bool], object]  # hears whether all was sent


class Relay(NamedTuple):
    """Where the provider writes the body, for as long as it wants. `check` raises Refusal where that is to end, and
    `stop` ends it."""

    check: Callable[[], object]
    stop: Callable[[], None]


class Call(ASGIRequest):
    """One HTTP request, as Django's pages have it; HEAD is a GET of which the server sends no body.

    `serving` has the submissions of all calls of this process whose program listens, `telling` those of which an
    outcome is being told, by the call that is told it; `join` is told whose it is, and raises Refusal.
    """

    uid: str  # in its path
    user: models.User
    wish: Any  # what a POST of a workstation asks for
    digest: str  # of all that it says
    leaving: Task[None] | None = None  # ends when its client has left
    relay: Relay | None = None

    def __init__(
        self,
        scope: Mapping[str, Any],
        *,
        serving: set[UUID],
        telling: dict[UUID, "Call"],
        join: Callable[["Call", int], None],
    ) -> None:
        super().__init__({**scope, "method": "GET" if scope["method"] == "HEAD" else scope["method"]}, BytesIO())
        self.serving, self.telling, self.join = serving, telling, join
        self.raw_path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
        self.keys = [value.decode("latin-1") for name, value in scope["headers"] if name == b"idempotency-key"]
        kind, _, secret = self.headers.get("Authorization", "").partition(" ")
        self.secret = secret.strip() if kind.lower() == "bearer" else ""
        self.http_id = middleware.find_id(self)
        self.submission = uuid4()  # of what it asks for, where it has no key that names that
        self.token, self.person = models.Token(), 0
        self.ends = list[End]()  # what is done when it is over
        self.left = dict[str, int]()  # of a limit in which it counts

    def take_body(self, body: bytes) -> None:
        self._body = body


class Pending(NamedTuple):
    """What is answered once a goal is reached (None: at once), or the wait is over. `finish` is told whether who asked
    has left; where it `is_aside` it holds a thread for as long as the provider wants."""

    goal: Goal | None
    finish: Callable[[bool], "Result"]
    is_aside: bool = False


type Result = Answer | Pending


class Route(NamedTuple):
    method: str
    pattern: re.Pattern[str]
    scope: models.Token.Scope | None  # None: for who has no token, too
    act: Callable[[Call], Result]


def begin(call: Call, *, route: Route) -> Result:
    """Do what the call asks for. Raises Refusal."""
    if route.scope is None:
        return route.act(call)
    with _acting(call):
        address = client_address.find_address(call)
        token = tokens.find_token(text=call.secret, address=address) if call.secret else None
        if token is None:
            raise Refusal(401, headers=_BEARER | _count_wrong(call))
    call.join(call, token.person_id)
    call.token, call.user = token, token.person
    with _acting(call):
        tokens.note_use(token=token)
        if not tokens.may_use(token=token, scope=route.scope):
            act = logs.hide_token(f"{call.method} {call.raw_path}")
            limits.record_refusal(person=call.user, act=act, status=403)
            words = f"the token needs the scope {route.scope}, and its person the right to it."
            raise Refusal(403, words, {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{route.scope}"'})
        try:
            return route.act(call)
        except limits.Limited as error:
            if error.kind is not limits.SUBMISSION:  # which has noted it
                limits.record_limit(limited=error)
            raise Refusal(429, str(error), {"Retry-After": str(error.seconds)}) from None


def end(call: Call, pending: Pending, *, is_gone: bool) -> Result:
    """Say what became of it, unless the token has ended meanwhile. Raises Refusal."""
    with _acting(call):
        result = pending.finish(is_gone)
        if not isinstance(result, Pending):  # which is to be stored first
            check_living(call.token)
        return result


def check_living(token: models.Token) -> None:
    """Who is told what took its time. Raises Refusal."""
    if not tokens.list_living().filter(pk=token.pk).exists():
        raise Refusal(401, headers=_BEARER)


def _acting(call: Call) -> AbstractContextManager[None]:
    """Requests have a limit of their own, which their cancellation must not meet."""
    limits.LEFT.set(call.left)  # this thread's, until its next call
    count = None if call.method == "POST" and call.raw_path.startswith("/v1/") else acts.count_act
    address = client_address.find_address(call)
    origin = audit.Origin(address=address, http_request=call.http_id, token=call.token.pk, count=count)
    return audit.acting_from(origin=origin)


def _count_wrong(call: Call) -> dict[str, str]:
    """Slow down who guesses: until their wait is over, a wrong token writes nothing. Right ones pass all the time."""
    subjects = {limits.TOKEN: client_address.find_network(call)}
    if call.secret:
        try:
            throttle.refuse_waiting(subjects=subjects)
            throttle.count_try(subjects=subjects)
        except throttle.TooManyFailures as error:
            return {"Retry-After": str(error.seconds)}
    return {}
