"""Who may ask for workstations."""

from django.db.models import QuerySet

from portal import models

_PERMISSION, _BACKEND = "portal.submit_request", "django.contrib.auth.backends.ModelBackend"


def list_submitters() -> QuerySet[models.User]:
    """Everybody who is active and may request workstations."""
    return models.User.objects.with_perm(_PERMISSION, backend=_BACKEND)
