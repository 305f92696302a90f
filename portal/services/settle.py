"""Settling: what became of requests whose outcome is unknown, from looks at the provider's lists.

Unknown requests of one type and one named workspace (or none) are interchangeable: a group, settled together, oldest
first. A group's candidates are workstations that fit, that no request owns, and that no look had shown before the
attempt was sent. Provider times order candidates and never exclude one: clocks differ.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Model, Q, When
from django.utils.translation import gettext_noop

from portal import agentstation, failures, models
from portal.services import accounts, audit, clock, keyhold, leases, lifecycle, mirror, retry, scans, wake

_UNREADABLE_FOR = timedelta(hours=24)  # after that without a complete look, an operator must decide
_MOST_EVIDENCE = 50  # candidates named in an event
_SLOWEST = 60.0  # seconds between looks while something is to be settled
# Kept in English, and translated where they are shown.
NO_LISTS = gettext_noop("The provider has no lists to look in.")
NO_LOOKS = gettext_noop("The provider's lists could not be read for 24 hours.")
NOT_MARKED = gettext_noop(
    "The lists could not be read before the first request, so what was there before is not known."
)
NO_WORKSPACE = gettext_noop(
    "The lists show a workstation of this type without a workspace; whose it is cannot be told. "
    "Once it is adopted or given back, the portal settles the others by itself."
)
ODD_TYPE = gettext_noop(
    "The lists show a workstation of a type that the portal does not know; whose it is cannot be told. "
    "Once it is adopted or given back, the portal settles the others by itself."
)
_UNTIL_DECIDED = ("", NO_WORKSPACE, ODD_TYPE)  # what operators decide about a stray settles all whose it may have been


@dataclass(frozen=True, kw_only=True)
class Member:
    """A request to be settled, with the attempt whose outcome is unknown."""

    portal_request: models.Request
    attempt: models.Attempt
    sent_at: datetime  # when its first attempt of unknown outcome was claimed: all of them may have made something

    @property
    def sure_at(self) -> datetime:
        """From when a look without it proves that nothing was made. A complete 500 is the provider's own end."""
        end = self.attempt.deadline_at
        if self.attempt.failure == "500" and self.attempt.ended_at is not None:
            end = self.attempt.ended_at
        return end + timedelta(seconds=settings.PORTAL_SETTLE_GRACE)


def settle_requests(*, held: leases.Held, client: agentstation.Client) -> None:
    """Make a look where one is due, and settle by it what can be settled. Finds orphans on the way."""
    account = accounts.get_current_account()
    if not keyhold.is_confirmed(account=account):
        return  # the lists may be another account's
    if scans.find_open(account=account) or _is_look_due(account=account):
        scans.advance_scan(account=account, held=held, client=client)
    ended = models.Scan.objects.select_related("account").filter(account=account, ended_at__isnull=False)
    latest = ended.order_by("-id").first()
    if latest is None:
        return
    for kind, workspace_uid in _list_groups(account=account):
        _settle_group(type=kind, workspace_uid=workspace_uid, latest=latest, held=held)


def _is_look_due(*, account: models.Account) -> bool:
    """Often at first, then ever less while something is to be settled; else every few minutes, for orphans."""
    now = clock.read_clock(account=account)
    last = models.Scan.objects.filter(account=account).order_by("-id").first()
    if last is None:
        return True
    waiting = [member for member in _list_members(account=account) if not member.portal_request.operator_note]
    ends = [member.attempt.ended_at for member in waiting if member.attempt.ended_at]
    wait = settings.PORTAL_LOOK_INTERVAL
    if ends:
        age = (now - max(ends)).total_seconds()
        wait = min(wait, max(settings.PORTAL_DUTY_INTERVAL, min(age / 4, _SLOWEST)))
    return (now - last.begun_at).total_seconds() >= wait


