"""What people call their workspaces."""

from django.db import transaction

from portal import models
from portal.models.event import Verb
from portal.services import audit


@transaction.atomic
def name_workspace(*, actor: models.User, workspace: models.Workspace, name: str) -> None:
    """Give one's own workspace a name, or take it away with an empty one. Nothing happens where it is another's."""
    own = models.Workspace.objects.filter(owner=actor).exclude(name=name)
    stored = own.select_for_update().filter(pk=workspace.pk).first()  # as it is now, which the event says
    if stored is not None and stored.update_where(own, name=name):
        audit.record(Verb.NAME_WORKSPACE, stored, by=actor)
