"""How a training run ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meanfield.tables.records import Record
from meanfield.tables.shown import Shown
from meanfield.training.measures import Performance
from meanfield.training.setting import Setting

__all__ = ["Trained"]


@dataclass(frozen=True, repr=False)
class Trained(Shown):
    """A run that is over.

    Attributes:
        setting: what was trained.
        outcome: finished, or diverged.
        steps: done.
        first_layer: where a diverged run had run away first, counted from 1; None if it had nowhere before the last.
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

    def result(self) -> Record:
        """How it ended, without what was asked and without layers."""
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
    values = [None] * len(Performance._fields) if found is None else found
    return {f"{examples}_{name}": value for name, value in zip(Performance._fields, values, strict=True)}