def _list_members(*, account: models.Account, **group: str) -> list[Member]:
    """Unknown requests, and queued ones that were taken as not created: a late candidate is still theirs."""
    states = models.Request.Status
    unknown = Q(request__status=states.UNKNOWN, request__operator_note__in=_UNTIL_DECIDED)
    attempts = models.Attempt.objects.filter(
        unknown | Q(request__status=states.QUEUED),
        outcome=models.Attempt.Outcome.UNKNOWN,
        request__account=account,
        **{f"request__{name}": value for name, value in group.items()},
    ).exclude(late_answer__outcome__in=[models.Attempt.Outcome.FAILED, models.Attempt.Outcome.GIVEN_BACK])
    members: dict[int, Member] = {}
    for attempt in attempts.select_related("request").defer("answer").order_by("id"):
        earlier = members.get(attempt.request_id)
        sent_at = earlier.sent_at if earlier else attempt.claimed_at
        members[attempt.request_id] = Member(portal_request=attempt.request, attempt=attempt, sent_at=sent_at)
    return list(members.values())


def _list_groups(*, account: models.Account) -> Iterable[tuple[str, str]]:
    """Type and named workspace of each group."""
    members = _list_members(account=account)
    return dict.fromkeys((member.portal_request.type, member.portal_request.workspace_uid) for member in members)


@transaction.atomic
def _settle_group(*, type: str, workspace_uid: str, latest: models.Scan, held: leases.Held) -> None:
    account = keyhold.lock_key(account=latest.account).account
    leases.check_lease(held=held)
    # Listed under the lock: before it, a request may have been sent again, whose new attempt no look can judge yet.
    members = _list_members(account=account, type=type, workspace_uid=workspace_uid)
    group = _leave_to_operator(group=_lock_group(members), look=latest, account=account)
    look = _find_look(account=account, type=type, workspace_uid=workspace_uid)
    if look is None or not group:
        return
    candidates = _find_candidates(member=group[0], look=look)
    evidence = _describe_look(look=look, candidates=candidates)
    for member in sorted(group, key=lambda member: (member.sent_at, member.portal_request.pk)):
        if member.attempt.ended_at is None or look.begun_at <= member.attempt.ended_at:
            continue
        fitting = next((one for one in candidates if _fits(one, member=member)), None)
        if fitting is not None:
            candidates.remove(fitting)
            _adopt(member=member, workstation=fitting, evidence=evidence)
        elif member.portal_request.status == models.Request.Status.UNKNOWN:
            _settle_without_candidate(member=member, look=look, evidence=evidence)


def _lock_group(group: list[Member]) -> list[Member]:
    """The members as they are now, without those that have moved on."""
    states = (models.Request.Status.UNKNOWN, models.Request.Status.QUEUED)
    rows = models.Request.objects.filter(pk__in=[member.portal_request.pk for member in group], status__in=states)
    related = rows.select_related("requester", "account__key")
    locked = {row.pk: row for row in related.select_for_update(of=("self",)).order_by("pk")}
    return [
        replace(member, portal_request=locked[member.portal_request.pk])
        for member in group
        if member.portal_request.pk in locked
    ]


def _find_look(*, account: models.Account, type: str, workspace_uid: str) -> models.Scan | None:
    """The newest complete look that no call still under way could have fed.

    A call of the group that was claimed before a look completed may have made what that shows: adopting it would rob
    that call's request. On a busy queue the newest look is never free of this, one from a moment ago is.
    """
    looks = models.Scan.objects.filter(account=account, is_whole=True)
    under_way = models.Attempt.objects.filter(
        outcome=models.Attempt.Outcome.SENDING,
        request__account=account,
        request__type=type,
        request__workspace_uid=workspace_uid,
    )
    oldest = under_way.order_by("claimed_at").values_list("claimed_at", flat=True).first()
    if oldest is not None:
        looks = looks.filter(ended_at__lte=oldest)
    return looks.order_by("-id").first()


