"""The provider that lies: the sandbox's, with a script and faults before each answer, and control addresses."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from portal.sandbox import paging, provider
from portal.sandbox.calls import Call, Exchange, RefusalError, Task
from portal.sandbox.connections import Connections
from portal.sandbox.provider import CONNECTIONS, POST, Route, make_route
from portal.sandbox.responses import Reply, Response, reply_json
from tests.provider import control, generations, script, strangers, walks
from tests.provider.asked import SAMPLE, Asked
from tests.provider.store import Store
from tests.provider.wishes import require

_WITHOUT_WORKSPACE = {
    POST: "posts_without_workspace",
    script.ONE: "reads_without_workspace",
    **dict.fromkeys(script.LISTS, "lists_without_workspace"),
}


class Provider(provider.Provider):
    """What a test lays out comes first, then the account's rate limits, then reserved names, and chance last."""

    store: Store

    def __init__(self, *, store: Store, connections: Connections, api_key: str) -> None:
        self.script = script.Script()
        # Cleared while answers to POST, and to releases where that is said, are held back.
        self.gate, self.holds_releases = threading.Event(), False
        self.gate.set()
        self._generation = "nine"
        self._received = threading.Condition()
        self._said, self._saying = list[bytes](), threading.Condition()
        super().__init__(store=store, connections=connections, api_key=api_key)

    def list_routes(self) -> list[Route]:
        acts: dict[str, Callable[[Any], dict[str, Any] | None]] = {
            "POST answers": self.script.add,
            "POST faults": self.store.faults.change,
            "POST strangers": partial(strangers.make, self.store),
            "POST history": partial(strangers.make_history, self.store),
            "POST types": self.change_types,
            "POST hold": lambda _: self.gate.clear(),
            "POST release": lambda _: self.gate.set(),
            "GET record": lambda _: self.store.record(),
            "POST reset": lambda _: self.reset(),
        }
        addresses = {name.replace(" ", " /control/"): partial(control.obey, act) for name, act in acts.items()}
        others = [
            make_route(f"{method} /v1/workstations/([^/]+)/other.*", self.echo, script.OTHER)
            for method in ("POST", "GET", "DELETE", "PUT")
        ]
        controls = [make_route(address, act) for address, act in addresses.items()]
        listen = make_route("GET /v1/workstations/([^/]+)/audio/listen", self.listen, script.OTHER)
        return [*super().list_routes(), listen, *others, *controls]

    def echo(self, task: Task) -> Reply:
        """What came, in an operation that the portal does not know."""
        call = task.call
        return reply_json({"method": call.method, "path": call.path, "query": call.query, "body": call.body.decode()})

    def listen(self, task: Task) -> Reply:
        """A stream of all that is said; it ends with the provider."""
        if "stream=true" not in task.call.query:
            return self.echo(task)
        return Reply(status=200, content_type="text/event-stream; charset=utf-8", stream=self._hear())

    def _hear(self) -> Iterator[bytes]:
        for number in itertools.count():
            with self._saying:
                while len(self._said) <= number:
                    if self.stopping.is_set():
                        return
                    self._saying.wait(0.1)
            yield self._said[number]

    def say(self, piece: bytes) -> None:
        with self._saying:
            self._said.append(piece)
            self._saying.notify_all()

    def change_types(self, wish: Any) -> None:
        name = wish.get("generation") if isinstance(wish, dict) and len(wish) == 1 else None
        sound = isinstance(name, str) and name in generations.BY_NAME
        require(sound, f"generation must be one of {', '.join(generations.BY_NAME)}")
        self._generation, self.types = str(name), generations.BY_NAME[str(name)]

    def reset(self) -> None:
        self.script.clear()
        self.store.faults.clear()
        self.change_types({"generation": "nine"})
        self.store.reset()
        self.gate.set()

    def stop(self) -> None:
        super().stop()
        self.gate.set()

    def wait_for_posts(self, count: int, timeout: float) -> None:
        """Wait until so many POSTs have been received; raises TimeoutError."""
        with self._received:
            if not self._received.wait_for(lambda: self.store.posts.count() >= count, timeout):
                raise TimeoutError(f"{self.store.posts.count()} of {count} POSTs received in {timeout} s")

    # --- A call's way ---

    def is_authorized(self, call: Call) -> bool:
        return super().is_authorized(call) or call.key.removeprefix("Bearer ") in self.store.faults.habits.more_keys

    def before_answer(self, call: Call, *, operation: str, uid: str) -> Response:
        faults, post = self.store.faults, None
        with self._received:
            # Under one lock, so that the first POST recorded takes the first answer scripted.
            if operation in (POST, *CONNECTIONS.values(), script.OTHER):
                post = self._receive(call, operation=operation, uid=uid)
                self._received.notify_all()
            scripted, chance = self.script.take(operation), faults.choose(operation)
        limited = None
        if not scripted and self.is_authorized(call):
            limited = faults.limit(operation, now=self.store.clock())
        reserved = super().before_answer(call, operation=operation, uid=uid)
        chosen = Asked(**vars(scripted or limited or reserved or chance or Response()))

        def amend(document: Any) -> Any:
            return self._amend(chosen.amend(document) if chosen.amend else document, operation=operation)

        return replace(chosen, amend=amend, post=post)

    def begin(self, call: Call) -> Exchange:
        exchange = super().begin(call)
        response, reply = exchange.response, exchange.reply
        if not isinstance(response, Asked) or response.reply is not None:
            return exchange
        if not reply.body and reply.stream is None:
            return replace(exchange, reply=replace(reply, body=SAMPLE))
        if response.amend is not None and reply.body:
            body = json.dumps(response.amend(json.loads(reply.body))).encode()
            return replace(exchange, reply=replace(reply, body=body))
        return exchange

    def answer(self, call: Call) -> Exchange:
        exchange = super().answer(call)
        response = exchange.response
        post = response.post if isinstance(response, Asked) else None
        if post is not None or (self.holds_releases and call.method == "DELETE"):
            self.gate.wait()
        if post is not None:
            # Before it is sent, so that who has read it finds it recorded.
            how = exchange.reply.status if response.how == "answer" else response.how
            self.store.posts.finish(post, how)
        return exchange

    def _receive(self, call: Call, *, operation: str, uid: str) -> int:
        if operation == POST and self.store.faults.draw(self.store.faults.habits.strangers):
            strangers.make_by_chance(self.store)
        authorized = self.is_authorized(call)
        return self.store.posts.receive(
            operation, workstation=uid, headers=call.headers, authorized=authorized, body=call.body
        )

    def _amend(self, document: Any, *, operation: str) -> Any:
        faults = self.store.faults
        if operation not in _WITHOUT_WORKSPACE:
            return document
        shown = [document]
        if operation in script.LISTS and "data" in document:
            shown = [entry for entry in document["data"] if not faults.draw(faults.habits.omit_share)]
            document["data"] = shown
        share = getattr(faults.habits, _WITHOUT_WORKSPACE[operation])
        for entry in shown:
            if faults.draw(share):
                entry.pop("workspace", None)
        return document

    # --- Operations that a habit or a generation changes ---

    def list_page(self, task: Task, *, active: bool) -> Reply:
        habits = self.store.faults.habits
        walk, query = walks.Walk.read(task.call.query)
        is_begun = "cursor" in parse_qs(task.call.query)
        if walk is None or not (is_begun or habits.pages_shift or habits.endless):
            return super().list_page(task, active=active)
        window, limit = paging.read_query(query)
        shown, has_more = self.store.page_from(walk.place, active=active, window=window, limit=limit)
        follows = walk.move(len(shown)) if has_more else walk.start_again() if habits.endless else None
        cursors = {"next_cursor": follows.write() if follows else None, "previous_cursor": None}
        return reply_json({"object": "list", "data": shown} | cursors)

    def list_types(self, task: Task) -> Reply:
        if self._generation == "none":
            raise RefusalError(404)
        return reply_json(generations.list_types(self._generation))

    def stream_log(self, task: Task) -> Reply:
        reply = super().stream_log(task)
        if self.store.faults.habits.no_cors:
            del reply.headers["Access-Control-Allow-Origin"]
        return reply
