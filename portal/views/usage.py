"""Usage: how much was requested in a period, what became of it, and what it was. Every number leads to its requests."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from portal import failures, forms, models
from portal.services.key import accounts
from portal.services.reports import usage
from portal.views.components import charts, links
from portal.views.http import SignedInRequest

_MOST_COLUMNS = 92  # a longer period is shown by weeks
MOST_PEOPLE = 20
_S = models.Request.Status


@require_GET
def show(request: SignedInRequest) -> HttpResponse:
    """The figures and charts of the period that the URL names: of everybody, or of one's own requests."""
    sees_all = request.user.has_perm("portal.see_all")
    form = forms.UsageForm(request.GET, today=timezone.localdate(timezone=timezone.get_default_timezone()))
    since, until = form.period
    used = usage.read_usage(since=since, until=until, person=None if sees_all else request.user)
    total = used.total
    context = {
        "form": form,
        "since": since,
        "until": until,
        "sees_all": sees_all,
        "zone": timezone.get_default_timezone_name(),
        "figures": _list_figures(total, since=since, until=until),
        "ready_usually": usage.find_percentile(seconds=total["seconds"], percent=50),
        "ready_mostly": usage.find_percentile(seconds=total["seconds"], percent=95),
        "exact_seconds": usage.EXACT_SECONDS,
        "live": _count_live(request.user),
        "by_week": (until - since).days >= _MOST_COLUMNS,
        "chart": charts.draw_columns(_list_columns(used.statuses, since=since, until=until)),
        "types": charts.draw_bars(_list_types(total, since=since, until=until)),
        "failures": charts.draw_bars(_list_failures(total, since=since, until=until)),
        "people": charts.draw_bars(_list_people(total, since=since, until=until)) if sees_all else None,
    }
    return render(request, "usage.html", context)


def _list_figures(total: usage.Counts, *, since: date, until: date) -> list[tuple[str, int, str]]:
    """Each with its name and its link; the link is empty where the history has no filter for it."""
    status = total["status"]
    figures = [(_("Requests"), status.total(), links.to_history(since=since, until=until))]
    for state in (_S.SUCCEEDED, _S.FAILED, _S.UNKNOWN, _S.CANCELLED):
        link = links.to_history(status=state, since=since, until=until)
        figures.append((str(state.label), status[state], link))
    return [*figures, (_("Under way"), status[_S.QUEUED] + status[_S.SENDING], "")]


def _count_live(user: models.User) -> int:
    """Workstations of the team's present account that run now; for those who see all, orphans and foreign ones too."""
    rows = models.Workstation.objects
    live = rows.live() if user.has_perm("portal.see_all") else rows.live_for(user)
    return live.filter(account=accounts.get_current_account()).count()


def _list_columns(
    statuses: Mapping[date, Mapping[str, int]], *, since: date, until: date
) -> list[tuple[str, str, dict[str, int]]]:
    columns = []
    for first, last in _split_period(since=since, until=until):
        status: Counter[str] = Counter()
        for day in usage.list_days(since=first, until=last):
            status.update(statuses.get(day, {}))
        succeeded, failed = status[_S.SUCCEEDED], status[_S.FAILED]
        numbers = {"ok": succeeded, "bad": failed, "rest": status.total() - succeeded - failed}
        label = date_format(first, "j M Y") if first == last else _name_period(since=first, until=last)
        columns.append((label, links.to_history(since=first, until=last), numbers))
    return columns


def _split_period(*, since: date, until: date) -> Iterator[tuple[date, date]]:
    """Days, or where they are too many the calendar's weeks; the first and the last may be shorter."""
    by_week = (until - since).days >= _MOST_COLUMNS
    while since <= until:
        last = min(until, since + timedelta(days=6 - since.weekday())) if by_week else since
        yield since, last
        since = last + timedelta(days=1)


def _name_period(*, since: date, until: date) -> str:
    return _("%(since)s to %(until)s") % {"since": date_format(since, "j M Y"), "until": date_format(until, "j M Y")}


def _list_types(total: usage.Counts, *, since: date, until: date) -> list[tuple[str, str, int]]:
    return [
        (models.label_type(kind), links.to_history(type=kind, since=since, until=until), number)
        for kind, number in total["type"].most_common()
    ]


def _list_failures(total: usage.Counts, *, since: date, until: date) -> list[tuple[str, str, int]]:
    return [
        (
            f"{code}: {failures.CATALOGUE[code].title}" if code in failures.CATALOGUE else code,
            links.to_history(failure=code, since=since, until=until),
            number,
        )
        for code, number in total["failure"].most_common()
    ]


def _list_people(total: usage.Counts, *, since: date, until: date) -> list[tuple[str, str, int]]:
    """Those with the most requests, and the others together."""
    people = total["person"].most_common()
    shown, others = people[:MOST_PEOPLE], people[MOST_PEOPLE:]
    users = models.User.objects.in_bulk([int(number) for number, _count in shown])
    names = [(users[int(number)].get_username(), count) for number, count in shown]
    rows = [(name, links.to_history(person=name, since=since, until=until), count) for name, count in names]
    if others:
        name = ngettext("%(count)s other person", "%(count)s other people", len(others)) % {"count": len(others)}
        rows.append((name, "", sum(count for _number, count in others)))
    return rows
