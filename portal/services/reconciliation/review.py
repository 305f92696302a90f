"""What is known of requests whose outcome is unknown, for people who may have to decide: read once for all of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Max, QuerySet

from portal import models
from portal.models.event import Verb
from portal.services.reconciliation import completeness, matching, reconcile, restore, unresolved

MOST = 200  # of each kind; the oldest first


class Candidate(NamedTuple):
    """An unassigned workstation that may be linked to a request."""

    uid: str
    type: str
    workspace_uid: str
    started_at: datetime | None
    is_likely: bool  # the request may have created it


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request whose outcome is unknown, with what is known of it."""

    portal_request: models.Request
    attempt: models.Attempt | None  # the newest of unknown outcome
    was_restored: bool
    scans: Sequence[models.Scan]  # the complete ones that began after it, newest first
    possible: Sequence[matching.Newcomer]  # what they show that the request may have created
    candidates: Sequence[Candidate]
    asked_at: datetime | None  # since when a person is asked
    known_by: datetime | None  # when the portal should know by itself; None where a person is asked already
    asked_by: datetime | None  # when it asks a person at the latest; None where it does so already


@dataclass(frozen=True, kw_only=True)
class Review:
    """What waits for a person, what the portal settles by itself, and what runs for nobody: at most MOST + 1 each."""

    needing: Sequence[Case]
    checking: Sequence[Case]
    orphans: Sequence[models.Workstation]


def read_review(*, account: models.Account, now: datetime) -> Review:
    """All of it, in as many queries for one request as for two hundred."""
    needing = _list_requests(models.Request.objects.needing_review())
    checking = _list_requests(models.Request.objects.being_checked())
    accounts = {account.pk, *(row.account_id for row in needing)}
    orphans = models.Workstation.objects.orphans().filter(account__in=accounts).select_related("workspace", "made_for")
    found = list(orphans.defer("raw").order_by("id")[: MOST + 1])
    facts = unresolved.read_facts(account=account, rows=[*needing, *checking], now=now, steady_since=now)
    asked, others = list_asked(rows=needing), _describe_orphans(found)
    cases = [_describe_case(one, account=account, asked=asked, others=others) for one in facts]
    return Review(
        needing=cases[: len(needing)],
        checking=cases[len(needing) :],
        orphans=[row for row in found if row.account_id == account.pk],
    )


def _list_requests(rows: QuerySet[models.Request]) -> list[models.Request]:
    return list(rows.select_related("requester", "account").order_by("id")[: MOST + 1])


def list_possible(*, portal_request: models.Request, now: datetime) -> Sequence[matching.Newcomer]:
    """What this one request may have created in the workspace that it named: any other may be somebody else's."""
    account, own = portal_request.account, portal_request.workspace_uid
    [facts] = unresolved.read_facts(account=account, rows=[portal_request], now=now, steady_since=now)
    return [one for one in facts.list_possible() if own and one.workspace_uid == own]


def estimate_known_by(*, proof_from: datetime, allowed_lag: timedelta) -> datetime:
    """When two scans have begun that can prove what became of an attempt, and a third, one grace later."""
    between = timedelta(seconds=min(settings.PORTAL_SCAN_INTERVAL, reconcile.SLOWEST))
    return proof_from + 2 * allowed_lag + 3 * between


def list_asked(*, rows: Iterable[models.Request]) -> Mapping[int, datetime]:
    """When each of the requests that need review was last asked about, by number."""
    asked = [row.pk for row in rows if row.operator_note]
    events = models.Event.objects.filter(request_number__in=asked, verb=Verb.NEEDS_REVIEW)
    return dict(events.order_by().values_list("request_number").annotate(at=Max("at"))) if asked else {}


def find_known_by(*, account: models.Account, now: datetime) -> datetime | None:
    """When the portal should know of all whose outcome is unknown; None: never by itself, or late already."""
    attempts = unresolved.list_open_attempts().filter(
        request__account=account, request__status=models.Request.Status.UNKNOWN
    )
    note, *ends = attempts.aggregate(Max("request__operator_note"), Max("ended_at"), Max("deadline_at")).values()
    if note or None in ends:
        return None
    known_by = estimate_known_by(proof_from=max(ends), allowed_lag=completeness.choose_grace(account=account, now=now))
    return known_by if known_by > now else None


def _describe_case(
    facts: unresolved.Facts,
    *,
    account: models.Account,
    asked: Mapping[int, datetime],
    others: Mapping[int, Sequence[Candidate]],
) -> Case:
    portal_request, state = facts.portal_request, facts.state
    is_present, possible = portal_request.account_id == account.pk, facts.list_possible()
    last, sent = (facts.attempts[-1], facts.unresolved.attempts[-1]) if facts.attempts else (None, None)
    known_by = asked_by = None
    if sent and is_present and not portal_request.operator_note:
        known_by = estimate_known_by(proof_from=sent.proof_from, allowed_lag=state.allowed_lag)
        asked_by = sent.proof_from + state.allowed_lag + state.longest_wait
    return Case(
        portal_request=portal_request,
        attempt=last,
        was_restored=last is not None and last.worker == restore.WORKER,
        scans=[scan for scan in state.scans if scan.begun_tick >= sent.ended_tick] if is_present and sent else [],
        possible=possible,
        candidates=_list_candidates(possible, others=others.get(portal_request.account_id, ())),
        asked_at=asked.get(portal_request.pk),
        known_by=known_by,
        asked_by=asked_by,
    )


def _list_candidates(possible: Iterable[matching.Newcomer], *, others: Iterable[Candidate]) -> list[Candidate]:
    """What can be linked: what the request may have created, even if it has ended, and else what runs."""
    likely = {
        one.uid: Candidate(one.uid, one.type, one.workspace_uid or "", one.started_at, is_likely=True)
        for one in possible
        if not one.is_nameless and not one.is_in_flight
    }
    return [*likely.values(), *(one for one in others if one.uid not in likely)]


def _describe_orphans(orphans: Iterable[models.Workstation]) -> Mapping[int, Sequence[Candidate]]:
    found: dict[int, list[Candidate]] = {}
    for row in orphans:
        if row.release_requested_at is None and not row.is_nameless:
            workspace_uid = row.workspace.uid if row.workspace else ""
            candidate = Candidate(row.uid, row.type, workspace_uid, row.created_at, is_likely=False)
            found.setdefault(row.account_id, []).append(candidate)
    return found
