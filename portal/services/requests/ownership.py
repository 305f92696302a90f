"""Whose a workspace is: whoever first used it here, as checked before a request is taken or sent; and its name."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from portal import failures, models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.requests import lifecycle

PAUSE = timedelta(seconds=5)  # before the owner of a workspace that another request has just named is asked for again


def is_taken(*, account: models.Account, person_id: int, uid: str) -> bool:
    """Whether somebody else owns the workspace."""
    owned = models.Workspace.objects.filter(account=account, uid=uid, owner__isnull=False)
    return not _is_free(uid) and owned.exclude(owner=person_id).exists()


def _is_free(uid: str) -> bool:
    """Whether it can be nobody's: a new one, or one that is everybody's."""
    return not uid or uid in settings.SHARED_WORKSPACES


def admit_requests(*, portal_requests: Iterable[models.Request]) -> list[models.Request]:
    """Of locked requests, in their order, those before the first that may not be sent into its workspace now.

    That one fails, waits until the workspace's owner is known, or is asked about again once the others are sent.
    """
    admitted, people = list[models.Request](), dict[str, int]()
    for one in portal_requests:
        # Not a filter: what comes after a request that has to wait would be sent before it.
        is_first = people.setdefault(one.workspace_uid, one.requester_id) == one.requester_id
        if not (is_first or _is_free(one.workspace_uid)) or not _admit(one):
            break
        admitted.append(one)
    return admitted


def _admit(portal_request: models.Request) -> bool:
    account, uid = portal_request.account, portal_request.workspace_uid
    if is_taken(account=account, person_id=portal_request.requester_id, uid=uid):
        change = lifecycle.move_request(
            portal_request=portal_request, status=models.Request.Status.FAILED, failure=failures.WORKSPACE_NOT_FOUND
        )
        audit.record(Verb.REFUSE_WORKSPACE, portal_request, detail={"workspace": uid, **change})
        return False
    if not _is_free(uid) and _list_pending(account, workspace_uid=uid, pk=portal_request.pk):
        # All that wait like this: one by one, many would keep the key locked, and others from their turn.
        models.Request.objects.filter(pk__in=_list_pending(account)).update(next_attempt_at=Now() + PAUSE)
        return False
    return True


def _list_pending(account: models.Account, *, pk: int | None = None, **where: str) -> list[int]:
    """Numbers of those due for a workspace of which another person's request may yet make that person the owner.

    Compared here: a database that has no statistics yet would take seconds for it, under the key's lock.
    """
    states = models.Request.Status
    named = models.Request.objects.filter(account=account, **where).exclude(
        workspace_uid__in=["", *settings.SHARED_WORKSPACES]
    )
    # One that queues again may have been sent; without a token, a person has decided since what a restore lost.
    unknown = models.Attempt.objects.filter(outcome=models.Attempt.Outcome.UNKNOWN).exclude(token="")
    again = Q(status=states.QUEUED) & Exists(unknown.filter(request=OuterRef("pk")))
    holders = defaultdict[str, dict[int, int]](dict)  # by workspace and person: behind which number others wait
    for uid, status, number, person in named.filter(Q(status__in=(states.SENDING, states.UNKNOWN)) | again).values_list(
        "workspace_uid", "status", "pk", "requester_id"
    ):
        # Of several that queue again the first goes, or each would wait for the others.
        first = number if status == states.QUEUED else 0
        holders[uid][person] = min(first, holders[uid].get(person, first))
    owned = models.Workspace.objects.filter(account=account, uid__in=holders, owner__isnull=False)
    due = named.due(account).filter(workspace_uid__in=holders.keys() - set(owned.values_list("uid", flat=True)))
    return [
        number
        for uid, number, person in (due.filter(pk=pk) if pk else due).values_list("workspace_uid", "pk", "requester_id")
        if any(first < number and whose != person for whose, first in holders[uid].items())
    ]


class NotFree(Exception):
    """The workspace has an owner, or gets one by its use; the message is fit for the person."""


@transaction.atomic
def name_workspace(*, actor: models.User, workspace: models.Workspace, name: str) -> None:
    """Give one's own workspace a name; an empty one takes it away. Nothing happens where it is another's."""
    own = models.Workspace.objects.filter(owner=actor).exclude(name=name)
    stored = own.select_for_update().filter(pk=workspace.pk).first()  # as it is now, which the event says
    if stored is not None and stored.update_where(own, name=name):
        audit.record(Verb.NAME_WORKSPACE, stored, by=actor)


@transaction.atomic
def give_workspace(*, actor: models.User, workspace: models.Workspace, owner: models.User, reason: str) -> None:
    """Give a workspace that several people were given unasked its owner. Raises NotFree."""
    free = models.Workspace.objects.filter(owner=None, is_contested=True)
    if not workspace.update_where(free, owner=owner):
        raise NotFree(_("This workspace has an owner already."))
    audit.record(Verb.GIVE_WORKSPACE, workspace, by=actor, reason=reason)
