"""What a person was told, what they get by mail, and the team's channels."""

from collections.abc import Iterable

from django.conf import settings
from django.contrib import messages as said
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from portal import forms, models
from portal.services.notifications import channels, choices, delivery, messages
from portal.services.people import links, policy
from portal.services.search import paging
from portal.views import people
from portal.views.http import SignedInRequest, read_before, require_form

_MOST_NEW, _MOST_SENT = 100, 20


def _describe(rows: Iterable[models.Notification]) -> list[tuple[models.Notification, messages.Text]]:
    """A share of what has ended since leads nowhere, and says so."""
    told = [(row, messages.describe(row=row)) for row in rows]
    shared = {row.workstation for row, _text in told if row.kind == "shared"}
    if shared:
        shared -= {*models.Workstation.objects.live().filter(uid__in=shared).values_list("uid", flat=True)}
    ended = _("The workstation has ended since.")
    return [(row, text._replace(reason=ended) if row.workstation in shared else text) for row, text in told]


@require_form
def index(request: SignedInRequest) -> HttpResponse:
    """What is new comes first; the rest in pages. A POST chooses what is mailed."""
    kinds, decided = messages.list_kinds(person=request.user), policy.read_policy()
    chosen = [kind for kind, _words in kinds if messages.wants_mail(person=request.user, kind=kind, decided=decided)]
    form = forms.MailForm(
        request.POST if request.method == "POST" else None, offered={"kinds": kinds}, initial={"kinds": chosen}
    )
    if form.is_valid():
        chosen = form.cleaned_data["kinds"]
        choices.choose_mail(person=request.user, choices={kind: kind in chosen for kind, _words in kinds})
        said.success(request, _("Saved."))
        return redirect("notifications")
    own = models.Notification.objects.filter(person=request.user)
    page = paging.read_rows(rows=own.exclude(read_at=None), before=read_before(request))
    new = own.filter(read_at=None).order_by("-pk")[:_MOST_NEW] if page.is_first else []
    shown = {"new": _describe(new), "page": page, "rows": _describe(page.rows), "form": form}
    return render(request, "notifications/list.html", shown)


@require_POST
def read(request: SignedInRequest, number: int) -> HttpResponse:
    """Open this one; or mark it and all before it as read, which the page has shown."""
    row = get_object_or_404(models.Notification, pk=number, person=request.user)
    is_all = "all" in request.POST
    choices.mark_read(person=request.user, until=row.pk, since=0 if is_all else row.pk)
    [(_row, text)] = _describe([row])
    if row.kind == "shared" and text.reason:
        said.info(request, text.reason)
        is_all = True
    return redirect("notifications" if is_all else text.path)


@login_not_required
@csrf_exempt  # the press of a mail program comes without a page of ours; the token says who and what
@require_form
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """404, with what that means, unless the link is valid."""
    try:
        person, kind = choices.read_token(token=token)
    except links.LinkNotValid:
        return render(request, "notifications/no_link.html", status=404)
    if request.method == "POST":
        choices.choose_mail(person=person, choices={kind: False})
    shown = {"person": person, "label": messages.describe_kind(kind=kind), "is_stopped": request.method == "POST"}
    return render(request, "notifications/unsubscribe.html", shown)


@people.confirmed
def _test_channels(request: SignedInRequest) -> HttpResponse:
    delivery.test_channels()
    said.success(request, _("A test is being sent to each channel. What became of it is shown here in a minute."))
    return redirect("notification_channels")


@require_form
def show_channels(request: SignedInRequest) -> HttpResponse:
    """For administrators. A POST sends a test to each."""
    people.check_administrator(request)
    if request.method == "POST":
        return _test_channels(request)
    rows = models.Notification.objects.exclude(channel="").order_by("-pk")
    by_url = {url: rows.filter(channel=channels.make_fingerprint(url=url)) for url in settings.PORTAL_NOTIFY_URLS}
    found = [(channels.describe(url=url), _describe(sent[:_MOST_SENT])) for url, sent in by_url.items()]
    return render(request, "notifications/channels.html", {"channels": found})
