"""What every page shows: the theme, whether the sandbox is in use, and a hold of the key."""

from django.conf import settings
from django.http import HttpRequest

from portal import models
from portal.services import accounts, keyhold

THEMES = ("light", "auto", "dark")


def portal(request: HttpRequest) -> dict[str, object]:
    """Context for all templates. One query for somebody who is signed in."""
    theme = request.COOKIES.get("theme", "auto")
    return {
        "theme": theme if theme in THEMES else "auto",
        "using_sandbox": settings.USING_SANDBOX,
        "key": _find_key(request),
    }


def _find_key(request: HttpRequest) -> models.Key | None:
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return None
    return keyhold.get_key(account=accounts.get_current_account())
