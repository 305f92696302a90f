"""Sharing a workstation: its owner lets somebody look or work, and takes it back."""

from datetime import timedelta

from django.db.models import Case, F, Q, When
from django.utils.translation import gettext as _

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.connections import access
from portal.services.key import key_lock

_MOST_SUGGESTED = 200


class NotShared(Exception):
    """The workstation cannot be shared so; the message is fit for its owner."""


class Ended(NotShared):
    """There is nothing to share any more."""


def share_workstation(
    *,
    owner: models.User,
    workstation: models.Workstation,
    name: str,
    level: models.Share.Level,
    lasts: timedelta | None = None,
) -> models.Share:
    """Let the person in, for so long or while the workstation lives; a former share ends. Raises NotShared."""
    with key_lock.deciding(account=workstation.account_id):
        return _share(owner=owner, workstation=workstation, name=name, level=level, lasts=lasts)


def _share(
    *,
    owner: models.User,
    workstation: models.Workstation,
    name: str,
    level: models.Share.Level,
    lasts: timedelta | None,
) -> models.Share:
    rows = models.Workstation.objects.filter(pk=workstation.pk, request__requester=owner)
    locked = rows.select_for_update(of=("self",)).first()  # two at once would be two shares
    if locked is None or not access.is_open(workstation=locked):
        raise Ended(_("This workstation has ended, or is being released."))
    person = _find_person(name)
    if person is None:
        raise NotShared(_("There is nobody called %(name)s in the portal.") % {"name": name})
    if person == owner:
        raise NotShared(_("It is yours already."))
    if person.decides:
        # A share could promise neither that they only look nor that it ends.
        raise NotShared(
            _("%(name)s is a portal operator, who can open any workstation by giving a reason. It needs no sharing.")
            % {"name": person.label}
        )
    for former in models.Share.objects.filter(workstation=workstation, person=person, ended_at=None):
        _end(share=former, by=owner)
    until = clock.read_clock() + lasts if lasts else None
    share = models.Share.objects.create(workstation=workstation, person=person, level=level, until=until)
    detail = {"person": person.get_username(), "level": level, "until": until.isoformat() if until else None}
    audit.record(Verb.SHARE, workstation, by=owner, detail=detail, rows=[share])
    return share


def _find_person(name: str) -> models.User | None:
    """Whoever has this username; with other capitals, or as a name, only where that is nobody else's, too."""
    people = models.User.objects.filter(is_active=True)
    for lookup in ("username", "username__iexact", "first_name__iexact"):
        if found := list(people.filter(**{lookup: name})[:2]):
            return found[0] if len(found) == 1 else None
    return None


def suggest_people(*, owner: models.User) -> list[models.User]:
    """Whom the owner may want to share with: of former shares, then who signed in last, and no operators."""
    people = models.User.objects.filter(is_active=True, is_superuser=False).exclude(pk=owner.pk)
    former = Q(pk__in=models.Share.objects.filter(workstation__request__requester=owner).values("person"))
    first = Case(When(former, then=0), default=1), F("last_login").desc(nulls_last=True)
    rows = people.exclude(groups__permissions__codename="close_request").order_by(*first, "username")
    return sorted(rows.only(*models.User.NAMES)[:_MOST_SUGGESTED], key=lambda person: person.label.casefold())


def end_share(*, share: models.Share, by: models.User) -> None:
    """Take it back. What is open of it its page closes with its next sign of life."""
    with key_lock.deciding(account=share.workstation.account_id):
        _end(share=share, by=by)


def _end(*, share: models.Share, by: models.User) -> None:
    if not share.update_where(models.Share.objects.filter(ended_at=None), ended_at=Now()):
        return
    detail = {"person": share.person.get_username(), "level": share.level}
    share.refresh_from_db(fields=["ended_at"])
    audit.record(Verb.END_SHARE, share.workstation, by=by, detail=detail, rows=[share])
