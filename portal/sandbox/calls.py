"""A call to the sandbox: what came in, what becomes of it, and what it says."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.sandbox.responses import Reply, Response, reply_error


class RefusalError(Exception):
    def __init__(self, status: int, message: str = "", **headers: str) -> None:
        super().__init__(status)
        self.reply = reply_error(status, message, **headers)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One HTTP request as it came in; its Authorization is `key` alone."""

    method: str
    path: str
    query: str = ""
    key: str = ""
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Exchange:
    response: Response
    reply: Reply


@dataclass(frozen=True, kw_only=True)
class Task:
    """What an operation has to go by: the call, the UID in its address, and the response that it is to have."""

    call: Call
    uid: str
    response: Response


def require[Value](value: Value | None, status: int) -> Value:
    """What was found; raises RefusalError with the status where there is nothing."""
    if value is None:
        raise RefusalError(status)
    return value


def read_json(call: Call) -> Any:
    """The body; raises RefusalError."""
    try:
        return json.loads(call.body)
    except (ValueError, RecursionError):
        raise RefusalError(400, "The body must be JSON.") from None


def read_request(call: Call, *, types: Sequence[str]) -> tuple[str, str | None]:
    """The type (by default `default`, as today's provider has it) and the workspace that a POST asks for. Unknown keys
    are passed over: the contract forbids none."""
    body = read_json(call)
    if not isinstance(body, dict):
        raise RefusalError(400, "The body must be an object.")
    kind, workspace = body.get("type", "default"), body.get("workspace_id")
    if not isinstance(kind, str) or kind not in types:
        raise RefusalError(400, f"type must be one of {', '.join(types)}.")
    if "workspace_id" in body and not isinstance(workspace, str):
        raise RefusalError(400, "workspace_id must be a string.")
    return kind, workspace
