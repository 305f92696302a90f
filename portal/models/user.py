"""The people who sign in."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person. People are deactivated, never deleted: their requests are kept."""

    class Meta(AbstractUser.Meta):
        permissions = [("see_all", "Can see everybody's requests and workstations")]
