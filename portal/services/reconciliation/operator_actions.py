"""What people decide where the portal cannot. What operators decide needs a reason, which is kept in the audit log."""

from django.db import transaction
from django.utils.translation import gettext as _

from portal import models
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, credentials, key_lock
from portal.services.mirrors import mirror, releases
from portal.services.reconciliation import completeness
from portal.services.requests import lifecycle, notes, submissions
from portal.services.runtime import workers

_OPEN = (models.Request.Status.UNKNOWN, models.Request.Status.QUEUED)


def count_open_decisions() -> int:
    """How much waits for an operator. Changes of the API are left out: nothing breaks by them."""
    account = accounts.get_current_account()
    unknown = models.Request.objects.needing_review()
    left = submissions.list_left_workstations(account=account)
    orphans = models.Workstation.objects.orphans().filter(account=account, release_requested_at=None)
    questions = credentials.list_questions(account=account)
    return len(questions) + sum(rows.count() for rows in (unknown, left, orphans))


@transaction.atomic
def adopt_workstation(
    *, actor: models.User, portal_request: models.Request, workstation: models.Workstation, reason: str
) -> None:
    """Say that this orphan was created for that request. Raises NotPossible where either has moved on."""
    locked = submissions.lock_request(portal_request=portal_request)
    unclaimed = models.Workstation.objects.unclaimed().filter(account=locked.account_id, is_nameless=False)
    stored = unclaimed.select_for_update(of=("self",)).filter(pk=workstation.pk).first()
    if locked.status not in _OPEN or stored is None:
        raise submissions.NotPossible(
            _("The request or the workstation has changed in the meantime. Check both again.")
        )
    mirrors = mirror.assign_workstation(stored=stored, portal_request=locked)
    change = lifecycle.move_request(portal_request=locked, status=models.Request.Status.SUCCEEDED)
    detail = {"workstation": stored.uid, **change}
    audit.record(Verb.ADOPT, locked, by=actor, reason=reason, detail=detail, rows=[locked, *mirrors])


def find_obstacle(*, actor: models.User, portal_request: models.Request) -> str:
    """Why this person cannot say now that nothing was created for the request; empty where they can."""
    if portal_request.status != models.Request.Status.UNKNOWN:
        return _("Only a request that is being checked can be sent again; this one has moved on.")
    note = portal_request.operator_note
    if not note and portal_request.account.retired_at is not None:
        return _("It was sent to an account that the portal has left, so it can't be sent again.")
    is_own = portal_request.requester_id == actor.pk and notes.may_requester_decide(note=note)
    if not note or not (is_own or actor.decides):
        return _("The portal is still checking this request.")
    return ""


def is_sent_again(*, portal_request: models.Request) -> bool:
    """Whether "not created" sends the request again; else it is cancelled."""
    is_wanted = portal_request.cancel_requested_at is None and portal_request.requester.is_active
    return is_wanted and portal_request.account.retired_at is None


@transaction.atomic
def declare_not_created(*, actor: models.User, portal_request: models.Request, reason: str = "") -> None:
    """Say that nothing was created, so that the request is sent again, which may buy a second one, or is cancelled.

    Raises NotPossible before the portal asks for it.
    """
    locked = submissions.lock_request(portal_request=portal_request)
    if obstacle := find_obstacle(actor=actor, portal_request=locked):
        raise submissions.NotPossible(obstacle)
    states = models.Request.Status
    next_status = states.QUEUED if is_sent_again(portal_request=locked) else states.CANCELLED
    change = lifecycle.move_request(portal_request=locked, status=next_status)
    audit.record(Verb.NOT_CREATED, locked, by=actor, reason=reason, detail=change)
    workers.wake_workers()


@transaction.atomic
def disown_workstation(*, actor: models.User, workstation: models.Workstation, reason: str) -> None:
    """Say that a workstation is not the team's: it is nobody's orphan, and stands in no request's way.

    Of one of ours that the lists leave out: that no scan need show it. Raises NotPossible where they show it.
    """
    key_lock.lock_key(account=workstation.account)
    is_ours, left_out = workstation.request_id is not None, completeness.list_left_out(account=workstation.account)
    concerned = left_out if is_ours else models.Workstation.objects.unclaimed()
    rows = models.Workstation.objects.filter(pk__in=concerned.filter(pk=workstation.pk).values("pk"))
    if not workstation.update_where(rows, is_foreign=True):
        raise submissions.NotPossible(_("This workstation belongs to a request, or may still turn out to."))
    change = {"before": {"is_foreign": False}, "after": {"is_foreign": True}}
    audit.record(Verb.LEAVE_OUT if is_ours else Verb.DISOWN, workstation, by=actor, detail=change, reason=reason)


@transaction.atomic
def release_orphan(*, actor: models.User, workstation: models.Workstation, reason: str) -> None:
    """Release a workstation that nobody owns. Raises NotPossible where it has ended or somebody owns it."""
    # With another account's key the provider would say that it is gone, while it runs on.
    current = accounts.get_current_account()
    key_lock.lock_key(account=current)  # a request may be about to be given it
    orphans = models.Workstation.objects.live().orphans().filter(account=current, release_requested_at=None)
    if not releases.mark_release_requested(workstation=workstation, rows=orphans, actor=actor, reason=reason):
        raise submissions.NotPossible(_("This workstation has ended, has an owner, or is already being released."))
