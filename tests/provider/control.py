"""The control addresses, by which another process directs the provider."""

import re
from collections.abc import Callable
from typing import Any

from portal.sandbox.calls import Call, RefusalError, Task, read_json
from portal.sandbox.responses import Reply, reply_json
from portal.sandbox.server import is_loopback
from tests.provider.wishes import ScriptError

# What every call of a control address has to carry.
HEADERS = {"X-Sandbox-Control": "1"}
_HOST = re.compile(r"(?:\[([^\[\]]*)\]|([^\[\]:]*))(?::[0-9]*)?")


def obey(act: Callable[[Any], dict[str, Any] | None], task: Task) -> Reply:
    _check_caller(task.call)
    try:
        answer = act(read_json(task.call) if task.call.body else {})
    except ScriptError as error:
        raise RefusalError(400, str(error)) from None
    return reply_json({"ok": True} if answer is None else answer)


def _check_caller(call: Call) -> None:
    """Refuse what a page in somebody's browser may have sent.

    A page whose name was made to lead here is betrayed by the Host header. One from elsewhere can send a form or a
    plain text here, but no header of its own without asking first, and nobody here says yes.
    """
    headers = {name.lower(): value for name, value in call.headers.items()}
    host = _HOST.fullmatch(headers.get("host", "").lower())
    is_ours = all(headers.get(name.lower()) == value for name, value in HEADERS.items())
    if host is None or not is_loopback(host[1] or host[2]) or not is_ours:
        wanted = ", ".join(f"{name}: {value}" for name, value in HEADERS.items())
        raise RefusalError(403, f"Control addresses take calls with {wanted} and a Host on loopback alone.")
