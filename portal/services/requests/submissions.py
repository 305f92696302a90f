"""What people do to requests: submit, cancel, close; and who may submit them."""

from collections.abc import Callable
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal import failures, models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, key_lock
from portal.services.limits import limits
from portal.services.people import people, policy
from portal.services.requests import lifecycle, notes, ownership, running
from portal.services.runtime import workers
from portal.services.search import finding


class Refused(Exception):
    """The request cannot be taken as it is; the message is fit for the person."""


class SubmissionReused(Refused):
    """The form had been sent before with other values."""


class WorkspaceNotFound(Refused):
    """The workspace belongs to somebody else, which is not revealed."""


class NotPossible(Exception):
    """The request has moved on, so that this cannot be done to it any more; the message is fit for the person."""


def submit_request(
    *,
    requester: models.User,
    submission: UUID,
    account: models.Account | None = None,
    decided: models.Policy | None = None,
    also: Callable[[], None] | None = None,
    **submitted: str,
) -> models.Request:
    """Put a request into the queue; the same submission again gives the same request.

    `account`, `decided`: the present ones, where the caller has just read them. `also` is done in the transaction that
    stores the request. `submitted`: the columns of `Request.SUBMITTED`. Raises SubmissionReused where they differ from
    those of the same submission, WorkspaceNotFound for another person's workspace, running.Reached where no more may
    run, limits.Limited for one too many a minute.
    """
    account = account or accounts.get_current_account()
    wanted = models.Request(account=account, requester=requester, submission=submission, **submitted)
    try:
        _check_workspace(account=account, requester=requester, uid=wanted.workspace_uid)
        return _create_request(wanted, decided=decided or policy.read_policy(), also=also)
    except (IntegrityError, WorkspaceNotFound, running.Reached) as error:
        # Tried first and looked for afterwards: hardly any form is sent twice.
        earlier = models.Request.objects.filter(requester=requester, submission=submission).first()
        if earlier is None:
            if isinstance(error, running.Reached):
                limits.record_refusal(person=requester, act=error.act, status=200)
            raise
    except limits.Limited as error:
        limits.record_limit(limited=error)
        raise
    if any(getattr(earlier, name) != getattr(wanted, name) for name in models.Request.SUBMITTED):
        raise SubmissionReused(
            _(
                "This form was already submitted with other values, as %(label)s. Check that request, then submit "
                "this one again."
            )
            % {"label": earlier.label}
        )
    return earlier


def _check_workspace(*, account: models.Account, requester: models.User, uid: str) -> None:
    if ownership.is_taken(account=account, person_id=requester.pk, uid=uid):
        raise WorkspaceNotFound(
            _("You cannot use this workspace. Choose one of yours, or leave it empty for a new one.")
        )


@transaction.atomic
def _create_request(
    portal_request: models.Request, *, decided: models.Policy, also: Callable[[], None] | None
) -> models.Request:
    running.take_place(decided=decided, account=portal_request.account, person=portal_request.requester)
    portal_request.paused_seconds_before = portal_request.account.key.paused_seconds
    portal_request.save(force_insert=True)
    if also:
        also()
    finding.save_text(number=portal_request.pk, rows=[portal_request])
    limits.count_one(kind=limits.SUBMISSION, person=portal_request.requester)
    detail = {"type": portal_request.type, "workspace": portal_request.workspace_uid}
    audit.record(Verb.SUBMIT, portal_request, by=portal_request.requester, detail=detail)
    workers.wake_workers(work=workers.Work.REQUESTS)
    return portal_request


@transaction.atomic
def cancel_request(*, actor: models.User, portal_request: models.Request) -> None:
    """Cancel what waits, or what a person is asked about; note the wish while it is unknown. Raises NotPossible."""
    locked = lock_request(portal_request=portal_request)
    states = models.Request.Status
    is_asked = locked.status == states.UNKNOWN and notes.may_requester_decide(note=locked.operator_note)
    if locked.status == states.QUEUED or is_asked:
        _cancel(locked, by=actor)
    elif locked.status == states.UNKNOWN and locked.cancel_requested_at is None:
        models.Request.objects.filter(pk=locked.pk).update(cancel_requested_at=Now())
        change = audit.describe_moment(row=locked, column="cancel_requested_at")
        audit.record(Verb.REQUEST_CANCEL, locked, by=actor, detail=change)
    else:
        raise NotPossible(_("It is too late to cancel: the request is no longer waiting."))


@transaction.atomic
def withdraw_request(
    *, portal_request: models.Request, also: Callable[[], None], by: models.User | None = None, reason: str = ""
) -> bool:
    """Cancel it where it still waits, and do `also` in the same transaction. Returns whether it waited."""
    locked = lock_request(portal_request=portal_request)
    if locked.status != models.Request.Status.QUEUED:
        return False
    _cancel(locked, by=by, reason=reason)
    also()
    return True


@transaction.atomic
def close_request(*, actor: models.User, portal_request: models.Request, reason: str) -> None:
    """End anybody's request: a waiting one is cancelled, an unknown one fails. Raises NotPossible for others."""
    locked = lock_request(portal_request=portal_request)
    states = models.Request.Status
    if locked.status == states.QUEUED:
        _cancel(locked, by=actor, reason=reason)
    elif locked.status == states.UNKNOWN:
        failure = failures.CATALOGUE[locked.failure]
        change = lifecycle.move_request(portal_request=locked, status=states.FAILED, failure=failure)
        audit.record(Verb.CLOSE, locked, by=actor, detail=change, reason=reason)
    else:
        raise NotPossible(_("It is too late to close it: the request has moved on."))


def _cancel(locked: models.Request, *, by: models.User | None, reason: str = "") -> None:
    change = lifecycle.move_request(portal_request=locked, status=models.Request.Status.CANCELLED)
    audit.record(Verb.CANCEL, locked, by=by, detail=change, reason=reason)


def lock_request(*, portal_request: models.Request) -> models.Request:
    """The request's row, locked behind its key's, as it is now."""
    key_lock.lock_key(account=portal_request.account)
    rows = models.Request.objects.select_related("account__key", "requester").select_for_update(of=("self",))
    return rows.get(pk=portal_request.pk)


def list_submitters() -> QuerySet[models.User]:
    """The people who may request workstations."""
    return people.list_permitted(codename="submit_request")


def list_left_workstations(*, account: models.Account) -> QuerySet[models.Workstation]:
    """Live workstations of people who may not request any more, and that nobody is giving back."""
    # Read first: they are few, often nobody, while all that is live would have to be asked whose it is.
    others = models.User.objects.exclude(pk__in=list_submitters()).values_list("pk", flat=True)
    live = models.Workstation.objects.live().filter(account=account, release_requested_at=None)
    return live.filter(request__requester__in=list(others))
