"""Whose a workspace is: whoever first used it here. Checked when a request is taken, and again when it is sent."""

from datetime import timedelta
from enum import Enum

from django.conf import settings
from django.db.models import Q, QuerySet

from portal import failures, models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.requests import lifecycle

PAUSE = timedelta(seconds=5)  # before the owner of a workspace that another request has just named is asked for again


class Claim(Enum):
    """Whether a person may have a workspace."""

    FREE = "free"
    TAKEN = "taken"
    PENDING = "pending"


def judge_claim(*, account: models.Account, person_id: int, uid: str, number: int) -> Claim:
    """Whether the person may work in the workspace, of which a request under way may yet make another the owner.

    `number` is the request's: of several that queue again, the first is sent, or each would wait for the others.
    """
    if _is_free(uid):
        return Claim.FREE
    owner = _find_owner(account=account, uid=uid)
    if owner is not None:
        return Claim.FREE if owner == person_id else Claim.TAKEN
    states = models.Request.Status
    # One that queues again may yet turn out to have been sent.
    may_have_it = Q(status__in=(states.SENDING, states.UNKNOWN)) | Q(
        status=states.QUEUED, attempts__in=_list_unknown(), pk__lt=number
    )
    others = models.Request.objects.filter(may_have_it, account=account, workspace_uid=uid)
    return Claim.PENDING if others.exclude(requester=person_id).exists() else Claim.FREE


def is_taken(*, account: models.Account, person_id: int, uid: str) -> bool:
    """Whether the workspace is another person's already."""
    return not _is_free(uid) and _find_owner(account=account, uid=uid) not in (None, person_id)


def _is_free(uid: str) -> bool:
    """Whether it can be nobody's: a new one, or one that is everybody's."""
    return not uid or uid in settings.SHARED_WORKSPACES


def _find_owner(*, account: models.Account, uid: str) -> int | None:
    owned = models.Workspace.objects.filter(account=account, uid=uid, owner__isnull=False)
    return owned.values_list("owner", flat=True).first()


def _list_unknown() -> QuerySet[models.Attempt]:
    """Attempts that may have made something; without a token, a person has decided since what a restore lost."""
    return models.Attempt.objects.filter(outcome=models.Attempt.Outcome.UNKNOWN).exclude(token="")


def admit_request(*, portal_request: models.Request) -> bool:
    """Whether the locked request may be sent into its workspace; else it fails, or waits until that is known."""
    claim = judge_claim(
        account=portal_request.account,
        person_id=portal_request.requester_id,
        uid=portal_request.workspace_uid,
        number=portal_request.pk,
    )
    if claim is Claim.PENDING:
        # All that its requester has waiting for the workspace: one by one, many would keep others from their turn.
        due = models.Request.objects.due(portal_request.account).filter(requester=portal_request.requester_id)
        due.filter(workspace_uid=portal_request.workspace_uid).update(next_attempt_at=Now() + PAUSE)
    elif claim is Claim.TAKEN:
        _refuse(portal_request)
    return claim is Claim.FREE


def _refuse(portal_request: models.Request) -> None:
    change = lifecycle.move_request(
        portal_request=portal_request,
        status=models.Request.Status.FAILED,
        failure=failures.CATALOGUE["422"],
    )
    audit.record(Verb.REFUSE_WORKSPACE, portal_request, detail={"workspace": portal_request.workspace_uid, **change})
