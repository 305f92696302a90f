"""Links from other pages into the history: the one place that names its parameters outside of it."""

from datetime import date
from urllib.parse import parse_qsl, urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import forms, models


def to_history(*, since: date | None = None, until: date | None = None, **filters: str) -> str:
    """`since` and `until` are whole days of the portal's zone, both included.
    The link names the zone where the person has another."""
    zone = timezone.get_default_timezone_name()
    if since and until:
        filters |= {"since": since.isoformat(), "until": until.isoformat()}
        if zone != timezone.get_current_timezone_name():
            filters["zone"] = zone
    return f"{reverse('request_list')}?{urlencode(filters)}"


_DAYS = {"since", "until", "zone"}


def list_presets(*, query: str = "") -> list[tuple[str, str, bool]]:
    """Common lists as words, a link, and whether it is the list that is shown. Links keep the filters of `query`."""
    lists = [
        *forms.list_periods(to_history, zone=timezone.get_default_timezone()),
        (_("Failed"), to_history(status=models.Request.Status.FAILED)),
        (_("Checking"), to_history(status=models.Request.Status.UNKNOWN)),
    ]
    return [_add_to_query(words, link=link, query=query) for words, link in lists]


def _add_to_query(words: str, *, link: str, query: str) -> tuple[str, str, bool]:
    address, _mark, own = link.partition("?")
    shown, wanted = dict(parse_qsl(query)), dict(parse_qsl(own))
    kept = {name: value for name, value in shown.items() if not (name in _DAYS and _DAYS & wanted.keys())}
    is_current = wanted.items() <= shown.items()
    return words, f"{address}?{urlencode(kept | wanted)}", is_current
