"""The people who sign in."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """A person. People are deactivated, never deleted: their requests are kept."""

    last_turn = models.PositiveBigIntegerField(
        default=0, help_text=_("The key's turn when a request of theirs was claimed.")
    )

    class Meta(AbstractUser.Meta):
        permissions = [("see_all", "Can see everybody's requests and workstations")]
