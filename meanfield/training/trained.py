"""How a training run ended."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from meanfield.tables.records import Record
from meanfield.tables.shown import Shown
from meanfield.training.measures import Performance
from meanfield.training.setting import Setting

__all__ = ["RESULT", "Trained"]

#: The keys of a result.
RESULT = (
    *("outcome", "steps", "first_layer", "test_on"),
    *(f"{examples}_{name}" for examples in ("train", "test") for name in Performance._fields),
    *("seconds", "machine"),
)


@dataclass(frozen=True, repr=False)
class Trained(Shown):
    """A run that is over.

    Attributes:
        setting: what was trained.
        outcome: finished, or diverged.
        steps: done.
        first_layer: the first hidden layer, counted from 1, whose q is 100 times what it was at the start or more, or
            1/100 or less, or no number, in a run that diverged; None if there is none, and it ran away after them.
        train: on examples that it was trained on; None of a run that diverged.
        test: on those that it was not, likewise.
        test_on: test, or validation.
        start, end: q, sparsity and the norm of the gradient by layer, on the same training examples.
        seconds: that its steps took.
        machine: that it ran on.
    """

    setting: Setting
    outcome: str
    steps: int
    first_layer: int | None
    train: Performance | None
    test: Performance | None
    test_on: str
    start: Record
    end: Record
    seconds: float
    machine: str

    paper = ("activation", "outcome", "train_accuracy", "test_accuracy", "test_sparsity", "seconds")

    @property
    def unreached(self) -> int:
        """How many hidden layers, from the first, no gradient reaches at the end."""
        return max((layer for layer, norm in enumerate(self.end["gradient_norm"], 1) if norm == 0), default=0)

    def result(self) -> Record:
        """How it ended, without what was asked and without layers; what is no number is None."""
        return {
            "outcome": self.outcome,
            "steps": self.steps,
            "first_layer": self.first_layer,
            "test_on": self.test_on,
            **_named("train", self.train),
            **_named("test", self.test),
            "seconds": round(self.seconds, 2),
            "machine": self.machine,
        }

    def record(self) -> Record:
        """The same, with what was asked."""
        return {**self.setting.as_record(), **self.result()}


def _named(examples: str, found: Performance | None) -> dict[str, Any]:
    numbers = {} if found is None else found._asdict()
    known = {name: value for name, value in numbers.items() if math.isfinite(value)}
    return {f"{examples}_{name}": known.get(name) for name in Performance._fields}
