"""Tokens of people's programs, with their texts."""

from typing import Any, NamedTuple

from portal import models
from portal.services.tokens import tokens


class Made(NamedTuple):
    text: str
    row: models.Token


def make_token(person: models.User, *scopes: str, **values: Any) -> Made:
    """With all scopes unless some are named."""
    given = {"name": "a program", "lifetime": None, "by": person} | values
    text = tokens.create_token(person=person, scopes=scopes or models.Token.Scope.values, **given)
    return Made(text, models.Token.objects.latest("pk"))
