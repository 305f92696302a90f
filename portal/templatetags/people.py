"""What pages say of people."""

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.templatetags import ui

register = template.Library()


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
    return ui.draw_badge(_find_badge(person))


@register.filter
def has_link(person: models.User) -> bool:
    until = vars(person).get("link_until")
    return until is not None and until > timezone.now()


def _find_badge(person: models.User) -> ui.Badge:
    if not person.is_active:
        return ui.Badge(_("Deactivated"), "off", "circle-minus")
    if person.has_usable_password():
        return ui.Badge(_("Active"), "ok", "circle-check")
    if has_link(person):
        return ui.Badge(_("Invited"), "wait", "clock")
    return ui.Badge(_("Needs a link"), "warn", "triangle-alert")
