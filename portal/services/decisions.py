"""What operators decide where the portal cannot: each with a reason, which is kept in the record."""

from django.db import transaction
from django.utils.translation import gettext as _

from portal import models
from portal.models.clock import Now
from portal.services import accounts, audit, credentials, intake, lifecycle, mirror, submitters, wake

_OPEN = (models.Request.Status.UNKNOWN, models.Request.Status.QUEUED)


def count_open_decisions() -> int:
    """How much waits for an operator: unknown requests that nothing else can settle, orphans, notices, keys to confirm,
    and what runs for people who may not request any more."""
    account = accounts.get_current_account()
    unknown = models.Request.objects.filter(status=models.Request.Status.UNKNOWN)
    unknown = unknown.exclude(operator_note="", account__retired_at=None)
    left = submitters.list_left_workstations(account=account)
    orphans = models.Workstation.objects.orphans().filter(account=account, release_asked_at=None)
    notices = models.Notice.objects.filter(acknowledged_at=None)
    questions = credentials.list_questions(account=account)
    return len(questions) + sum(rows.count() for rows in (unknown, left, orphans, notices))


@transaction.atomic
def adopt_workstation(
    *, actor: models.User, portal_request: models.Request, workstation: models.Workstation, reason: str
) -> None:
    """Say that this orphan was made for that request. Raises NotPossible where either has moved on."""
    locked = intake.lock_request(portal_request=portal_request)
    stored = models.Workstation.objects.select_for_update().get(pk=workstation.pk)
    if locked.status not in _OPEN or stored.request_id is not None or stored.account_id != locked.account_id:
        raise intake.NotPossible(_("The request or the workstation has moved on; look again."))
    mirrors = mirror.give_workstation(stored=stored, portal_request=locked)
    change = lifecycle.move_request(portal_request=locked, status=models.Request.Status.SUCCEEDED)
    audit.record_event(
        actor=actor,
        verb="adopt",
        target=locked,
        request_number=locked.pk,
        reason=reason,
        detail={"workstation": stored.uid, **change},
        rows=[locked, *mirrors],
    )


@transaction.atomic
def declare_not_created(*, actor: models.User, portal_request: models.Request, reason: str) -> None:
    """Say that nothing was made, so that the request is tried again, or cancelled where that was wanted."""
    locked = intake.lock_request(portal_request=portal_request)
    if locked.status != models.Request.Status.UNKNOWN:
        raise intake.NotPossible(
            _("Only a request whose outcome is unknown can be tried again; this one has moved on.")
        )
    states = models.Request.Status
    change = lifecycle.move_request(
        portal_request=locked, status=states.CANCELLED if locked.cancel_wished_at is not None else states.QUEUED
    )
    audit.record_event(
        actor=actor, verb="not-created", target=locked, request_number=locked.pk, reason=reason, detail=change
    )
    wake.wake_workers()


@transaction.atomic
def release_orphan(*, actor: models.User, workstation: models.Workstation, reason: str) -> None:
    """Give back a workstation that nobody owns. Raises NotPossible where it has ended or somebody owns it."""
    # With another account's key the provider would say that it is gone, while it runs on.
    current = accounts.get_current_account()
    asked = models.Workstation.objects.orphans().filter(pk=workstation.pk, account=current, release_asked_at=None)
    if not asked.update(release_asked_at=Now(), release_asked_by=actor, refresh_due_at=Now()):
        raise intake.NotPossible(_("This workstation has ended, has an owner, or is being given back already."))
    change = audit.describe_moment(row=workstation, column="release_asked_at")
    audit.record_event(actor=actor, verb="release-orphan", target=workstation, detail=change, reason=reason)
