"""Small pieces of pages."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from urllib.parse import urlencode

from django import template
from django.conf import settings
from django.contrib.messages.storage.base import Message
from django.forms.utils import flatatt
from django.template import Context
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from portal import failures, models

register = template.Library()
register.filter("type_name", models.label_type)
register.filter("duration", models.describe_duration)
register.filter(flatatt)

_MINUTE, _HOUR = 60, 3600  # seconds


class Badge(NamedTuple):
    """A state as people see it: a word and its colour, never colour alone."""

    label: failures.Words
    tone: str


_S = models.Request.Status
REQUEST_BADGES: Mapping[str, Badge] = {
    _S.QUEUED: Badge(_("Queued"), "busy"),
    _S.SENDING: Badge(_("Sending"), "busy"),
    _S.SUCCEEDED: Badge(_("Ready"), "ok"),
    _S.FAILED: Badge(_("Failed"), "bad"),
    _S.UNKNOWN: Badge(_("Checking"), "warn"),
    _S.CANCELLED: Badge(_("Cancelled"), "off"),
}
RUNNING = Badge(_("Running"), "ok")
_ENDED = Badge(_("Ended"), "off")
_NEEDS_REVIEW = Badge(_("Needs review"), "warn")
# The first that stands in what the browser says: most say what they want to be taken for, too.
_BROWSERS = {
    "Edg/": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "HeadlessChrome/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {name: name for name in ("Android", "iPhone", "iPad", "Windows")}
_SYSTEMS |= {"Mac OS X": "macOS", "CrOS": "ChromeOS", "Linux": "Linux"}
# Parts of a time in Django's formats, as `strftime` has them. Django leaves out the zone in the hour that comes twice.
_CODES = str.maketrans({"j": "%-d", "M": "%b", "Y": "%Y", "H": "%H", "i": "%M", "s": "%S", "T": "%Z"})
_FACES = 6  # colours
_MESSAGE_TONES = {"success": "ok", "error": "bad", "warning": "warn"}
_LEVEL_TONES = {"error": "t-bad", "warn": "t-warn", "warning": "t-warn"}
_WEB_URL = re.compile(r"https?://[\w.:\[\]-]+([/?#][!-~]*)?", re.ASCII | re.IGNORECASE)
_SIZES = ("KB", "MB", "GB", "TB", "PB", "EB")
_BANNER_PAUSE = 15  # seconds between polls for the notice of a pause
_TYPE_ICONS = {
    "max": "monitor",
    "zoom-chromium": "video",
    "meet-chromium": "users",
    "voip": "phone",
    "voip-chromium": "phone-call",
    "chromium": "globe",
    "python": "file-code",
    "nodejs": "hexagon",
    "golang": "box",
}


@register.simple_tag
@cache
def icon(name: str, css_class: str = "icon") -> SafeString:
    """A picture from the sprite, hidden from assistive technology: a word stands beside it."""
    return format_html(
        '<svg class="{}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        css_class,
        static("icons.svg"),
        name,
    )


@register.simple_tag(takes_context=True)
def favicon(context: Context, tone: str = "") -> SafeString:
    """The tab's icon, in the colour of a state; in the answer to a poll it takes the place of the one before."""
    return format_html(
        '<link rel="icon" id="icon" href="{}" type="image/svg+xml"{}>',
        static(f"icons/{tone}.svg" if tone else "favicon.svg"),
        SafeString(' data-hx-swap-oob="outerMorph"') if context.get("is_poll") else "",
    )


@register.simple_tag(takes_context=True)
def polls(context: Context, name: str, *args: object, **query: str) -> SafeString:
    """The attributes with which a live part asks for itself; none where nothing more will change."""
    part = context.get("live")
    if not part:
        return SafeString("")
    more = {"awaited": ""} if part.is_awaited else {}
    more |= {"soon": f"{part.soon:.2g}"} if part.soon else {}
    return _poll_attributes(reverse(name, args=args), {**query, "seen": part.version}, part.pause, **more)


