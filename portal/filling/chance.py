"""Choosing by weight."""

from collections.abc import Mapping
from itertools import accumulate
from random import Random


class Weighted[Choice]:
    """Choices, each as often as its weight says."""

    def __init__(self, weights: Mapping[Choice, float]) -> None:
        self._choices, self._sums = list(weights), list(accumulate(weights.values()))

    def choose(self, random: Random) -> Choice:
        """One of them."""
        return random.choices(self._choices, cum_weights=self._sums)[0]
