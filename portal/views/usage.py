"""Usage: how much was requested in a period, what became of it, and what it was. Every number leads to its requests."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from functools import partial

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from portal import failures, forms, models
from portal.services.reports import usage
from portal.services.requests import running
from portal.views.components import charts, links
from portal.views.http import SignedInRequest, read_key

_MOST_COLUMNS = 92  # a longer period is shown by weeks
MOST_PEOPLE = 20
_S = models.Request.Status
_SHOWN = (_S.SUCCEEDED, _S.FAILED, _S.UNKNOWN, _S.CANCELLED)

type Bars = list[tuple[str, str, int]]  # names, links and numbers, the largest first


@require_GET
def show(request: SignedInRequest) -> HttpResponse:
    sees_all = request.user.sees_all
    person = None if sees_all else request.user
    form = forms.UsageForm(request.GET, today=timezone.localdate(timezone=timezone.get_default_timezone()))
    since, until = form.period
    days = usage.read_usage(since=since, until=until, person=person)
    total, by_week = usage.sum_counts(counts=days.values()), (until - since).days >= _MOST_COLUMNS
    columns = list(_list_columns(days, since=since, until=until, by_week=by_week))
    week, day = (_("Requests by week"), _("Week")), (_("Requests by day"), _("Day"))
    title, head = week if by_week else day
    link_to = partial(links.to_history, since=since, until=until)
    context = {
        "form": form,
        "since": since,
        "until": until,
        "sees_all": sees_all,
        "zone": timezone.get_default_timezone_name(),
        "figures": _list_figures(total["status"], link_to),
        "ready_usually": usage.find_percentile(seconds=total["seconds"], percent=50),
        "ready_mostly": usage.find_percentile(seconds=total["seconds"], percent=95),
        "exact_seconds": usage.EXACT_SECONDS,
        "live": running.list_running(account=read_key(request).account, person=person).count(),
        "chart": charts.Chart(title=title, head=head, caption=_("Newest first"), columns=columns),
        "types": [(models.label_type(kind), link_to(type=kind), n) for kind, n in total["type"].most_common()],
        "failures": [(_name_failure(code), link_to(failure=code), n) for code, n in total["failure"].most_common()],
        "people": _list_people(total["person"], link_to) if sees_all else None,
    }
    return render(request, "usage.html", context)


def _list_figures(status: Counter[str], link_to: Callable[..., str]) -> Bars:
    return [
        (_("Requests"), link_to(), status.total()),
        *((str(state.label), link_to(status=state), status[state]) for state in _SHOWN),
        (_("Under way"), "", status[_S.QUEUED] + status[_S.SENDING]),
    ]


def _list_columns(
    days: Mapping[date, usage.Numbers], *, since: date, until: date, by_week: bool
) -> Iterator[charts.Column]:
    while since <= until:
        last = min(until, since + timedelta(days=6 - since.weekday())) if by_week else since
        shown = (days.get(day, {}) for day in usage.list_days(since=since, until=last))
        status = usage.sum_counts(counts=shown)["status"]
        succeeded, failed = status[_S.SUCCEEDED], status[_S.FAILED]
        words = {"since": date_format(since, "j M Y"), "until": date_format(last, "j M Y")}
        yield charts.Column(
            _("%(since)s to %(until)s") % words if since < last else words["since"],
            links.to_history(since=since, until=last),
            {"ok": succeeded, "bad": failed, "rest": status.total() - succeeded - failed},
        )
        since = last + timedelta(days=1)


def _name_failure(code: str) -> str:
    return f"{code}: {failures.CATALOGUE[code].title}" if code in failures.CATALOGUE else code


def _list_people(person: Counter[str], link_to: Callable[..., str]) -> Bars:
    people = person.most_common()
    shown, others = people[:MOST_PEOPLE], people[MOST_PEOPLE:]
    users = models.User.objects.in_bulk([int(number) for number, _count in shown])
    known = [(users[int(number)], count) for number, count in shown]
    bars = [(user.label, link_to(person=user.get_username()), count) for user, count in known]
    if others:
        name = ngettext("%(count)s other person", "%(count)s other people", len(others)) % {"count": len(others)}
        bars.append((name, "", sum(count for _number, count in others)))
    return bars
