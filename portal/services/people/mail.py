"""Mails with a sign-in link: given to the mail server outside of transactions, and nobody waits for it for long."""

import logging
import smtplib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from django.conf import settings
from django.core.mail import EmailMessage, mailers
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import models
from portal.db import release_connection
from portal.services.people import links

logger = logging.getLogger(__name__)

LONGEST = 10.0  # seconds that are waited for one mail, and a tenth more for each further one
_THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="mail")


def is_set_up() -> bool:
    return "default" in mailers


def can_reach(*, person: models.User) -> bool:
    return is_set_up() and bool(person.email)


def write_link(*, person: models.User, link: links.NewLink, actor: models.User | None) -> EmailMessage:
    """A mail with the link, which the actor made for somebody, or without one the portal, because it was asked to."""
    told = {"person": person, "link": link, "actor": actor, "portal": settings.PORTAL_URL}
    with timezone.override(person.zone):
        body = render_to_string("mail/link.txt", told)
    # Nothing that people have typed stands in the head, but the address.
    subject, headers = _("Choose your password for the workstation portal"), {"Auto-Submitted": "auto-generated"}
    return EmailMessage(subject, body, to=[person.email], headers=headers)


def send(*, mails: Sequence[EmailMessage]) -> list[str]:
    """Of each mail why it was not sent; empty where the mail server took it."""
    if not mails:
        return []
    release_connection()
    reasons, until = ["TimeoutError"] * len(mails), time.monotonic() + LONGEST + len(mails[1:]) / 10
    # A server that answers slowly, step by step, is not waited for: the thread goes on alone.
    sending = _THREADS.submit(_send, mails, reasons, until)
    with suppress(TimeoutError):
        sending.result(timeout=until - time.monotonic())
    sending.cancel()
    for reason in {*reasons} - {""}:
        logger.warning("Mail could not be sent: %s.", reason)
    return [*reasons]


def _send(mails: Sequence[EmailMessage], reasons: list[str], until: float) -> None:
    server, place = mailers.default, 0
    try:
        server.open()
        for place, mail in enumerate(mails):
            if time.monotonic() > until:
                return
            try:
                server.send_messages([mail])
                reasons[place] = ""
            except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused, ValueError) as error:
                reasons[place] = _describe(error)  # the others may be taken
    except (OSError, ValueError) as error:
        reasons[place:] = [_describe(error)] * len(reasons[place:])
    finally:
        with suppress(OSError):
            server.close()


def _describe(error: Exception) -> str:
    """Without the server's own words, which may quote the mail, and so the link."""
    return f"{type(error).__name__} {getattr(error, 'smtp_code', '')}".strip()
