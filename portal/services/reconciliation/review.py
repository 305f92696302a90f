"""What is known of requests whose outcome is unknown, for people who may have to decide: read once for all of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Max, QuerySet

from portal import models
from portal.models.event import Verb
from portal.services.reconciliation import lag, matching, reconcile, restore, unresolved

MOST = 200  # of each kind; the oldest first
_MOST_SCANS = 20


class Candidate(NamedTuple):
    """An unassigned workstation that may be linked to a request. `is_likely`: the request may have created it."""

    uid: str
    type: str
    workspace_uid: str
    started_at: datetime | None
    is_likely: bool


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request whose outcome is unknown, with what is known of it.

    `attempt`: the newest of unknown outcome. `scans`: the complete ones that began after it, newest first; `possible`:
    what they show that the request may have created. `asked_at`: since when a person is asked. `known_by`: when the
    portal should know by itself, and `asked_by`: when it asks a person at the latest; None where it does so already.
    """

    portal_request: models.Request
    attempt: models.Attempt | None
    was_restored: bool
    scans: Sequence[models.Scan]
    possible: Sequence[matching.Newcomer]
    candidates: Sequence[Candidate]
    asked_at: datetime | None
    known_by: datetime | None
    asked_by: datetime | None


@dataclass(frozen=True, kw_only=True)
class Review:
    """What waits for a person, what the portal settles by itself, and what runs for nobody; of each one over MOST."""

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
    facts = _Facts(account=account, now=now, rows=[*needing, *checking], orphans=found)
    return Review(
        needing=[facts.describe(row) for row in needing],
        checking=[facts.describe(row) for row in checking],
        orphans=[row for row in found if row.account_id == account.pk],
    )


def _list_requests(rows: QuerySet[models.Request]) -> list[models.Request]:
    return list(rows.select_related("requester", "account").order_by("id")[: MOST + 1])


def list_possible(*, portal_request: models.Request, now: datetime) -> Sequence[matching.Newcomer]:
    """What the lists show that this one request may have created, without workspaces that are others' to know of."""
    facts = _Facts(account=portal_request.account, now=now, rows=[portal_request], orphans=[])
    found, own = facts.describe(portal_request).possible, portal_request.workspace_uid
    return [
        replace(one, workspace_uid=own if one.workspace_uid == own else None) if one.is_workspace_taken else one
        for one in found
    ]


def estimate_known_by(*, proof_from: datetime, allowed_lag: timedelta) -> datetime:
    """When two scans have begun that can prove what became of an attempt, and a third, one grace later."""
    between = timedelta(seconds=min(settings.PORTAL_SCAN_INTERVAL, reconcile.SLOWEST))
    return proof_from + 2 * allowed_lag + 3 * between


def list_asked(*, rows: Iterable[models.Request]) -> Mapping[int, datetime]:
    """Since when a person is asked about a request."""
    asked = [row.pk for row in rows if row.operator_note]
    events = models.Event.objects.filter(request_number__in=asked, verb=Verb.NEEDS_REVIEW)
    return dict(events.order_by().values_list("request_number").annotate(at=Max("at"))) if asked else {}


def find_known_by(*, account: models.Account, now: datetime) -> datetime | None:
    """When the portal should know of all whose outcome is unknown; None: never by itself, or late already."""
    attempts = unresolved.list_open_attempts(account_id=account.pk).filter(
        request__status=models.Request.Status.UNKNOWN
    )
    note, *ends = attempts.aggregate(Max("request__operator_note"), Max("ended_at"), Max("deadline_at")).values()
    if note or None in ends:
        return None
    known_by = estimate_known_by(proof_from=max(ends), allowed_lag=lag.estimate_grace(account=account, now=now))
    return known_by if known_by > now else None


