"""What every page shows: the bar, the theme, whether the sandbox is in use, and a pause of the key."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from portal import models
from portal.services.people import mail, people, policy
from portal.services.reconciliation import operator_actions
from portal.views.components import live
from portal.views.cookies import THEMES
from portal.views.http import read_key

# What lies below an entry of the bar: names of addresses.
_BELOW = {
    "request_list": ("request_detail", "request_close"),
    "workstation_list": ("workstation_detail",),
    "workspace_list": ("workspace_detail",),
    "usage": ("limits",),
    "unknown": ("unknown_decide", "orphan_decide"),
    "people_list": ("person_detail",),
    "admin:index": ("audit_log",),
    "failure_list": ("failure_detail",),
}


@dataclass(frozen=True)
class Entry:
    """A link of the bar. `current`: the value of aria-current. `count`: what waits there."""

    words: str
    link: str
    current: str
    count: int


def portal(request: HttpRequest) -> dict[str, object]:
    """One query for somebody who is signed in, and one more on a whole page."""
    theme = request.COOKIES.get(settings.THEME_COOKIE, "auto")
    return {
        "theme": theme if theme in THEMES else "auto",
        "using_sandbox": settings.USING_SANDBOX,
        "has_mail": mail.is_set_up(),
        "takes_passwords": settings.PORTAL_PASSWORD_SIGN_IN,
        "operators": SimpleLazyObject(people.name_operators),  # asked where they are named
        "support_contact": SimpleLazyObject(lambda: policy.read_policy().support_contact),  # likewise
        "is_poll": live.is_poll(request),
        "offers_zone": _offers_zone(request),
        "list_navigation": partial(_list_navigation, request),  # called by the one template that shows it
        **_read_key(request),
    }


def _offers_zone(request: HttpRequest) -> bool:
    """The browser's time zone is offered to who has chosen none, but on the page where it is chosen."""
    match, user = request.resolver_match, getattr(request, "user", None)
    is_choosing = match is not None and match.url_name == "account"
    return user is not None and user.is_authenticated and not user.time_zone and not is_choosing


def _list_navigation(request: HttpRequest) -> list[Entry]:
    """The first five are always shown, the others under "More". One query more for an operator."""
    here = request.resolver_match.url_name if request.resolver_match else ""
    entries = []
    for words, name, count in _choose_entries(cast(models.User, request.user)):  # asked only where one is signed in
        current = "page" if here == name else "true" if here in _BELOW.get(name, ()) else ""
        entries.append(Entry(words, reverse(name), current, count))
    return entries


def _read_key(request: HttpRequest) -> dict[str, object]:
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return {"key": None}
    key = read_key(request)
    return {
        "key": key,
        "who_ends": SimpleLazyObject(lambda: key.describe_end(people.name_operators())),  # asked where it is said
        "sending_state": _name_sending_state(key, is_working=getattr(request.session, "is_working", True)),
        "key_version": live.read_version(request, key=key),
        "has_just_moved": live.has_just_moved(request, key=key),
    }


def _name_sending_state(key: models.Key, *, is_working: bool) -> str:
    """Machines read these words."""
    if key.is_paused:
        return "paused"
    if not is_working:
        return "offline"
    return "resuming" if key.is_resuming else "active"


def _choose_entries(user: models.User) -> Iterator[tuple[str, str, int]]:
    sees_all, decides = user.sees_all, user.decides
    if decides or not sees_all:
        yield _("Home"), "home", 0
    if sees_all:
        yield _("Overview"), "overview", 0
    yield _("Requests"), "request_list", 0
    if sees_all:
        yield _("Workstations"), "workstation_list", 0
    if sees_all and decides:
        yield _("Review"), "unknown", operator_actions.count_open_decisions()
    if decides or not sees_all:
        yield _("Workspaces"), "workspace_list", 0
    if not sees_all:
        yield _("Workstations"), "workstation_list", 0
    yield _("Usage"), "usage", 0
    if sees_all:
        yield _("Audit log"), "admin:index", 0
    if user.is_superuser:
        yield _("People"), "people_list", 0
        yield _("Portal settings"), "settings", 0
    yield _("Status"), "key", 0
    yield _("Help"), "failure_list", 0
