"""Rows of tables with what their cells say: a template would look it up, translate and format it for each row anew."""

from collections.abc import Iterable

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext

from portal import models
from portal.templatetags import ui

register = template.Library()


@register.filter
def request_rows(requests: Iterable[models.Request]) -> list[dict[str, str]]:
    """The requests as dictionaries, in which templates find things at once, with the `person` where that was read."""
    every, now = list(requests), timezone.localtime()
    badges = {(row.status, row.needs_review): row for row in every}
    states = {state: ui.request_state(row) for state, row in badges.items()}
    types = {name: models.label_type(name) for name in {row.type for row in every}}
    links = {code: reverse("failure_detail", args=[code]) for code in {row.failure for row in every} if code}
    start = reverse("request_list")
    return [
        {
            "label": row.label,
            "link": f"{start}{row.pk}/",
            "type": types[row.type],
            "workspace": row.workspace_uid,
            "person": row.requester.label if models.Request.requester.is_cached(row) else "",
            "state": states[row.status, row.needs_review],
            "failure": row.failure,
            "failure_link": links.get(row.failure, ""),
            "requested": ui.draw_moment(row.created_at.astimezone(now.tzinfo), now=now),
            "took": ui.took(row),
        }
        for row in every
    ]


@register.simple_tag(takes_context=True)
def workstation_name(context: template.Context, row: models.Workstation | models.Request) -> str:
    """Its type, and for its owner and who sees everything its request's note or its workspace's name."""
    name, user = Truncator(models.label_type(row.type) or gettext("Workstation")).chars(60), context["user"]
    owned, space = (row, None) if isinstance(row, models.Request) else (row.request, row.workspace)
    if not user.has_perm("portal.see_all"):
        owned = owned if owned and owned.requester_id == user.pk else None
        space = space if owned and space and space.owner_id == user.pk else None
    about = (owned and owned.note) or (space and space.name)
    return f'{name} "{Truncator(about).chars(60)}"' if about else name
