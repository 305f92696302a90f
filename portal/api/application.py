"""The ASGI application of `/v1` and `/api`. Who waits holds no thread and no database connection."""

import asyncio
import hashlib
import logging
import math
import threading
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import JsonResponse, StreamingHttpResponse

from portal import models
from portal.api import calls, operations
from portal.api.answers import AGAIN, Answer, Refusal, make_error, make_problem
from portal.api.waiting import Waiter
from portal.db import describe_failure, is_unable, release_connection
from portal.services.connections import passing
from portal.web import client_address

logger = logging.getLogger(__name__)

THREADS, ASIDE = 8, 4  # ASIDE are for calls that the provider may let hang
_RUNNING, _ASIDE, _MOST = 4, 2, 100  # of one person: threads of each kind, and calls in all
_NETWORKS = 1024  # whose wrong tokens are told apart
_MOST_BODY = 64 * 1024  # bytes
_ARRIVE_WITHIN = 10.0  # seconds, for a body
TAKEN_WITHIN = 30.0  # seconds, for a piece of what is answered
_PAUSE = 1.0  # seconds before the database is tried again
_LOOK_EVERY = 2.0  # seconds, whether a stream may go on
_FIXED = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
if seconds := settings.SECURE_HSTS_SECONDS:
    _FIXED["Strict-Transport-Security"] = f"max-age={seconds}"

type Scope = Mapping[str, Any]
type Receive = Callable[[], Awaitable[Mapping[str, Any]]]
type Send = Callable[[Mapping[str, Any]], Awaitable[None]]
type Job[T] = Callable[[], T]


