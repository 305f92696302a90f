"""What the page "Needs review" shows: decided here, and its templates only say it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from portal import models
from portal.services.key import credentials
from portal.services.reconciliation import review, wholeness
from portal.services.requests import submitters
from portal.views.components import review_rows
from portal.views.components.review_rows import Refusal, Row
from portal.views.http import SignedInRequest, read_key

_LAST_SCANS = 5


@dataclass(frozen=True, kw_only=True)
class Section[T]:
    """The rows of a list, and how many of them wait."""

    rows: Sequence[T]
    count: str


def describe_page(request: SignedInRequest, *, refusal: Refusal | None = None) -> dict[str, object]:
    """All that is decided for the page, for who may decide and for who may only look.

    `is_up_to_date`: nothing was sent since the last complete scan began; `left_out`: what is missing from the lists;
    `refusal` only where its row is shown.
    """
    user, account, now = request.user, read_key(request).account, timezone.now()
    found = review.read_review(account=account, now=now)
    needing, checking = (
        _cut([review_rows.describe_request(case, user=user, now=now, refusal=refusal) for case in cases])
        for cases in (found.needing, found.checking)
    )
    orphans = [review_rows.describe_orphan(row, user=user, refusal=refusal) for row in found.orphans]
    unassigned = _cut(orphans, waiting=[row for row in orphans if row.workstation.release_requested_at is None])
    left = submitters.list_left_workstations(account=account).select_related("request__requester", "workspace")
    scans = models.Scan.objects.filter(account=account, ended_at__isnull=False)
    last_scans = list(scans.order_by("-id")[:_LAST_SCANS])
    complete = next((scan for scan in last_scans if scan.is_whole), None)
    newest = models.Attempt.objects.filter(request__account=account).order_by("-id").first()
    shown: list[Row] = [*needing.rows, *unassigned.rows, *checking.rows]
    return {
        "questions": credentials.list_questions(account=account),
        "needing": needing,
        "orphans": unassigned,
        "left": _cut(list(left.order_by("id")[: review.MOST + 1])),
        "checking": checking,
        "scans": last_scans,
        "may_be_foreign": account.baseline_scan == models.Account.BaselineScan.FAILED,
        "left_out": wholeness.list_left_out(account=account).select_related("request__requester").first(),
        "last_complete": complete,
        "is_up_to_date": complete is not None and (newest is None or newest.claimed_tick <= complete.begun_tick),
        "refusal": refusal if any(row.is_refused for row in shown) else None,
    }


def _cut[T](rows: Sequence[T], *, waiting: Sequence[T] | None = None) -> Section[T]:
    """As many as a page has; `waiting`: those that are counted, where that is not all."""
    count = len(rows if waiting is None else waiting)
    return Section(rows=rows[: review.MOST], count=f"{review.MOST}+" if count > review.MOST else str(count))
