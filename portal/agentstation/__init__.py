"""The provider's HTTP API: one client, its answers as frozen dataclasses, its failures as one tree of errors.

Knows nothing of Django or of the portal; no name of the HTTP library leaves this package.
"""

from portal.agentstation._transport import boottime
from portal.agentstation.client import Client
from portal.agentstation.contract import Deviation
from portal.agentstation.errors import (
    AgentStationError,
    AssetNotFound,
    GatewayAnswer,
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
    UnreadableAnswer,
)
from portal.agentstation.resources import (
    Answer,
    File,
    Log,
    Page,
    Released,
    Reply,
    Workspace,
    Workstation,
    WorkstationTypeDescription,
    read_json,
)

__all__ = [
    "AgentStationError",
    "Answer",
    "AssetNotFound",
    "Client",
    "Deviation",
    "File",
    "GatewayAnswer",
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
    "SendTooLate",
    "UnexpectedStatus",
    "UnreadableAnswer",
    "Workspace",
    "Workstation",
    "WorkstationTypeDescription",
    "boottime",
    "read_json",
]
