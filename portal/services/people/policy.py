"""What administrators decide for the whole portal, on one page."""

from typing import Any

from portal import models
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, key_lock


def read_policy() -> models.Policy:
    """What is decided; while no row says it, what a new portal begins with. Writes nothing."""
    return models.Policy.objects.first() or models.Policy(pk=1)


def get_policy() -> models.Policy:
    """The row, which is created where it is missing."""
    return models.Policy.objects.get_or_create(pk=1)[0]


def change_policy(*, actor: models.User, **values: Any) -> None:
    """Change some of it. What runs already goes on as it is. What stays as it was is no event."""
    with key_lock.deciding(account=accounts.get_current_account()):
        policy = models.Policy.objects.select_for_update().get(pk=get_policy().pk)
        before = {name: getattr(policy, name) for name in values}
        if values != before:
            policy.change(**values)
            audit.record(Verb.CHANGE_POLICY, policy, by=actor, detail={"before": before, "after": values})
