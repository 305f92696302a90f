"""The HTTP request of somebody who is signed in: views behind the sign-in middleware get no other."""

from django.http import HttpRequest

from portal import models


class SignedInRequest(HttpRequest):
    """An HTTP request whose user is a person."""

    user: models.User
