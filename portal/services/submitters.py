"""Who may ask for workstations."""

from django.db.models import QuerySet

from portal import models

_PERMISSION, _BACKEND = "portal.submit_request", "django.contrib.auth.backends.ModelBackend"


def list_submitters() -> QuerySet[models.User]:
    """Everybody who is active and may request workstations."""
    return models.User.objects.with_perm(_PERMISSION, backend=_BACKEND)


def list_left_workstations(*, account: models.Account) -> QuerySet[models.Workstation]:
    """Live workstations of people who may not request any more, and that nobody is giving back."""
    owned = models.Workstation.objects.live().filter(account=account, request__isnull=False, release_asked_at=None)
    return owned.exclude(request__requester__in=list_submitters())
