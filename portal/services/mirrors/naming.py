"""What people call their workspaces, and whose one is that several people were given."""

from django.db import transaction
from django.utils.translation import gettext as _

from portal import models
from portal.models.event import Verb
from portal.services import audit


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
