"""A call to `/v1`: what came in, whose it is, and what is answered later."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID, uuid4

from django.http import HttpRequest

from portal import models
from portal.api.answers import Answer, Refusal
from portal.api.waiting import Goal
from portal.services import audit
from portal.services.people import refusals, throttle
from portal.services.runtime import limits
from portal.services.tokens import tokens
from portal.web import client_address, logs

_BEARER = {"WWW-Authenticate": "Bearer"}


type End = Callable[[bool], None]  # hears whether all was sent


@dataclass(frozen=True, kw_only=True)
class Call:
    """One HTTP request as it came in. `submission` is of what it asks for, where it has no key that names that;
    `serving` has those of all calls of this process whose program listens, `telling` those of which an outcome is being
    told, by the call that is told it; `join` is told whose it is, and `at_end` what is done when it is over."""

    path: str
    query: str
    secret: str = field(repr=False)  # the token's text
    key: str | None  # the Idempotency-Key
    http: HttpRequest  # as Django's pages have it, with all of its body
    http_id: str
    serving: set[UUID]
    telling: dict[UUID, "Call"]
    join: Callable[[int], None]  # raises Refusal
    at_end: Callable[[End], None]
    left: dict[str, int]  # of a limit in which it counts
    submission: UUID = field(default_factory=uuid4)


class Task(NamedTuple):
    """What an operation has to go by; `uid` is in the call's path."""

    call: Call
    token: models.Token
    uid: str

    @property
    def person(self) -> models.User:
        return self.token.person


class Pending(NamedTuple):
    """What is answered once a goal is reached (None: at once), or the wait is over. `finish` is told whether who asked
    has left."""

    goal: Goal | None
    task: Task
    finish: Callable[[bool], "Result"]


class Aside(NamedTuple):
    """What holds a thread for as long as the provider wants. `ask` says how it is finished."""

    task: Task
    ask: Callable[[], Callable[[bool], "Result"]]


type Result = Answer | Pending


class Route(NamedTuple):
    method: str
    pattern: re.Pattern[str]
    scope: models.Token.Scope | None  # None: for who has no token, too
    act: Callable[[Task], Result | Aside]


def begin(call: Call, *, route: Route, uid: str) -> Result | Aside:
    """Do what the call asks for. Raises Refusal."""
    if route.scope is None:
        return route.act(Task(call=call, token=models.Token(person=models.User()), uid=uid))
    with _acting(call):
        address = client_address.find_address(call.http)
        token = tokens.find_token(text=call.secret, address=address) if call.secret else None
        if token is None:
            raise Refusal(401, headers=_BEARER | _count_wrong(call))
    call.join(token.person_id)
    with _acting(call, token=token):
        tokens.note_use(token=token)
        if not tokens.may_use(token=token, scope=route.scope):
            act = logs.hide_token(f"{call.http.method} {call.path}")
            refusals.record_refusal(person=token.person, act=act, status=403)
            words = f"the token needs the scope {route.scope}, and its person the right to it."
            raise Refusal(403, words, {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{route.scope}"'})
        try:
            return route.act(Task(call=call, token=token, uid=uid))
        except limits.Limited as error:
            if error.kind is not limits.SUBMISSION:  # which has noted it
                refusals.record_limit(limited=error)
            raise Refusal(429, str(error), {"Retry-After": str(error.seconds)}) from None


def ask(aside: Aside) -> Pending:
    """What the provider said, to be finished when that can be stored. Raises Refusal."""
    with _acting(aside.task.call, token=aside.task.token):
        return Pending(goal=None, task=aside.task, finish=aside.ask())


def end(pending: Pending, *, is_gone: bool) -> Result:
    """Say what became of it, unless the token has ended meanwhile. Raises Refusal."""
    token = pending.task.token
    with _acting(pending.task.call, token=token):
        result = pending.finish(is_gone)
        check_living(token)
        return result


def check_living(token: models.Token) -> None:
    """Who is told what took its time. Raises Refusal."""
    if not tokens.list_living().filter(pk=token.pk).exists():
        raise Refusal(401, headers=_BEARER)


def _acting(call: Call, *, token: models.Token | None = None) -> AbstractContextManager[None]:
    """Requests have a limit of their own, which their cancellation must not meet."""
    address, number = client_address.find_address(call.http), token.pk if token else None
    limits.LEFT.set(call.left)  # this thread's, until its next call
    is_counted = call.http.method == "POST" and call.path.startswith("/v1/")
    return audit.acting_from(address=address, http_request=call.http_id, token=number, is_counted=is_counted)


def _count_wrong(call: Call) -> dict[str, str]:
    """Slow down who guesses: until their wait is over, a wrong token writes nothing. Right ones pass all the time."""
    subjects = [throttle.Subject(kind="token", value=client_address.find_network(call.http))]
    if call.secret and subjects[0].value:
        try:
            throttle.refuse_waiting(subjects=subjects)
            throttle.count_try(subjects=subjects, name="")
        except throttle.TooManyFailures as error:
            return {"Retry-After": str(error.seconds)}
    return {}
