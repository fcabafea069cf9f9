"""The losses of a run, step by step, and when they say that it has diverged."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["Losses"]

#: A run diverges when more than half of so many losses are over so many times that of a guess, or its first if that is
#: more: one that is thrown far for some steps, and comes back, does not.
_STEPS, _FACTOR = 100, 10.0


class Losses:
    """The losses of a run over so many classes.

    Attributes:
        taken: of all steps done.
    """

    def __init__(self, classes: int, taken: Iterable[float] = ()) -> None:
        self.taken = list(taken)
        self._guess = math.log(classes)

    def mean(self) -> float:
        """Over the latest hundred steps."""
        latest = self.taken[-_STEPS:]
        return sum(latest) / len(latest)

    def stop(self, value: float) -> bool:
        """Whether the run has diverged, by the loss with which its next step would begin and those before."""
        if not math.isfinite(value):
            return True
        if len(self.taken) < _STEPS:
            return False
        most = _FACTOR * max(self._guess, self.taken[0])
        return sum(loss > most for loss in self.taken[-_STEPS:]) > _STEPS / 2