def _find_candidates(*, member: Member, look: models.Scan) -> list[models.Workstation]:
    """Workstations of the group that the look showed and nobody owns, those of its very type before unknown types.

    With no workspace named, one in a workspace that any request has named is not the group's: that request has the
    better claim. A type that the contract does not know may be any; it counts where the named workspace speaks for it.
    """
    portal_request = member.portal_request
    # What a late answer named for a request that has another by now is free, for whoever lacks one.
    free = Q(made_for=None) | Q(made_for__status=models.Request.Status.SUCCEEDED)
    rows = models.Workstation.objects.filter(
        free,
        account=look.account_id,
        request=None,
        is_foreign=False,
        is_nameless=False,
        listed_at__lte=look.ended_at,
    )
    its_type = Q(type=portal_request.type)
    if uid := portal_request.workspace_uid:
        rows = rows.filter(
            Q(workspace__uid=uid) | Q(workspace=None), its_type | ~Q(type__in=models.Request.Type.values)
        )
    else:
        named = models.Request.objects.filter(account=look.account_id).exclude(workspace_uid="")
        rows = rows.filter(its_type).exclude(workspace__uid__in=named.values("workspace_uid"))
    return list(
        rows.select_related("workspace__owner").order_by(
            Case(When(its_type, then=0), default=1), "listed_at", F("created_at").asc(nulls_last=True), "uid"
        )
    )


def _fits(workstation: models.Workstation, *, member: Member) -> bool:
    sent = member.sent_at
    if workstation.listed_at is None or workstation.listed_at <= sent:
        return False
    if member.portal_request.workspace_uid:
        return workstation.workspace is not None
    return workstation.workspace is None or workstation.workspace.first_seen_at > sent


def _adopt(*, member: Member, workstation: models.Workstation, evidence: dict[str, object]) -> None:
    portal_request = member.portal_request
    mirrors = mirror.give_workstation(stored=workstation, portal_request=portal_request)
    change = lifecycle.move_request(portal_request=portal_request, status=models.Request.Status.SUCCEEDED)
    evidence = {"decision": "found", "workstation": workstation.uid, **evidence, **change}
    _record(member=member, evidence=evidence, rows=[portal_request, *mirrors])


def _settle_without_candidate(*, member: Member, look: models.Scan, evidence: dict[str, object]) -> None:
    portal_request, states = member.portal_request, models.Request.Status
    if strays := _find_strays(member=member, look=look):
        _doubt(member=member, strays=strays, look=look)
        return
    looks = models.Scan.objects.filter(
        account=look.account_id, is_whole=True, begun_at__gt=member.attempt.ended_at, id__lte=look.pk
    )
    if look.begun_at < member.sure_at or looks.count() < 2:
        return
    if portal_request.cancel_wished_at is not None:
        change = lifecycle.move_request(portal_request=portal_request, status=states.CANCELLED)
    elif portal_request.tries >= retry.FEW:
        failure = failures.CATALOGUE[portal_request.failure]
        change = lifecycle.move_request(portal_request=portal_request, status=states.FAILED, failure=failure)
    else:
        change = lifecycle.move_request(portal_request=portal_request, status=states.QUEUED)
        wake.wake_workers()
    evidence = {"decision": "not created", "workstation": None, **evidence, **change}
    _record(member=member, evidence=evidence, rows=[portal_request])


def _find_strays(*, member: Member, look: models.Scan) -> list[models.Workstation]:
    """What may have been made for it, but cannot be told to be: without a workspace where one was named; of a type
    that the contract does not know where none was. To ask again would perhaps buy it twice. One that an operator gives
    back is nobody's."""
    portal_request = member.portal_request
    rows = models.Workstation.objects.filter(
        account=portal_request.account_id,
        request=None,
        made_for=None,
        is_foreign=False,
        release_asked_at=None,
        listed_at__gt=member.sent_at,
        listed_at__lte=look.ended_at,
    )
    if portal_request.workspace_uid:
        return list(rows.filter(type=portal_request.type, workspace=None)[:1])
    is_new = Q(workspace=None) | Q(workspace__first_seen_at__gt=member.sent_at)
    return list(rows.filter(is_new).exclude(type__in=models.Request.Type.values).order_by("listed_at")[:1])


