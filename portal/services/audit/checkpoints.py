"""Checkpoints go by themselves to where nobody of the portal can change them: to a file, or an address."""

import json
import logging
import os
import urllib.request
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

import portal
from portal import models
from portal.db import clock, release_connection
from portal.services.audit import checkstate, seals, signatures
from portal.services.runtime import leases

logger = logging.getLogger(__name__)

_TIMEOUT = 10.0  # seconds
_OVERDUE = timedelta(days=1)


def send_checkpoint(*, lease: leases.Lease) -> None:
    """Send the newest seal where it has not been sent yet; what fails is tried again in the next round."""
    if not settings.PORTAL_CHECKPOINT_URL:
        return
    try:
        checkpoint = seals.describe_newest()
    except seals.NoSeal:
        return
    sent, is_ours = checkstate.read_state(what=models.LogCheck.What.SENT)
    if not is_ours:
        logger.error("Somebody has written over which checkpoint was sent last: the newest is sent again.")
    elif sent.position == checkpoint["number"]:
        return
    signature = signatures.sign(what="checkpoint", values=list(checkpoint.values()))
    try:
        _deliver(json.dumps(checkpoint | {"signature": signature}))
    except OSError as error:
        logger.warning("The checkpoint of seal %s cannot be delivered: %s.", checkpoint["number"], error)
        return
    sent.position = int(checkpoint["number"])
    sent.ended_at = clock.read_clock()
    with transaction.atomic():
        leases.renew_lease(lease=lease)
        checkstate.keep_state(check=sent)
    checkstate.remember_state(check=sent)


def find_warning(*, now: datetime) -> str:
    """That none was delivered for a day, as a sentence; empty where all is well."""
    if not settings.PORTAL_CHECKPOINT_URL:
        return ""
    last = checkstate.find_last(what=models.LogCheck.What.SENT)
    if last is None or now - last < _OVERDUE:
        return ""
    return "No checkpoint of the audit log could be delivered for a day: the workers' logs say why."


def _deliver(line: str) -> None:
    """Add it to the file, or POST it. Raises OSError."""
    parts = urlsplit(settings.PORTAL_CHECKPOINT_URL)
    if parts.scheme == "file":
        # Where the file is not there yet, it is made for the portal's user alone.
        with open(parts.path, "a", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
        return
    release_connection()
    headers = {"Content-Type": "application/json", "User-Agent": f"workstation-portal/{portal.__version__}"}
    request = urllib.request.Request(  # noqa: S310 (https, or http to this machine: the settings are checked)
        settings.PORTAL_CHECKPOINT_URL, data=line.encode("ascii"), headers=headers
    )
    urllib.request.urlopen(request, timeout=_TIMEOUT).close()  # noqa: S310
