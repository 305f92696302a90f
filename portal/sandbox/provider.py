"""What the provider does and answers, without the sockets: addresses, checks, and which response a call has."""

import hmac
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

from portal.sandbox import generations, paging, responses, script, strangers
from portal.sandbox.calls import Call, Exchange, RefusalError, Task, read_wish
from portal.sandbox.connections import LOGS, Connections
from portal.sandbox.control import Control, check_caller, obey
from portal.sandbox.responses import How, Reply, Response, reply_json
from portal.sandbox.store import Store


@dataclass(frozen=True, kw_only=True)
class Route:
    """An address. `operation` is its name in scripts; those without one are the sandbox's own and take no key."""

    method: str
    pattern: re.Pattern[str]
    act: Callable[["Provider", Task], Reply]
    operation: str = ""


class Provider(Control):
    """The provider: a store, a key, and a script that comes before both."""

    def __init__(self, *, store: Store, connections: Connections, api_key: str) -> None:
        super().__init__(store=store)
        self.connections = connections
        # Set when the server stops: delays end at once, and what never would have ended is cut.
        self.stopping = threading.Event()
        self._key = f"Bearer {api_key}".encode()
        self._received = threading.Condition()

    def reset(self) -> None:
        """As of a control; the connections end with their workstations."""
        super().reset()
        self.connections.look()

    # --- A call's way ---

    def begin(self, call: Call) -> Exchange:
        """Do what the call asks for, and choose its response. A workstation exists from here on in any case."""
        try:
            route, uid = _find_route(call)
        except RefusalError as refusal:
            return Exchange(response=Response(), reply=refusal.reply)
        post = None
        with self._received:
            # Under one lock, so that the first POST recorded takes the first answer scripted.
            if route.operation and route.method == "POST":
                post = self._receive(route, call, uid)
                self._received.notify_all()
            scripted = self.script.take(route.operation) if route.operation else None
            chance = self.store.faults.choose(route.operation) if route.operation else None
        response = scripted or self._find_limit(route, call) or self._find_reserved(route, call) or chance or Response()
        task = Task(call=call, uid=uid, response=response, post=post)
        natural = self._act(route, task) if response.carried_out else None
        return Exchange(response=response, reply=responses.resolve(response, natural), post=post)

    def wait(self, exchange: Exchange) -> None:
        """Hold the answer back for as long as the gate and its delay say."""
        if exchange.post is not None:
            self.gate.wait()
        if exchange.response.delay:
            self.stopping.wait(exchange.response.delay)

    def finish(self, exchange: Exchange) -> None:
        """Record the answer; the caller sends it after this, so that who has read it finds it recorded."""
        if exchange.post is not None:
            how = exchange.response.how
            self.store.posts.finish(exchange.post, exchange.reply.status if how is How.ANSWER else str(how))

    def wait_for_posts(self, count: int, timeout: float) -> None:
        """Wait until so many POSTs have been received; raises TimeoutError."""
        with self._received:
            if not self._received.wait_for(lambda: self.store.posts.count() >= count, timeout):
                raise TimeoutError(f"{self.store.posts.count()} of {count} POSTs received in {timeout} s")

    def _receive(self, route: Route, call: Call, uid: str) -> int:
        if route.operation == script.POST and self.store.faults.draw(self.store.faults.habits.strangers):
            strangers.make_one(self.store)
        return self.store.posts.receive(
            route.operation,
            workstation=uid,
            headers=call.headers,
            authorized=self._is_authorized(call),
            body=call.body,
        )

    def _act(self, route: Route, task: Task) -> Reply:
        try:
            if task.call.refusal is not None:
                return task.call.refusal
            if route.operation:
                self._check_key(task.call)
            if task.call.path.startswith("/control/"):
                check_caller(task.call)
            return route.act(self, task)
        except RefusalError as refusal:
            return refusal.reply

    def _is_authorized(self, call: Call) -> bool:
        return hmac.compare_digest(call.key.encode(), self._key)

    def _check_key(self, call: Call) -> None:
        if not self._is_authorized(call):
            raise RefusalError.make(401)

    def _find_limit(self, route: Route, call: Call) -> Response | None:
        """The refusal of a call that exceeds a rate limit of the account."""
        if not route.operation or not self._is_authorized(call):
            return None
        return self.store.faults.limit(route.operation, now=self.store.clock())

    def _find_reserved(self, route: Route, call: Call) -> Response | None:
        """The response that the call itself asks for by the workspace it names, if all else about it is right."""
        if route.operation != script.POST or call.refusal is not None:
            return None
        try:
            self._check_key(call)
            _, workspace = read_wish(call, types=self.generation.get().types)
        except RefusalError:
            return None
        return responses.find(workspace) if workspace is not None else None

    # --- The provider's operations ---

    def request_workstation(self, task: Task) -> Reply:
        """POST /workstations."""
        kind, workspace = read_wish(task.call, types=self.generation.get().types)
        if workspace is not None and not self.store.knows_workspace(workspace):
            raise RefusalError.make(422)
        return reply_json(self.store.make(type=kind, workspace=workspace, response=task.response, post=task.post))

    def list_page(self, task: Task, *, active: bool) -> Reply:
        """GET /workstations, GET /workstations/history."""
        try:
            window, limit = paging.read_query(task.call.query)
        except paging.QueryError as error:
            raise RefusalError.make(400, str(error)) from None
        return reply_json(self.store.page(active=active, window=window, limit=limit))

    def list_types(self, _: Task) -> Reply:
        """GET /workstations/types."""
        listed = self.generation.get().describe()
        if listed is None:
            raise RefusalError.make(404)
        return reply_json(listed)

    def retrieve(self, task: Task) -> Reply:
        """GET /workstations/{id}. What one that has ended answers is not documented: as if it had never been, 422."""
        workstation = self.store.retrieve(task.uid)
        if workstation is None:
            raise RefusalError.make(422)
        return reply_json(workstation)

    def release(self, task: Task) -> Reply:
        """DELETE /workstations/{id}/release; for one that has ended the same choice as in `retrieve`."""
        kind = self.store.release(task.uid)
        if kind is None:
            raise RefusalError.make(422)
        self.connections.look()
        return reply_json({"type": kind, "released": True})

    def open_connection(self, task: Task, *, way: str) -> Reply:
        """POST /workstations/{id}/vncwss and its likes. What one without a desktop answers is not documented: 422."""
        kind = self.store.find_type(task.uid)
        if kind is None:
            raise RefusalError.make(422)
        if missing := generations.find_missing(way, type=kind):
            raise RefusalError.make(422, f"Unprocessable Entity - a workstation of type {kind} has no {missing}.")
        return reply_json({"url": self.connections.open(way, uid=task.uid, type=kind)})

    # --- The sandbox's own addresses ---

    def stream_log(self, task: Task) -> Reply:
        """GET /v1/log/sse/<token>."""
        machine = self.connections.find(task.call.path)
        if machine is None:
            raise RefusalError.make(404)
        headers = {"Cache-Control": "no-store"}
        if not self.store.faults.habits.no_cors:
            headers["Access-Control-Allow-Origin"] = "*"
        stream = self.connections.stream_log(machine)
        return Reply(status=200, content_type="text/event-stream", headers=headers, stream=stream)

    def download(self, task: Task, *, kind: str) -> Reply:
        """GET /files/<uuid>, GET /logs/<uuid>."""
        found = self.store.items.read(kind, task.uid)
        if found is None:
            raise RefusalError.make(404)
        name, text = found
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
        return Reply(status=200, body=text.encode(), content_type="text/plain; charset=utf-8", headers=headers)


