"""What somebody who helps has to know about a request, as a text to copy. Never the key, nor anything made from it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from django.utils.translation import gettext as _

import portal
from portal import models


def describe_request(*, portal_request: models.Request, attempts: Iterable[models.Attempt]) -> str:
    """The text; times are in UTC and to the second. The attempts come with their late responses."""
    failure = f" ({portal_request.failure})" if portal_request.failure else ""
    lines = [
        f"{_('Request')}: {portal_request.label}",
        f"{_('State')}: {portal_request.state}{failure}",
        f"{_('Type')}: {portal_request.type}",
        f"{_('Workspace')}: {portal_request.workspace_uid or _('a new one')}",
        f"{_('Requested')}: {_write_time(portal_request.created_at)}",
        f"{_('Ended')}: {_write_time(portal_request.ended_at)}",
    ]
    for attempt in attempts:
        lines += ["", *_describe_attempt(attempt)]
    return "\n".join([*lines, "", f"{_('Portal')}: {portal.__version__}"])


def _describe_attempt(attempt: models.Attempt) -> Iterator[str]:
    yield f"{_('Attempt')} {attempt.number}: {_write_time(attempt.claimed_at)} – {_write_time(attempt.ended_at)}"
    yield from _describe_response(attempt)
    late = getattr(attempt, "late_response", None)
    if late is not None:
        yield f"  {_('Late response')}: {_write_time(late.came_at)}"
        yield from _describe_response(late)


def _describe_response(response: models.Attempt | models.LateResponse) -> Iterator[str]:
    failure = f" ({response.failure})" if response.failure else ""
    yield f"  {_('Outcome')}: {response.get_outcome_display()}{failure}"
    yield f"  {_('HTTP status')}: {response.http_status or _('none')}"
    if response.words:
        yield f"  {_('Response')}: {response.words}"


def _write_time(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if time else "–"