class Application:
    def __init__(self) -> None:
        self.pool, self.waiter = ThreadPoolExecutor(max_workers=THREADS), Waiter()
        self.aside, self.passing = ThreadPoolExecutor(max_workers=ASIDE), Counter[int]()
        self.relaying = ThreadPoolExecutor(max_workers=passing.MOST_STREAMS)
        # Of each person so many at most are before the others' in the queue for threads.
        self.own = defaultdict[int, asyncio.Semaphore](partial(asyncio.Semaphore, _RUNNING))
        # People by their tokens' digests, and how many calls of each there are.
        self.people, self.present, self.lock = dict[bytes, int](), Counter[int](), threading.Lock()
        self.serving, self.submissions, self.telling = set[asyncio.Task[None]](), set[UUID](), dict[UUID, calls.Call]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/healthz":
            await _send_answer(send, JsonResponse({"status": "ok"}), "")
        elif scope["type"] == "http":
            # A task of its own: the server soon cancels that of a client that has left, whose request is to be seen to.
            task = asyncio.create_task(self._serve(scope, receive, send))
            self.serving.add(task)
            task.add_done_callback(self.serving.discard)
            await asyncio.shield(task)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = calls.Call(scope, serving=self.submissions, telling=self.telling, join=self._join)
        try:
            route, call.uid = operations.find_route(method=scope["method"], path=call.raw_path)
            call.take_body(await _read_body(receive, length=int(call.headers.get("Content-Length") or 0)))
            # One for the whole call: gunicorn takes the end of such a task for the end of the connection.
            call.leaving = asyncio.create_task(_watch(receive))
            self.submissions.add(call.submission)
            call.leaving.add_done_callback(lambda _: self.submissions.discard(call.submission))
            answer = await self._find_answer(call, route, call.leaving)
        except Refusal as refusal:
            answer = refusal.answer
        except TimeoutError:
            answer = make_error(408)
        except Exception as error:
            logger.exception("A program's call could not be answered.")
            is_repeatable = call.method == "GET" or "Idempotency-Key" in call.headers
            answer = make_error(503, "", AGAIN) if is_unable(error) and is_repeatable else make_error(500)
        if scope["path"].startswith(operations.own.PREFIX) and answer.status_code >= 400:
            answer = make_problem(answer)
        for name, number in call.left.items():
            answer.headers[f"X-RateLimit-{name}"] = str(number)
        try:
            await self._tell(partial(_send_within, send, scope["method"] != "HEAD"), call, answer)
        finally:
            with self.lock:
                self.present -= Counter([call.person])

    async def _tell(self, send: Send, call: calls.Call, answer: Answer) -> None:
        is_sent, is_gone = False, call.leaving is not None and call.leaving.done()
        try:
            await _send_answer(send, answer, call.http_id)
            is_sent = not is_gone
            if call.leaving and isinstance(answer, StreamingHttpResponse):
                await self._send_pieces(send, call, answer, call.leaving)
        finally:
            for end in call.ends:
                await self._run(partial(end, is_sent), who=call.person, until=math.inf)
            if call.leaving:
                call.leaving.cancel()

    async def _find_answer(self, call: calls.Call, route: calls.Route, leaving: asyncio.Task[None]) -> Answer:
        loop = asyncio.get_running_loop()
        until = loop.time() + settings.PORTAL_API_WAIT
        # A request is tried again: with its submission it is the same, also where its commit was in doubt.
        is_repeatable = route.scope == models.Token.Scope.REQUEST
        begin = partial(calls.begin, call, route=route)
        result = await self._run(begin, who=self._find_owner(call), until=until if is_repeatable else 0.0)
        while isinstance(result, calls.Pending):
            if result.goal:
                reached = asyncio.create_task(self.waiter.wait(result.goal))
                seconds = max(0.0, until - loop.time())
                await asyncio.wait((reached, leaving), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                reached.cancel()
            end = partial(calls.end, call, result, is_gone=leaving.done())
            # Nothing is said before it is stored, however long that takes.
            run = (
                self._run_aside(end, call.person)
                if result.is_aside
                else self._run(end, who=call.person, until=math.inf)
            )
            result = await run
        return result

    def _find_owner(self, call: calls.Call) -> int:
        """Whose call it is; of a token that is not known here yet a number below 0, by the client's network."""
        network = client_address.find_network(call)
        return self.people.get(_digest(call.secret)) or -1 - hash(network) % _NETWORKS

    async def _run_aside[T](self, job: Job[T], person: int) -> T:
        if self.passing[person] >= _ASIDE or self.passing.total() >= ASIDE:
            raise Refusal(503, f"{_ASIDE} calls of yours, or {ASIDE} in all, are being passed on already.", AGAIN)
        self.passing[person] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.aside, _do, job)
        finally:
            self.passing -= Counter([person])

    def _join(self, call: calls.Call, person: int) -> None:
        """In a thread; a call that is begun again is the same. Raises Refusal."""
        with self.lock:
            self.people[_digest(call.secret)] = person
            if not call.person:
                if self.present[person] >= _MOST:
                    raise Refusal(429, f"{_MOST} calls of yours are being answered already.", AGAIN)
                self.present[person] += 1
                call.person = person

    async def _send_pieces(
        self, send: Send, call: calls.Call, answer: StreamingHttpResponse, leaving: asyncio.Task[None]
    ) -> None:
        """Each piece is written once the one before is sent; for who has left none is."""
        loop, read = asyncio.get_running_loop(), partial(next, iter(answer), None)
        watching = call.relay and loop.create_task(self._watch_relay(call.relay, leaving, call.person))
        while not leaving.done():
            piece = await (loop.run_in_executor(self.relaying, read) if watching else self._run(read, who=call.person))
            if piece is None:
                break
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _watch_relay(self, relay: calls.Relay, leaving: asyncio.Task[None], who: int) -> None:
        """Stop it where it may not go on, nobody hears it, or this process is to end."""
        try:
            while not (leaving.done() or self.waiter.has_stopped):
                await self._run(relay.check, who=who, until=math.inf)
                await asyncio.wait((leaving,), timeout=_LOOK_EVERY)
        except Refusal:
            pass
        finally:
            relay.stop()

    async def _run[T](self, job: Job[T], *, who: int, until: float = 0.0) -> T:
        """Have a thread do it for that person, again and again until then where the database cannot be used."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with self.own[who]:
                    return await loop.run_in_executor(self.pool, _do, job)
            except DatabaseError as error:
                if not is_unable(error) or loop.time() > until:
                    raise
                await asyncio.sleep(_PAUSE)


def _do[T](job: Job[T]) -> T:
    """In a thread, which keeps no connection of PostgreSQL's afterwards, and none that has failed."""
    try:
        return job()
    except DatabaseError as error:
        logger.warning("%s A call to /v1 waits, or is refused.", describe_failure(error))
        connection.close()
        raise
    finally:
        release_connection()


async def _read_body(receive: Receive, *, length: int) -> bytes:
    """The whole body. Raises Refusal, or TimeoutError."""
    body, more = b"", length <= _MOST_BODY
    async with asyncio.timeout(_ARRIVE_WITHIN):
        while more and len(body) <= _MOST_BODY:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise TimeoutError  # nobody hears what is answered
            body += message.get("body", b"")
            more = message.get("more_body", False)
    if max(length, len(body)) > _MOST_BODY:
        raise Refusal(413)
    return body


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


async def _watch(receive: Receive) -> None:
    """Until who asked has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_within(send: Send, has_body: bool, message: Mapping[str, Any]) -> None:
    """gunicorn waits for room for ever, also where the connection is lost meanwhile. Raises CancelledError."""
    try:
        async with asyncio.timeout(TAKEN_WITHIN):
            await send(message if has_body or "body" not in message else {**message, "body": b""})
    except TimeoutError:
        raise asyncio.CancelledError from None  # closes the connection, as of a client that has left


async def _send_answer(send: Send, answer: Answer, http_id: str) -> None:
    """All of it, or the head where the body is written while it is sent."""
    body = None if isinstance(answer, StreamingHttpResponse) else answer.content
    length = {} if body is None else {"Content-Length": str(len(body))}
    own = {**_FIXED, **length, "X-Request-ID": http_id, **answer.headers}
    headers = [(name.lower().encode(), text.encode("latin-1")) for name, text in own.items()]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    if body is not None:
        await send({"type": "http.response.body", "body": body})