def _route(address: str, act: Callable[[Provider, Task], Reply], operation: str = "") -> Route:
    method, _, path = address.partition(" ")
    return Route(method=method, pattern=re.compile(path), act=act, operation=operation)


# The order matters: `history` and `types` are no workstations.
ROUTES = (
    _route("POST /v1/workstations", Provider.request_workstation, script.POST),
    _route("GET /v1/workstations", partial(Provider.list_page, active=True), "GET /workstations"),
    _route("GET /v1/workstations/history", partial(Provider.list_page, active=False), "GET /workstations/history"),
    _route("GET /v1/workstations/types", Provider.list_types, "GET /workstations/types"),
    _route("GET /v1/workstations/([^/]+)", Provider.retrieve, "GET /workstations/{id}"),
    _route("DELETE /v1/workstations/([^/]+)/release", Provider.release, "DELETE"),
    *(
        _route(f"POST /v1/workstations/([^/]+)/{way}", partial(Provider.open_connection, way=way), operation)
        for way, operation in script.CONNECTIONS.items()
    ),
    _route(f"GET {LOGS}([^/]+)", Provider.stream_log),
    _route("GET /files/([^/]+)", partial(Provider.download, kind="file")),
    _route("GET /logs/([^/]+)", partial(Provider.download, kind="log")),
    _route("POST /control/answers", lambda provider, task: obey(provider.script.add, task)),
    _route("POST /control/faults", lambda provider, task: obey(provider.store.faults.change, task)),
    _route("POST /control/strangers", lambda provider, task: obey(partial(strangers.make, provider.store), task)),
    _route("POST /control/history", lambda provider, task: obey(partial(strangers.make_history, provider.store), task)),
    _route("POST /control/types", lambda provider, task: obey(provider.generation.change, task)),
    _route("POST /control/hold", Provider.control_hold),
    _route("POST /control/release", Provider.control_release),
    _route("GET /control/record", lambda provider, _: reply_json(provider.store.record())),
    _route("POST /control/reset", Provider.control_reset),
)


def _find_route(call: Call) -> tuple[Route, str]:
    allowed = []
    for route in ROUTES:
        match = route.pattern.fullmatch(call.path)
        if match and route.method == call.method:
            return route, unquote("".join(match.groups()))
        if match and route.method not in allowed:
            allowed.append(route.method)
    raise RefusalError.make(405, Allow=", ".join(allowed)) if allowed else RefusalError.make(404)
