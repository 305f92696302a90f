"""Who may ask for workstations."""

from django.db.models import QuerySet

from portal import models

_PERMISSION, _BACKEND = "portal.submit_request", "django.contrib.auth.backends.ModelBackend"


def list_submitters() -> QuerySet[models.User]:
    """Everybody who is active and may request workstations."""
    return models.User.objects.with_perm(_PERMISSION, backend=_BACKEND)


def list_left_workstations(*, account: models.Account) -> QuerySet[models.Workstation]:
    """Live workstations of people who may not request any more, and that nobody is giving back."""
    # Read first: they are few, often nobody, while all that is live would have to be asked whose it is.
    people = models.User.objects.exclude(pk__in=list_submitters()).values_list("pk", flat=True)
    live = models.Workstation.objects.live().filter(account=account, release_requested_at=None)
    return live.filter(request__requester__in=list(people))
