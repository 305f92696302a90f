"""What rows of tables are called."""

from django import template
from django.utils.text import Truncator
from django.utils.translation import gettext

from portal import models

register = template.Library()


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
