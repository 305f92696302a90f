"""The provider's HTTP API: one client, its responses as frozen dataclasses, its failures as one tree of errors.

Knows nothing of Django or of the portal; no name of the HTTP library leaves this package.
"""

from portal.agentstation._transport import boottime
from portal.agentstation.client import CONNECTIONS, Client
from portal.agentstation.contract import Deviation
from portal.agentstation.errors import (
    AgentStationError,
    AssetNotFound,
    GatewayResponse,
    InternalError,
    InvalidKey,
    InvalidRequest,
    NoAnswer,
    NoConnection,
    NothingSent,
    Overloaded,
    PageTooLarge,
    PaymentRequired,
    RateLimited,
    SendTooLate,
    UnexpectedStatus,
    UnreadableResponse,
)
from portal.agentstation.resources import (
    File,
    Log,
    Page,
    Released,
    Reply,
    Response,
    Workspace,
    Workstation,
    WorkstationTypeDescription,
    escape_text,
    read_json,
)

__all__ = [
    "CONNECTIONS",
    "AgentStationError",
    "AssetNotFound",
    "Client",
    "Deviation",
    "File",
    "GatewayResponse",
    "InternalError",
    "InvalidKey",
    "InvalidRequest",
    "Log",
    "NoAnswer",
    "NoConnection",
    "NothingSent",
    "Overloaded",
    "Page",
    "PageTooLarge",
    "PaymentRequired",
    "RateLimited",
    "Released",
    "Reply",
    "Response",
    "SendTooLate",
    "UnexpectedStatus",
    "UnreadableResponse",
    "Workspace",
    "Workstation",
    "WorkstationTypeDescription",
    "boottime",
    "escape_text",
    "read_json",
]
