"""What the provider does and answers, without the sockets: addresses, checks, and which ending a call has."""

import hmac
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from portal.sandbox import endings, generations, paging, script
from portal.sandbox.endings import Ending, How, Reply, reply_error, reply_json
from portal.sandbox.world import World


class RefusalError(Exception):
    """The call ends here, with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply

    @classmethod
    def make(cls, status: int, message: str = "", **headers: str) -> Self:
        """A refusal in the provider's words."""
        return cls(reply_error(status, message, **headers))


@dataclass(frozen=True, kw_only=True)
class Call:
    """One HTTP request as it came in; its Authorization is `key` alone. `refusal`: its body could not be read."""

    method: str
    path: str
    query: str = ""
    key: str = ""
    headers: Mapping[str, str]
    body: bytes = b""
    refusal: Reply | None = None


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A call and what becomes of it."""

    ending: Ending
    reply: Reply
    post: int | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """What an operation has to go by: the call, the UID in its address, and for a POST its oddity and its sequence."""

    call: Call
    uid: str
    oddity: str
    post: int | None


@dataclass(frozen=True, kw_only=True)
class Route:
    """An address. `operation` is its name in scripts; those without one are the sandbox's own and take no key."""

    method: str
    pattern: re.Pattern[str]
    act: Callable[["Provider", Task], Reply]
    operation: str = ""


class Provider:
    """The provider: a world, a key, and a script that comes before both."""

    def __init__(self, *, world: World, api_key: str) -> None:
        self.world = world
        self.script = script.Script()
        self.generation = generations.Present()
        # Cleared while answers to POST are held back.
        self.gate = threading.Event()
        self.gate.set()
        # Set when the server stops: delays end at once, and what never would have ended is cut.
        self.stopping = threading.Event()
        self._key = f"Bearer {api_key}".encode()
        self._received = threading.Condition()

    # --- A call's way ---

    def begin(self, call: Call) -> Exchange:
        """Do what the call asks for, and choose its ending. A workstation exists from here on, whatever is answered."""
        try:
            route, uid = _find_route(call)
        except RefusalError as refusal:
            return Exchange(ending=Ending(), reply=refusal.reply)
        post = None
        with self._received:
            # Under one lock, so that the first POST recorded takes the first answer scripted.
            if route.operation == script.POST:
                post = self._receive(call)
                self._received.notify_all()
            scripted = self.script.take(route.operation) if route.operation else None
            chance = self.world.weather.choose(route.operation) if route.operation else None
        ending = scripted or self._find_reserved(route, call) or chance or Ending()
        task = Task(call=call, uid=uid, oddity=ending.oddity, post=post)
        natural = self._act(route, task) if ending.carried_out else None
        return Exchange(ending=ending, reply=endings.resolve(ending, natural), post=post)

    def wait(self, exchange: Exchange) -> None:
        """Hold the answer back for as long as the gate and its delay say."""
        if exchange.post is not None:
            self.gate.wait()
        if exchange.ending.delay:
            self.stopping.wait(exchange.ending.delay)

    def finish(self, exchange: Exchange) -> None:
        """Record the answer; the caller sends it after this, so that who has read it finds it recorded."""
        if exchange.post is not None:
            how = exchange.ending.how
            self.world.finish_post(exchange.post, exchange.reply.status if how is How.ANSWER else str(how))

    def wait_for_posts(self, count: int, timeout: float) -> None:
        """Wait until so many POSTs have been received; raises TimeoutError."""
        with self._received:
            if not self._received.wait_for(lambda: self.world.count_posts() >= count, timeout):
                raise TimeoutError(f"{self.world.count_posts()} of {count} POSTs received in {timeout} s")

    def reset(self) -> None:
        """Forget the world, the script and the record, and hold nothing back."""
        self.script.clear()
        self.world.weather.clear()
        self.generation.clear()
        self.world.reset()
        self.gate.set()

    def _receive(self, call: Call) -> int:
        return self.world.receive_post(headers=call.headers, authorized=self._is_authorized(call), body=call.body)

    def _act(self, route: Route, task: Task) -> Reply:
        try:
            if task.call.refusal is not None:
                return task.call.refusal
            if route.operation:
                self._check_key(task.call)
            return route.act(self, task)
        except RefusalError as refusal:
            return refusal.reply

    def _is_authorized(self, call: Call) -> bool:
        return hmac.compare_digest(call.key.encode(), self._key)

    def _check_key(self, call: Call) -> None:
        if not self._is_authorized(call):
            raise RefusalError.make(401)

    def _find_reserved(self, route: Route, call: Call) -> Ending | None:
        """The ending that the call itself asks for by the workspace it names, if all else about it is right."""
        if route.operation != script.POST or call.refusal is not None:
            return None
        try:
            self._check_key(call)
            _, workspace = self._read_wish(call)
        except RefusalError:
            return None
        return endings.find(workspace) if workspace is not None else None

    def _read_wish(self, call: Call) -> tuple[str, str | None]:
        """The type and the workspace that a POST asks for. Unknown keys are passed over: the contract forbids none."""
        wish = _read_json(call)
        if not isinstance(wish, dict):
            raise RefusalError.make(400, "The body must be an object.")
        kind, workspace = wish.get("type"), wish.get("workspace_id")
        types = self.generation.get().types
        if kind not in types:
            raise RefusalError.make(400, f"type must be one of {', '.join(types)}.")
        if "workspace_id" in wish and not isinstance(workspace, str):
            raise RefusalError.make(400, "workspace_id must be a string.")
        return kind, workspace

    # --- The provider's operations ---

    def request_workstation(self, task: Task) -> Reply:
        """POST /workstations."""
        kind, workspace = self._read_wish(task.call)
        if workspace is not None and not self.world.knows_workspace(workspace):
            raise RefusalError.make(422)
        return reply_json(self.world.make(type=kind, workspace=workspace, oddity=task.oddity, post=task.post))

    def list_active(self, task: Task) -> Reply:
        """GET /workstations."""
        return self._list(task.call, active=True)

    def list_history(self, task: Task) -> Reply:
        """GET /workstations/history."""
        return self._list(task.call, active=False)

    def _list(self, call: Call, *, active: bool) -> Reply:
        try:
            window, limit = paging.read_query(call.query)
        except paging.QueryError as error:
            raise RefusalError.make(400, str(error)) from None
        return reply_json(self.world.page(active=active, window=window, limit=limit))

    def list_types(self, _: Task) -> Reply:
        """GET /workstations/types."""
        listed = self.generation.get().describe()
        if listed is None:
            raise RefusalError.make(404)
        return reply_json(listed)

    def retrieve(self, task: Task) -> Reply:
        """GET /workstations/{id}. What one that has ended answers is not documented: as if it had never been, 422."""
        workstation = self.world.retrieve(task.uid)
        if workstation is None:
            raise RefusalError.make(422)
        return reply_json(workstation)

    def release(self, task: Task) -> Reply:
        """DELETE /workstations/{id}/release; for one that has ended the same choice as in `retrieve`."""
        kind = self.world.release(task.uid)
        if kind is None:
            raise RefusalError.make(422)
        return reply_json({"type": kind, "released": True})

    # --- The sandbox's own addresses ---

    def download_file(self, task: Task) -> Reply:
        """GET /files/<uuid>."""
        return self._download("file", task.uid)

    def download_log(self, task: Task) -> Reply:
        """GET /logs/<uuid>."""
        return self._download("log", task.uid)

    def _download(self, kind: str, uid: str) -> Reply:
        found = self.world.read_item(kind, uid)
        if found is None:
            raise RefusalError.make(404)
        name, text = found
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
        return Reply(status=200, body=text.encode(), content_type="text/plain; charset=utf-8", headers=headers)

    def control_answers(self, task: Task) -> Reply:
        """POST /control/answers."""
        try:
            self.script.add(_read_json(task.call))
        except script.ScriptError as error:
            raise RefusalError.make(400, str(error)) from None
        return reply_json({"ok": True})

    def control_weather(self, task: Task) -> Reply:
        """POST /control/weather."""
        try:
            self.world.weather.change(_read_json(task.call))
        except script.ScriptError as error:
            raise RefusalError.make(400, str(error)) from None
        return reply_json({"ok": True})

    def control_types(self, task: Task) -> Reply:
        """POST /control/types."""
        try:
            self.generation.change(_read_json(task.call))
        except script.ScriptError as error:
            raise RefusalError.make(400, str(error)) from None
        return reply_json({"ok": True})

    def control_hold(self, _: Task) -> Reply:
        """POST /control/hold."""
        self.gate.clear()
        return reply_json({"ok": True})

    def control_release(self, _: Task) -> Reply:
        """POST /control/release."""
        self.gate.set()
        return reply_json({"ok": True})

    def control_record(self, _: Task) -> Reply:
        """GET /control/record."""
        return reply_json(self.world.record())

    def control_reset(self, _: Task) -> Reply:
        """POST /control/reset."""
        self.reset()
        return reply_json({"ok": True})