@register.simple_tag(takes_context=True)
def banner_polls(context: Context) -> SafeString:
    """For the notice of a pause, on a page without a live part that brings it along."""
    return _poll_attributes(reverse("key_banner"), {"seen": context["key_version"]}, _BANNER_PAUSE)


def _poll_attributes(url: str, query: Mapping[str, str], pause: int, **more: str) -> SafeString:
    return format_html(
        'data-hx-get="{}?{}" data-hx-trigger="poll" data-hx-swap="outerMorph" data-pause="{}"{}',
        url,
        urlencode(query),
        pause,
        format_html_join("", ' data-{}="{}"', more.items()),
    )


@register.filter
def request_label(number: int) -> str:
    return models.Request(pk=number).label


@register.filter
def lookup[Value](values: Mapping[int, Value], key: int) -> Value | None:
    return values.get(key)


@register.filter
def type_icon(type: str) -> str:
    return _TYPE_ICONS.get(type, "server")


@register.simple_tag
def state(row: models.Request | models.Workstation, *, big: bool = False) -> SafeString:
    return draw_badge(find_badge(row), big=big)


@register.simple_tag
def draw_badge(badge: Badge, *, big: bool = False) -> SafeString:
    size = " big" if big else ""
    return format_html('<span class="state t-{}{}"><bdi>{}</bdi></span>', badge.tone, size, badge.label)


@register.filter
def tone(row: models.Request | models.Workstation) -> str:
    return find_badge(row).tone


@register.filter("badge")
def find_badge(row: models.Request | models.Workstation) -> Badge:
    if isinstance(row, models.Request):
        if row.needs_review:
            return _NEEDS_REVIEW
        return _ENDED if row.has_ended else REQUEST_BADGES[row.status]
    if row.status == "errored":
        return Badge(_("Errored"), "bad")
    if not row.is_live:
        return _ENDED
    if row.release_requested_at:
        return Badge(_("Releasing"), "busy")
    if row.missing_since:
        return Badge(_("Not found"), "warn")
    if row.status == "active":
        return RUNNING
    return Badge(row.status or _("No status"), "off")


@register.filter
def message_tone(message: Message) -> str:
    return _MESSAGE_TONES.get(message.tags, "busy")


@register.filter
def level_tone(level: str) -> str:
    return _LEVEL_TONES.get(level.lower(), "")


@register.simple_tag
def moment(time: datetime | None, format: str = "") -> str | SafeString:
    if time is None:
        return "–"
    return draw_moment(timezone.localtime(time), now=timezone.localtime(), format=format)


def draw_moment(time: datetime, *, now: datetime, format: str = "") -> SafeString:
    """Both times are in the reader's zone. The result has only figures, a zone and the portal's words."""
    exactly = _say_exactly(time, "j M Y, H:i:s T")
    shown = _say_exactly(time, format) if format else say_when(time, now=now)
    # What a page says of the same day ages while it is open.
    ages = "" if format or time.date() != now.date() else f' data-now="{now.timestamp():.0f}"'
    return SafeString(f'<time datetime="{time.isoformat(timespec="seconds")}" title="{exactly}"{ages}>{shown}</time>')


def _say_exactly(time: datetime, format: str) -> str:
    """Django's own formats take many times as long: a page has up to two hundred times."""
    return time.strftime(format.translate(_CODES))


