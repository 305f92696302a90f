"""Who may ask for workstations."""

from django.db.models import Q, QuerySet

from portal import models

_CODENAME, _APP = "submit_request", "portal"


def list_submitters() -> QuerySet[models.User]:
    """Everybody who is active and may request workstations.

    As `with_perm` of Django's manager has it, which asks about each person by itself: 20 ms for 300 of them.
    """
    groups, own = models.User.groups.through, models.User.user_permissions.through
    by_group = groups._default_manager.filter(
        group__permissions__codename=_CODENAME, group__permissions__content_type__app_label=_APP
    )
    by_name = own._default_manager.filter(permission__codename=_CODENAME, permission__content_type__app_label=_APP)
    may_ask = Q(is_superuser=True) | Q(pk__in=by_group.values("user")) | Q(pk__in=by_name.values("user"))
    return models.User.objects.filter(may_ask, is_active=True)


def list_left_workstations(*, account: models.Account) -> QuerySet[models.Workstation]:
    """Live workstations of people who may not request any more, and that nobody is giving back."""
    # Read first: they are few, often nobody, while all that is live would have to be asked whose it is.
    people = models.User.objects.exclude(pk__in=list_submitters()).values_list("pk", flat=True)
    live = models.Workstation.objects.live().filter(account=account, release_requested_at=None)
    return live.filter(request__requester__in=list(people))
