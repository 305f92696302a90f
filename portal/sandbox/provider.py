"""What the provider does and answers, without the sockets: addresses, checks, and which response a call has."""

import hmac
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

from portal.sandbox import connections, items, paging, responses, workstation_types
from portal.sandbox.calls import Call, Exchange, RefusalError, Task, read_request, require
from portal.sandbox.responses import Reply, Response, reply_json
from portal.sandbox.store import Store

POST = "POST /workstations"
CONNECTIONS = {way: f"{POST}/{{id}}/{way}" for way in connections.CONNECTIONS}


@dataclass(frozen=True, kw_only=True)
class Route:
    """An address. `operation` is its name in the contract; those without one are the sandbox's own and take no key."""

    method: str
    pattern: re.Pattern[str]
    act: Callable[[Task], Reply]
    operation: str = ""


def make_route(address: str, act: Callable[[Task], Reply], operation: str = "") -> Route:
    """The address as a method and a pattern, whose groups are the UID."""
    method, _, path = address.partition(" ")
    return Route(method=method, pattern=re.compile(path), act=act, operation=operation)


class Provider:
    """The provider: a store, the connections into its workstations, and a key.

    `before_answer` is where another provider can be made of this one.
    """

    def __init__(self, *, store: Store, connections: connections.Connections, api_key: str) -> None:
        self.store, self.connections = store, connections
        # Set when the server stops: delays end at once, and what never would have ended is cut.
        self.stopping = threading.Event()
        self.types: Sequence[str] = items.TYPES
        self._key = f"Bearer {api_key}".encode()
        self.routes = self.list_routes()

    def list_routes(self) -> list[Route]:
        """Every address. The order matters: `history` and `types` are no workstations."""
        return [
            make_route("POST /v1/workstations", self.request_workstation, POST),
            make_route("GET /v1/workstations", partial(self.list_page, active=True), "GET /workstations"),
            make_route(
                "GET /v1/workstations/history", partial(self.list_page, active=False), "GET /workstations/history"
            ),
            make_route("GET /v1/workstations/types", self.list_types, "GET /workstations/types"),
            make_route("GET /v1/workstations/([^/]+)", self.retrieve, "GET /workstations/{id}"),
            make_route(r"DELETE /v1/workstations/((?!(?:history|types)$)[^/]+?)(?:/release)?", self.release, "DELETE"),
            *(
                make_route(f"POST /v1/workstations/([^/]+)/{way}", partial(self.open_connection, way=way), operation)
                for way, operation in CONNECTIONS.items()
            ),
            make_route(f"GET {connections.LOGS}([^/]+)", self.stream_log),
            make_route(f"GET {connections.BROWSERS}(.+)", self.refuse_browser),
            make_route("GET /files/([^/]+)", partial(self.download, kind="file")),
            make_route("GET /logs/([^/]+)", partial(self.download, kind="log")),
        ]

    # --- A call's way ---

    def before_answer(self, call: Call, *, operation: str, uid: str) -> Response | None:
        """What becomes of a call of an operation, before anything is done about it; None: what it asks for.

        A response may answer in the place of the store, hold its answer back or break it off, and say whether the call
        does what it asks for. Here it is what the name of a reserved workspace stands for, if all
        else about the call is right.
        """
        if operation != POST or not self.is_authorized(call):
            return None
        try:
            _, workspace = read_request(call, types=self.types)
        except RefusalError:
            return None
        return self.store.find_response(workspace) if workspace is not None else None

    def answer(self, call: Call) -> Exchange:
        exchange = self.begin(call)
        if exchange.response.delay:
            self.stopping.wait(exchange.response.delay)
        return exchange

    def begin(self, call: Call) -> Exchange:
        """Do what the call asks for, and choose its response. A workstation exists from here on in any case."""
        try:
            route, uid = self._find_route(call)
        except RefusalError as refusal:
            return Exchange(response=Response(), reply=refusal.reply)
        asked = self.before_answer(call, operation=route.operation, uid=uid) if route.operation else None
        response = asked or Response()
        natural = self._act(route, Task(call=call, uid=uid, response=response)) if response.carried_out else None
        return Exchange(response=response, reply=response.reply or natural or Reply(status=200))

    def stop(self) -> None:
        self.stopping.set()

    def is_authorized(self, call: Call) -> bool:
        return hmac.compare_digest(call.key.encode(), self._key)

    def _act(self, route: Route, task: Task) -> Reply:
        if route.operation and not self.is_authorized(task.call):
            return responses.reply_error(401)
        try:
            return route.act(task)
        except RefusalError as refusal:
            return refusal.reply

    def _find_route(self, call: Call) -> tuple[Route, str]:
        allowed = []
        for route in self.routes:
            match = route.pattern.fullmatch(call.path)
            if match and route.method == call.method:
                return route, unquote("".join(match.groups()))
            if match and route.method not in allowed:
                allowed.append(route.method)
        raise RefusalError(405, Allow=", ".join(allowed)) if allowed else RefusalError(404)

    # --- The provider's operations ---

    def request_workstation(self, task: Task) -> Reply:
        kind, workspace = read_request(task.call, types=self.types)
        if workspace is not None and not self.store.knows_workspace(workspace):
            raise RefusalError(422)
        return reply_json(self.store.make(type=kind, workspace=workspace, response=task.response))

    def list_page(self, task: Task, *, active: bool) -> Reply:
        window, limit = paging.read_query(task.call.query)
        return reply_json(self.store.page(active=active, window=window, limit=limit))

    def list_types(self, _: Task) -> Reply:
        return reply_json(workstation_types.list_types())

    def retrieve(self, task: Task) -> Reply:
        """GET /workstations/{id}. What one that has ended answers is not documented: as if it had never been, 422."""
        return reply_json(require(self.store.retrieve(task.uid), 422))

    def release(self, task: Task) -> Reply:
        """DELETE /workstations/{id}/release; for one that has ended the same choice as in `retrieve`."""
        kind = require(self.store.release(task.uid), 422)
        return reply_json({"type": kind, "released": True})

    def open_connection(self, task: Task, *, way: str) -> Reply:
        """POST /workstations/{id}/vncwss and its likes. What one without a desktop answers is not documented: 422."""
        kind = require(self.store.find_type(task.uid), 422)
        needed, _ = connections.CONNECTIONS[way]
        if needed not in ("", *self.list_software(kind)):
            raise RefusalError(422, f"Unprocessable Entity - a workstation of type {kind} has no {needed}.")
        return reply_json({"url": self.connections.open(way, uid=task.uid, type=kind)})

    def list_software(self, type: str) -> Sequence[str]:
        return workstation_types.list_software(type)

    # --- The sandbox's own addresses ---

    def stream_log(self, task: Task) -> Reply:
        machine = require(self.connections.find(task.call.path), 404)
        headers = {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}
        stream = self.connections.stream_log(machine)
        return Reply(status=200, content_type="text/event-stream", headers=headers, stream=stream)

    def refuse_browser(self, _: Task) -> Reply:
        raise RefusalError(404, "Not Found - the sandbox has no browser behind this address.")

    def download(self, task: Task, *, kind: str) -> Reply:
        name, text = require(self.store.items.read(kind, task.uid, now=self.store.clock()), 404)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
        return Reply(status=200, body=text.encode(), content_type="text/plain; charset=utf-8", headers=headers)
