"""The workspace UIDs that make the sandbox misbehave, each with what the provider does then."""

import re
from dataclasses import dataclass

DEFAULT_API_KEY = "sandbox"
DEFAULT_PORT = 8001
SLOWEST = 600


@dataclass(frozen=True, kw_only=True)
class Name:
    """A reserved workspace UID; its description is one sentence that fits on a page."""

    uid: str
    description: str

    @property
    def status(self) -> int:
        """The HTTP status that its name says; 0 where it says none."""
        match = re.fullmatch(r"fail-([0-9]{3})", self.uid)
        return int(match[1]) if match else 0

    @property
    def is_silent(self) -> bool:
        """Whether it leaves the outcome unknown and makes nothing, so that no list can show what became of it."""
        return self.uid in _SILENT


_SILENT = frozenset({"fail-500", "fail-502", "fail-503-html", "hang", "reset", "garbage"})

_DESCRIPTIONS = {
    "fail-400": "The provider refuses the request because its form is wrong (400).",
    "fail-401": "The provider refuses the API key (401).",
    "fail-402": "The provider says that the credits are used up or the payment has expired (402).",
    "fail-422": "The provider does not find the workspace for this API key (422).",
    "fail-429": "The provider says that the rate limit is exceeded, and not how long to wait (429).",
    "fail-429-retry-3": "The provider says that the rate limit is exceeded and to come back after 3 seconds (429).",
    "fail-500": "The provider has an internal error and makes no workstation (500).",
    "fail-500-made": "The provider answers with an internal error (500), yet the workstation exists.",
    "fail-502": "A gateway before the provider answers with its own error page (502).",
    "fail-503": "The provider says that it dropped the request under high load (503).",
    "fail-503-html": "A gateway before the provider says that it is unavailable, with its own page (503).",
    "fail-418": "The provider answers with a status that nobody expects (418).",
    "hang": "The provider accepts the request and never answers.",
    "hang-made": "The provider makes the workstation and never answers.",
    "reset": "The connection breaks after the request was sent; nothing is made.",
    "reset-made": "The connection breaks after the request was sent, yet the workstation exists.",
    "garbage": "The provider answers 200 with a web page instead of a workstation; nothing is made.",
    "slow-5": "The provider makes the workstation and takes 5 seconds to say so; any number up to 600 works.",
    "unknown-status": "The provider makes a workstation whose status, type and log levels are new to us.",
    "new-fields": "The provider makes a workstation and describes it with fields that are new to us.",
    "no-workspace": "The provider makes a workstation and never says in which workspace.",
    "late-list-30": "The provider's lists show the workstation only after 30 seconds; any number up to 600 works.",
    "late-read-30": "The provider finds the workstation singly only after 30 seconds; any number up to 600 works.",
}
RESERVED = tuple(Name(uid=uid, description=text) for uid, text in _DESCRIPTIONS.items())


def read_timed(uid: str) -> tuple[str, int] | None:
    """What a name such as `slow-<seconds>` begins with, and its seconds; None for any other UID."""
    match = re.fullmatch(r"(slow|late-list|late-read)-([0-9]{1,3})", uid)
    if match is None or int(match[2]) > SLOWEST:
        return None
    return match[1], int(match[2])


def is_reserved(uid: str) -> bool:
    """Whether the sandbox knows a workspace of this UID before anybody made it."""
    return uid in _DESCRIPTIONS or read_timed(uid) is not None