class _Facts:
    """What was read for all of the requests."""

    def __init__(
        self, *, account: models.Account, now: datetime, rows: list[models.Request], orphans: list[models.Workstation]
    ) -> None:
        self._account, self._others = account, _describe_orphans(orphans)
        self._attempts = _list_attempts(rows)
        self._asked = list_asked(rows=rows)
        complete = models.Scan.objects.filter(account=account, is_complete=True).order_by("-id")
        self._scans = list(complete[:_MOST_SCANS]) if rows else []
        self._state = _sketch_state(account=account, now=now)
        since = [own[0].claimed_tick for own in self._attempts.values()]
        self._candidates = (
            unresolved.Candidates(account=account, state=self._state, since=min(since)) if since else None
        )

    def describe(self, portal_request: models.Request) -> Case:
        attempts = self._attempts.get(portal_request.pk, [])
        is_present = portal_request.account_id == self._account.pk
        restores = self._candidates.restores if self._candidates else []
        sent = [unresolved.describe_attempt(attempt=attempt, restores=restores) for attempt in attempts]
        possible = self._list_possible(portal_request, sent=sent)
        ended_tick = sent[-1].ended_tick if sent else 0
        is_checked = is_present and not portal_request.operator_note
        known_by, asked_by = self._estimate(sent[-1] if sent and is_checked else None)
        return Case(
            portal_request=portal_request,
            attempt=attempts[-1] if attempts else None,
            was_restored=bool(attempts) and attempts[-1].worker == restore.WORKER,
            scans=[scan for scan in self._scans if scan.begun_tick >= ended_tick] if is_present and sent else [],
            possible=possible,
            candidates=self._list_candidates(portal_request, possible=possible),
            asked_at=self._asked.get(portal_request.pk),
            known_by=known_by,
            asked_by=asked_by,
        )

    def _list_possible(
        self, portal_request: models.Request, *, sent: Sequence[matching.SentAttempt]
    ) -> list[matching.Newcomer]:
        if self._candidates is None or not sent or portal_request.account_id != self._account.pk:
            return []
        facts = matching.Unresolved(type=portal_request.type, workspace_uid=portal_request.workspace_uid, attempts=sent)
        newcomers = self._candidates.list_newcomers(portal_request=portal_request, since=sent[0].claimed_tick)
        return matching.list_possible(unresolved=facts, newcomers=newcomers, state=self._state)

    def _list_candidates(
        self, portal_request: models.Request, *, possible: Iterable[matching.Newcomer]
    ) -> list[Candidate]:
        """What can be linked: what the request may have created, even if it has ended, and else what runs."""
        likely = {
            one.uid: Candidate(one.uid, one.type, one.workspace_uid or "", one.started_at, is_likely=True)
            for one in possible
            if not one.is_nameless and not one.is_in_flight
        }
        return [
            *likely.values(),
            *(one for one in self._others.get(portal_request.account_id, ()) if one.uid not in likely),
        ]

    def _estimate(self, sent: matching.SentAttempt | None) -> tuple[datetime | None, datetime | None]:
        """When the portal should know, and when people are asked where it has too few scans to."""
        if sent is None:
            return None, None
        known_by = estimate_known_by(proof_from=sent.proof_from, allowed_lag=self._state.allowed_lag)
        return known_by, sent.proof_from + self._state.allowed_lag + self._state.longest_wait


def _describe_orphans(orphans: Iterable[models.Workstation]) -> Mapping[int, Sequence[Candidate]]:
    """Those that can be linked, by account."""
    found: dict[int, list[Candidate]] = {}
    for row in orphans:
        if row.release_requested_at is None and not row.is_nameless:
            workspace_uid = row.workspace.uid if row.workspace else ""
            candidate = Candidate(row.uid, row.type, workspace_uid, row.created_at, is_likely=False)
            found.setdefault(row.account_id, []).append(candidate)
    return found


def _list_attempts(rows: Sequence[models.Request]) -> Mapping[int, Sequence[models.Attempt]]:
    """Those of unknown outcome, by request and in their order."""
    attempts = models.Attempt.objects.filter(request__in=rows, outcome=models.Attempt.Outcome.UNKNOWN)
    found: dict[int, list[models.Attempt]] = {}
    for attempt in attempts.select_related("late_response").defer("response", "late_response__response"):
        found.setdefault(attempt.request_id, []).append(attempt)
    return {number: sorted(own, key=lambda one: one.number) for number, own in found.items()}


def _sketch_state(*, account: models.Account, now: datetime) -> matching.AccountState:
    """As far as a page needs it: nothing is decided by it, so that no lag need be measured."""
    return matching.AccountState(
        now=now,
        steady_since=now,
        wait_unit=timedelta(seconds=settings.PORTAL_RECONCILE_GRACE),
        allowed_lag=lag.estimate_grace(account=account, now=now),
        clock_offset=None,
        scans=(),
        documented_types=frozenset(models.Request.Type.values),
    )
