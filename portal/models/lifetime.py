"""How long a workstation lives, in words such as `8h`; `none`: until somebody releases it."""

import re
from datetime import timedelta

from django.utils.translation import gettext, ngettext_lazy

UNENDING = "none"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LABELS = {
    "s": ngettext_lazy("%d second", "%d seconds"),
    "m": ngettext_lazy("%d minute", "%d minutes"),
    "h": ngettext_lazy("%d hour", "%d hours"),
    "d": ngettext_lazy("%d day", "%d days"),
}
_LIFETIME = re.compile(rf"([1-9][0-9]{{0,4}})([{''.join(_UNITS)}])")


def read_lifetime(text: str) -> timedelta | None:
    """None for one without an end. Raises ValueError for what is no lifetime."""
    if text == UNENDING:
        return None
    match = _LIFETIME.fullmatch(text)
    if match is None:
        raise ValueError("not a lifetime")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def describe_lifetime(text: str) -> str:
    """A lifetime such as `8h` in words."""
    match = _LIFETIME.fullmatch(text)
    return _LABELS[match[2]] % int(match[1]) if match else gettext("No end: until it is released")


def describe_duration(seconds: float | None) -> str:
    """A length of time as pages write it; a dash where there is none."""
    if seconds is None:
        return "–"
    if 0 <= seconds < 1:
        return gettext("less than 1 s")
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return gettext("%(hours)s h %(minutes)02d min") % {"hours": hours, "minutes": minutes}
    if minutes:
        return gettext("%(minutes)s min %(seconds)02d s") % {"minutes": minutes, "seconds": rest}
    return gettext("%(seconds)s s") % {"seconds": rest}
