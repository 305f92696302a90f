"""What people set for themselves, and who is there to help."""

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils.translation import gettext as _

from portal import models
from portal.models.event import Verb
from portal.services import audit


@transaction.atomic
def set_time_zone(*, person: models.User, time_zone: str) -> None:
    """Show the person times in this zone; empty: in the portal's. What stays as it was is no event."""
    stored = models.User.objects.select_for_update().get(pk=person.pk)
    before = stored.time_zone
    if before == time_zone:
        return
    stored.time_zone = time_zone
    stored.save(update_fields=["time_zone"])
    audit.record(Verb.SET_TIME_ZONE, stored, by=stored, detail={"before": before, "after": time_zone})


def dismiss_releases(*, person: models.User, until: int) -> None:
    """Say no more to the person of what others released of theirs, up to the event with this number."""
    last = models.Event.objects.filter(pk__lte=until).aggregate(last=Max("pk"))["last"] or 0
    models.User.objects.filter(pk=person.pk, last_read_release__lt=last).update(last_read_release=last)


def list_permitted(*, codename: str) -> QuerySet[models.User]:
    """Active people who have this permission of the portal, by a group, by themselves, or as administrators."""
    # `with_perm` of Django's manager asks about each person by itself: 20 ms for 300 of them.
    groups, own = models.User.groups.through, models.User.user_permissions.through
    by_group = groups._default_manager.filter(
        group__permissions__codename=codename, group__permissions__content_type__app_label="portal"
    )
    by_name = own._default_manager.filter(permission__codename=codename, permission__content_type__app_label="portal")
    may = Q(is_superuser=True) | Q(pk__in=by_group.values("user")) | Q(pk__in=by_name.values("user"))
    return models.User.objects.filter(may, is_active=True)


def name_operators() -> str:
    """Who can resume sending, as part of a sentence: by their names, unless they are many or nobody."""
    operators = models.User.objects.filter(groups__permissions__codename="resume_key", is_active=True).distinct()
    names = [person.label for person in operators.order_by("username")[:4]]
    if not names or len(names) > 3:
        return _("an operator")
    return _(" or ").join(filter(None, (", ".join(names[:-1]), names[-1])))
