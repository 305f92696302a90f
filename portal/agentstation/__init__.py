"""The provider's HTTP API: one client, its responses as frozen dataclasses, its failures as one tree of errors.

Knows nothing of Django or of the portal; no name of the HTTP library leaves this package.
"""

from portal.agentstation import errors
from portal.agentstation._transport import Stream, boottime, bound
from portal.agentstation.client import Client
from portal.agentstation.contract import Deviation
from portal.agentstation.errors import AgentStationError, PageTooLarge, RateLimited, SendTooLate
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
)
