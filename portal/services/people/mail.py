"""Gives mails to the mail server, outside of transactions, in a job of the workers; and writes those with a link."""

import logging
import smtplib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings
from django.core.mail import EmailMessage, mailers
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import models
from portal.db import release_connection
from portal.services.people import links

logger = logging.getLogger(__name__)

LONGEST = 10.0  # seconds in which mails are begun, and a tenth more for each
PATIENCE = 65.0  # seconds more for the answer to the last: a server may look at the mail before it answers
_THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="mail")


def is_set_up() -> bool:
    """Whether `EMAIL_URL` is set."""
    return "default" in mailers


def can_reach(*, person: models.User) -> bool:
    """Whether the person has an address and mail is set up."""
    return is_set_up() and bool(person.email)


def write_link(*, person: models.User, link: links.NewLink, actor: models.User | None) -> EmailMessage:
    """A mail with the link, which the actor made for somebody, or without one the portal, because it was asked to."""
    shown = {"person": person, "link": link, "actor": actor, "portal": settings.PORTAL_URL}
    with timezone.override(person.zone):
        body = render_to_string("mail/link.txt", shown)
    # Nothing that people have typed stands in the head, but the address.
    subject = _("Choose your password for the workstation portal")
    return EmailMessage(subject, body, to=[person.email], headers={"Auto-Submitted": "auto-generated"})


@dataclass(frozen=True)
class Outcome:
    """Of one mail `failure`: why it was not sent; empty where the mail server took it. Only one that was refused surely
    reaches nobody."""

    failure: str = ""
    is_refused: bool = False


def send(*, mails: Sequence[EmailMessage]) -> list[Outcome]:
    """Give each mail to the mail server by itself. Returns what came of the first, as many as there was time for."""
    if not mails:
        return []
    release_connection()
    outcomes, until = list[Outcome](), time.monotonic() + LONGEST + len(mails) / 10
    # A server that answers slowly, step by step, is not waited for: the thread goes on alone.
    sending = _THREADS.submit(_send, mails, outcomes, until)
    with suppress(TimeoutError):
        sending.result(timeout=until + PATIENCE - time.monotonic())
    sending.cancel()
    for failure in {one.failure for one in outcomes} - {""}:
        logger.warning("Mail could not be sent: %s.", failure)
    return [*outcomes]


def _send(mails: Sequence[EmailMessage], outcomes: list[Outcome], until: float) -> None:
    server = mailers.default
    for mail in mails:
        if time.monotonic() > until:
            break
        outcomes.append(Outcome("TimeoutError"))  # until there is an answer
        try:
            server.open()  # or else it would be closed after each
            server.send_messages([mail])
            outcomes[-1] = Outcome()
            continue
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused, ValueError) as error:
            outcomes[-1] = Outcome(_describe(error), is_refused=True)
        except OSError as error:
            outcomes[-1] = Outcome(_describe(error))
        _close(server)  # the next mail has a connection of its own, whatever became of this one
    _close(server)


def _describe(error: Exception) -> str:
    """Without the server's own words, which may quote the mail, and so the link."""
    return f"{type(error).__name__} {getattr(error, 'smtp_code', '')}".strip()


def _close(server: BaseEmailBackend) -> None:
    with suppress(OSError):
        server.close()