def _doubt(*, member: Member, strays: list[models.Workstation], look: models.Scan) -> None:
    """Ask an operator. One of an unknown type may be of a call under way, which has its time to say so."""
    portal_request, listed_at = member.portal_request, strays[0].listed_at
    if portal_request.operator_note:
        return
    patience = member.sure_at - member.attempt.claimed_at
    if portal_request.workspace_uid:
        _note_operator(portal_request, note=NO_WORKSPACE)
    elif listed_at is not None and look.begun_at - listed_at > patience:
        _note_operator(portal_request, note=ODD_TYPE)


def _leave_to_operator(*, group: list[Member], look: models.Scan, account: models.Account) -> list[Member]:
    """Where the lists cannot tell, a person must. Gives those that the lists can settle."""
    settleable = []
    for member in group:
        note = _find_obstacle(member=member, look=look, account=account)
        if not note:
            settleable.append(member)
        elif member.portal_request.status == models.Request.Status.UNKNOWN:
            _note_operator(member.portal_request, note=note)
    return settleable


def _find_obstacle(*, member: Member, look: models.Scan, account: models.Account) -> str:
    if scans.has_no_lists(scan=look):
        return NO_LISTS
    if account.first_look == models.Account.FirstLook.FAILED and not _has_marked(member=member, look=look):
        return NOT_MARKED
    return NO_LOOKS if _has_been_unreadable(member=member, look=look) else ""


def _has_been_unreadable(*, member: Member, look: models.Scan) -> bool:
    """Whether looks have failed for 24 hours, without a complete one between them."""
    if look.is_whole or member.attempt.ended_at is None:
        return False
    looks = models.Scan.objects.filter(account=look.account_id, begun_at__gt=member.attempt.ended_at, id__lte=look.pk)
    last_complete = looks.filter(is_whole=True).order_by("-id").first()
    first_failed = looks.filter(id__gt=last_complete.pk if last_complete else 0).order_by("id").first()
    return first_failed is not None and look.begun_at - first_failed.begun_at > _UNREADABLE_FOR


def _has_marked(*, member: Member, look: models.Scan) -> bool:
    """Whether a complete look before the attempt tells what was there."""
    looks = models.Scan.objects.filter(account=look.account_id, is_whole=True, ended_at__lt=member.sent_at)
    return looks.exists()


def _note_operator(portal_request: models.Request, *, note: str) -> None:
    change = {"before": {"operator_note": portal_request.operator_note}, "after": {"operator_note": note}}
    portal_request.operator_note = note
    portal_request.save(update_fields=["operator_note"])
    audit.record_event(
        actor=None,
        verb="leave-to-operator",
        target=portal_request,
        request_number=portal_request.pk,
        detail=change,
        reason=note,
    )


def _describe_look(*, look: models.Scan, candidates: list[models.Workstation]) -> dict[str, object]:
    """The evidence: which look decides, and what it showed for the group."""
    return {
        "look": look.pk,
        "look_begun_at": look.begun_at.isoformat(),
        "active": look.active_count,
        "history": look.history_count,
        "candidates": [candidate.uid for candidate in candidates[:_MOST_EVIDENCE]],
    }


def _record(*, member: Member, evidence: dict[str, object], rows: list[Model]) -> None:
    audit.record_event(
        actor=None,
        verb="settle",
        target=member.portal_request,
        request_number=member.portal_request.pk,
        detail={"attempt": member.attempt.number, **evidence},
        rows=rows,
    )
    models.Scan.objects.filter(pk=cast(int, evidence["look"])).update(is_evidence=True)
