"""What rows of tables are called, and when they end."""

import math
from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext

from portal import models

register = template.Library()

register.filter("lifetime", models.describe_lifetime)

_DAY = 86_400  # seconds


@register.simple_tag(takes_context=True)
def workstation_name(context: template.Context, row: models.Workstation | models.Request) -> str:
    """Its type, and for its owner and who sees everything its request's note or its workspace's name."""
    name, user = Truncator(models.label_type(row.type) or gettext("Workstation")).chars(60), context["user"]
    owned, space = (row, None) if isinstance(row, models.Request) else (row.request, row.workspace)
    if not user.sees_all:
        owned = owned if owned and owned.requester_id == user.pk else None
        space = space if owned and space and space.owner_id == user.pk else None
    about = (owned and owned.note) or (space and space.name)
    return f'{name} "{Truncator(about).chars(60)}"' if about else name


@register.simple_tag
def time_left(workstation: models.Workstation) -> str:
    """When the portal releases it, as a sentence; empty where it has ended, or is being released."""
    if not workstation.is_live or workstation.release_requested_at or workstation.request_id is None:
        return ""
    if workstation.ends_at is None:
        return gettext("No end is set.")
    length = describe_left(workstation.ends_at - timezone.now())
    words = (
        gettext("Nobody uses it: ends in %(length)s.") if workstation.end_is_idle else gettext("Ends in %(length)s.")
    )
    return words % {"length": length}


def describe_left(left: timedelta) -> str:
    seconds = max(0.0, left.total_seconds())
    days, rest = divmod(int(seconds), _DAY)
    if days > 1:
        return gettext("%(days)s d %(hours)s h") % {"days": days, "hours": rest // 3600}
    return models.describe_duration(seconds)


@register.filter
def seconds_left(until: datetime) -> int:
    return max(0, math.ceil((until - timezone.now()).total_seconds()))
