"""Checks of what a test asks the provider for."""

from typing import TypeGuard

MOST_SECONDS = 86_400


class ScriptError(ValueError):
    """A wish that makes no sense; its text says why."""


def require(condition: bool, sentence: str) -> None:
    if not condition:
        raise ScriptError(sentence)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a number in JSON's sense, in which true is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
