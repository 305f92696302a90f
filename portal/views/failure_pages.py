"""The failure pages: the catalogue, in words for people, and how often each has been met lately."""

from datetime import datetime, time, timedelta

from django.conf import settings
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from portal import failures, models
from portal.models.clock import Now
from portal.sandbox import names
from portal.views.components import links
from portal.views.http import SignedInRequest

_HOUR = timedelta(hours=1)


@require_GET
def index(request: SignedInRequest) -> HttpResponse:
    rehearsals = names.RESERVED if settings.USING_SANDBOX else ()
    return render(request, "failures/list.html", {"failures": failures.CATALOGUE.values(), "rehearsals": rehearsals})


@require_GET
def detail(request: SignedInRequest, code: str) -> HttpResponse:
    if code not in failures.CATALOGUE:
        raise Http404
    context = {
        "failure": failures.CATALOGUE[code],
        "lately": _describe_lately(**_count_lately(code=code, user=request.user)),
        "history": links.to_history(failure=code),
    }
    return render(request, "failures/detail.html", context)


def is_rehearsal(*, workspace_uid: str) -> bool:
    """Whether the workspace's name has the sandbox simulate something."""
    return settings.USING_SANDBOX and names.is_reserved(workspace_uid)


def _count_lately(*, code: str, user: models.User) -> dict[str, int]:
    """Each attempt counts. Only what ends a request without one, waiting for too long, is read from the requests."""
    is_attempt = code != failures.WAITED_TOO_LONG.code
    rows = (models.Attempt if is_attempt else models.Request)._default_manager.filter(failure=code)
    person = "request__requester" if is_attempt else "requester"
    zone = timezone.get_default_timezone()
    midnight = datetime.combine(timezone.localdate(timezone=zone), time.min, tzinfo=zone)
    today, last_hour = Q(ended_at__gte=midnight), Q(ended_at__gte=Now() - _HOUR)
    # One bound for both: with `or` no index is used.
    found: dict[str, int] = rows.filter(ended_at__gte=midnight - _HOUR).aggregate(
        people=Count(person, distinct=True, filter=last_hour),
        times=Count("pk", filter=today),
        own=Count("pk", filter=today & Q(**{person: user.pk})),
    )
    return found


def _describe_lately(*, people: int, times: int, own: int) -> str:
    if not people and not times:
        return _("Not seen today.")
    hour = (
        ngettext("%(count)s person in the last hour", "%(count)s people in the last hour", people) % {"count": people}
        if people
        else _("none in the last hour")
    )
    today = ngettext("once today", "%(count)s times today", times) % {"count": times} if times else _("not yet today")
    if own and (own < times or people > 1):
        return _("It is not just you: %(hour)s, %(today)s.") % {"hour": hour, "today": today}
    return _("How often lately: %(hour)s, %(today)s.") % {"hour": hour, "today": today}
