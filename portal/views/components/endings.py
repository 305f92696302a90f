"""Why a page may not hold a workstation any more."""

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from portal import models
from portal.services.connections import access


def explain_end(*, person: models.User, number: int, connection: models.Connection | None = None) -> dict[str, object]:
    """What ended first: the workstation with this primary key, or its share with the person.

    Nothing is gone where the person may still hold the connection, which has ended because its page was silent.
    """
    rows = models.Workstation.objects.select_related("release_requested_by", "request__requester")
    row, now = rows.get(pk=number), timezone.now()
    share = models.Share.objects.filter(person=person, workstation=row).order_by("-pk").first()
    released = _("%(by)s released this workstation at %(time)s. Its files stay in %(owner)s's workspace.")
    forbidden = _("You may no longer use this workstation in this way.")
    allowed = access.find_access(person=person, workstation=row)
    may_hold = connection is not None and allowed is not None and allowed.allows(connection)
    ends = [
        (share and (share.ended_at or share.until), _("%(owner)s shared this workstation with you until %(time)s.")),
        (row.release_requested_at, released),
        (row.ended_at, _("AgentStation ended it, or it ended by itself. Its files stay in %(owner)s's workspace.")),
        (now, _("The portal heard nothing of this page for some time.") if may_hold else forbidden),
    ]
    at, text = min((at, text) for at, text in ends if at)
    owner, time = row.request and row.request.requester, date_format(timezone.localtime(at), "H:i T, j M")
    values = {"owner": owner, "by": row.release_requested_by, "time": time}
    return {"title": _("The connection was closed"), "text": text % values, "is_gone": at < now or not may_hold}
