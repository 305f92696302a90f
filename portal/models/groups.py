"""What the portal's own groups may do, until an administrator changes them."""

from collections.abc import Mapping

_SHOWN = """
    account key request attempt lateresponse workstation workspace file log event scan notice seal tombstone
    workstationtype credential database restore lostresponse connection share
"""
_READ = tuple(f"view_{name}" for name in _SHOWN.split())

PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "Members": ("submit_request",),
    "Auditors": ("see_all", *_READ),
    "Operators": ("submit_request", "see_all", "resume_key", "close_request", *_READ),
}