def say_when(time: datetime, *, now: datetime) -> str:
    """Both times are in the reader's zone. What lies ahead, and is older than yesterday, is a date."""
    # In UTC: within one zone Python counts by the clock on the wall, which DST sets forward and back.
    seconds = (now.astimezone(UTC) - time.astimezone(UTC)).total_seconds()
    if abs(seconds) < _MINUTE:  # the provider's clock may be ahead of ours
        return gettext("just now")
    if 0 < seconds < _HOUR:
        minutes = int(seconds // _MINUTE)
        return ngettext("%(number)d minute ago", "%(number)d minutes ago", minutes) % {"number": minutes}
    if seconds > 0 and time.date() == now.date():
        hours = int(seconds // _HOUR)
        return ngettext("%(number)d hour ago", "%(number)d hours ago", hours) % {"number": hours}
    if time.date() == now.date() - timedelta(days=1):
        return gettext("yesterday, %(time)s") % {"time": _say_exactly(time, "H:i")}
    return _say_exactly(time, "j M, H:i" if time.year == now.year else "j M Y")


@register.filter
def took(portal_request: models.Request) -> str:
    ended = portal_request.ended_at
    return models.describe_duration((ended - portal_request.created_at).total_seconds() if ended else None)


@register.filter
def pretty(raw: str) -> str:
    try:
        return json.dumps(json.loads(raw), indent=2)
    except (ValueError, RecursionError):
        return raw


@register.filter
def browser_name(agent: str) -> str:
    browser = next((name for mark, name in _BROWSERS.items() if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS.items() if mark in agent), "")
    if not browser:
        return Truncator(agent).chars(60) or gettext("Unknown browser")
    return gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system} if system else browser


@register.simple_tag(takes_context=True)
def workspace_link(context: Context, workspace: models.Workspace) -> SafeString:
    """A workspace by its name, or by its ID where it has none or the reader may not know it."""
    user = context["user"]
    may_know = workspace.owner_id == user.pk or user.sees_all
    try:
        link = reverse("workspace_detail", args=[workspace.uid])
    except NoReverseMatch:  # the provider's IDs may be anything
        return format_html('<span class="mono"><bdi>{}</bdi></span>', workspace.uid)
    if workspace.name and may_know:
        return format_html('<a href="{}"><bdi>{}</bdi></a>', link, workspace.name)
    return format_html('<a class="mono" href="{}"><bdi>{}</bdi></a>', link, workspace.uid)


@register.filter
def is_web_url(url: str) -> bool:
    """Whether a URL from outside may be a link: it shows where it leads, without a name before its host."""
    return _WEB_URL.fullmatch(url) is not None


@register.filter
def file_size(size: int | None) -> str:
    if size is None:
        return "–"
    if size < 1000:
        return f"{size} B"
    power = min((len(str(size)) - 1) // 3, len(_SIZES))
    return f"{size / 1000**power:.1f} {_SIZES[power - 1]}"


@register.filter
def roles(person: models.User) -> str:
    if person.is_superuser:
        return gettext("Administrator")
    return ", ".join(sorted(group.name for group in person.groups.all())) or gettext("None")


@register.filter
def naming(words: failures.Words, operators: object) -> str:
    return str(words) % {"operator": operators}


@register.simple_tag
def person_state(person: models.User) -> SafeString:
    """The person comes with `link_until`."""
    return draw_badge(_find_badge(person))


@register.simple_tag
def face(person: models.User) -> SafeString:
    """Two letters on a colour that is always the person's; who cannot see it is told the name beside it."""
    words = (person.get_full_name() or person.username).split()
    letters = words[0][:1] + words[-1][:1] if len(words) > 1 else words[0][:2]
    return format_html(
        '<span class="face f{}" title="{}" aria-hidden="true">{}</span>',
        person.pk % _FACES,
        person.label,
        letters.upper(),
    )


@register.filter
def has_link(person: models.User) -> bool:
    until = vars(person).get("link_until")
    return until is not None and until > timezone.now()


def _find_badge(person: models.User) -> Badge:
    if not person.is_active:
        return Badge(_("Deactivated"), "off")
    if person.is_service:
        return Badge(_("Service account"), "ok")
    if person.has_usable_password() or person.last_login:
        return Badge(_("Active"), "ok")
    if has_link(person) or not settings.PORTAL_PASSWORD_SIGN_IN:
        return Badge(_("Invited"), "busy")
    return Badge(_("Needs a link"), "warn")
