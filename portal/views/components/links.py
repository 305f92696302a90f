"""Links from other pages into the history: the one place that names its parameters outside of it."""

from datetime import date
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone


def to_history(
    *,
    status: str = "",
    type: str = "",
    failure: str = "",
    person: str = "",
    since: date | None = None,
    until: date | None = None,
) -> str:
    """Where the requests are listed that all of these fit.

    `since` and `until` are whole days of the portal's zone, both included; it is named where the person has another.
    """
    values = {"status": status, "type": type, "failure": failure, "person": person}
    days = {"since": since.isoformat() if since else "", "until": until.isoformat() if until else ""}
    zone = timezone.get_default_timezone_name()
    if (since or until) and zone != timezone.get_current_timezone_name():
        days["zone"] = zone
    return f"{reverse('request_list')}?{urlencode({name: value for name, value in (values | days).items() if value})}"