def _route(address: str, act: Callable[[Provider, Task], Reply], operation: str = "") -> Route:
    method, _, path = address.partition(" ")
    return Route(method=method, pattern=re.compile(path), act=act, operation=operation)


# The order matters: `history` and `types` are no workstations.
ROUTES = (
    _route("POST /v1/workstations", Provider.request_workstation, script.POST),
    _route("GET /v1/workstations", Provider.list_active, "GET /workstations"),
    _route("GET /v1/workstations/history", Provider.list_history, "GET /workstations/history"),
    _route("GET /v1/workstations/types", Provider.list_types, "GET /workstations/types"),
    _route("GET /v1/workstations/([^/]+)", Provider.retrieve, "GET /workstations/{id}"),
    _route("DELETE /v1/workstations/([^/]+)/release", Provider.release, "DELETE"),
    _route("GET /files/([^/]+)", Provider.download_file),
    _route("GET /logs/([^/]+)", Provider.download_log),
    _route("POST /control/answers", Provider.control_answers),
    _route("POST /control/weather", Provider.control_weather),
    _route("POST /control/types", Provider.control_types),
    _route("POST /control/hold", Provider.control_hold),
    _route("POST /control/release", Provider.control_release),
    _route("GET /control/record", Provider.control_record),
    _route("POST /control/reset", Provider.control_reset),
)


def _find_route(call: Call) -> tuple[Route, str]:
    allowed = []
    for route in ROUTES:
        match = route.pattern.fullmatch(call.path)
        if match and route.method == call.method:
            return route, "".join(match.groups())
        if match and route.method not in allowed:
            allowed.append(route.method)
    raise RefusalError.make(405, Allow=", ".join(allowed)) if allowed else RefusalError.make(404)


def _read_json(call: Call) -> Any:
    try:
        return json.loads(call.body)
    except (ValueError, RecursionError):
        raise RefusalError.make(400, "The body must be JSON.") from None
