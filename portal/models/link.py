"""The links with which people come in without a password."""

from django.conf import settings
from django.db import models


class SignInLink(models.Model):
    """A one-time link with which a person chooses a password; without a person, that of the first administrator.

    Only the hash of its token is kept; a newer link replaces it.
    """

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="sign_in_link"
    )
    token_hash = models.CharField(max_length=64, unique=True)
    valid_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"sign-in link of {self.person or 'the first administrator'}"
