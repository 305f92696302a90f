"""The control addresses, by which a test or a rehearsal directs the sandbox."""

import ipaddress
import re
import threading
from collections.abc import Callable
from typing import Any

from portal.sandbox import generations, script
from portal.sandbox.calls import Call, RefusalError, Task, read_json
from portal.sandbox.responses import Reply, reply_json
from portal.sandbox.store import Store
from portal.sandbox.wishes import ScriptError

# What every call of a control address has to carry.
HEADERS = {"X-Sandbox-Control": "1"}
_HOST = re.compile(r"(?:\[([^\[\]]*)\]|([^\[\]:]*))(?::[0-9]*)?")


def is_loopback(host: str) -> bool:
    """Whether the name or address leads to this machine whatever a resolver says."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_caller(call: Call) -> None:
    """Refuse what a page in somebody's browser may have sent.

    A page whose name was made to lead here is betrayed by the Host header. One from elsewhere can send a form or a
    plain text here, but no header of its own without asking first, and nobody here says yes.
    """
    headers = {name.lower(): value for name, value in call.headers.items()}
    host = _HOST.fullmatch(headers.get("host", "").lower())
    is_ours = all(headers.get(name.lower()) == value for name, value in HEADERS.items())
    if host is None or not is_loopback(host[1] or host[2]) or not is_ours:
        wanted = ", ".join(f"{name}: {value}" for name, value in HEADERS.items())
        raise RefusalError.make(403, f"Control addresses take calls with {wanted} and a Host on loopback alone.")


class Control:
    """The store, and what directs it: the script, the faults, and a gate for the answers to POST."""

    def __init__(self, *, store: Store) -> None:
        self.store = store
        self.script = script.Script()
        self.generation = generations.Present()
        # Cleared while answers to POST are held back.
        self.gate = threading.Event()
        self.gate.set()

    def reset(self) -> None:
        """Forget the store, the script and the record, and hold nothing back."""
        self.script.clear()
        self.store.faults.clear()
        self.generation.clear()
        self.store.reset()
        self.gate.set()

    def control_hold(self, _: Task) -> Reply:
        """POST /control/hold."""
        self.gate.clear()
        return reply_json({"ok": True})

    def control_release(self, _: Task) -> Reply:
        """POST /control/release."""
        self.gate.set()
        return reply_json({"ok": True})

    def control_reset(self, _: Task) -> Reply:
        """POST /control/reset."""
        self.reset()
        return reply_json({"ok": True})


def obey(act: Callable[[Any], dict[str, Any] | None], task: Task) -> Reply:
    """Do what the body says, or say why it makes no sense."""
    try:
        more = act(read_json(task.call))
    except ScriptError as error:
        raise RefusalError.make(400, str(error)) from None
    return reply_json({"ok": True} | (more or {}))
