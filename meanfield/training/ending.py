"""What is measured of a run when it is over."""

from __future__ import annotations

import math

from meanfield.tables.records import Record
from meanfield.training.device import machine
from meanfield.training.examples import Examples
from meanfield.training.measures import by_layer, performance
from meanfield.training.network import Network
from meanfield.training.setting import Setting
from meanfield.training.trained import Trained

__all__ = ["ended", "layers"]

#: Training examples on which layers are measured, and those on which accuracy is.
_LOOKED_AT, _TRAIN = 256, 10_000
#: q of a layer that is more than this times what it was, or less than its inverse, has run away.
_AWAY = 100.0


def layers(network: Network, examples: Examples) -> Record:
    """q, sparsity and the norm of the gradient, layer by layer, on a few training examples."""
    return by_layer(network, examples.x[:_LOOKED_AT], examples.y[:_LOOKED_AT])


def ended(
    setting: Setting,
    network: Network,
    examples: Examples,
    start: Record,
    steps: int,
    seconds: float,
    *,
    diverged: bool,
) -> Trained:
    """How a run of so many steps, in so many seconds, ended that found its `layers` at the start as they are given."""
    end = layers(network, examples)
    pairs = zip(start["q"], end["q"], strict=True)
    away = [not (math.isfinite(after) and before / _AWAY <= after <= before * _AWAY) for before, after in pairs]
    return Trained(
        setting,
        "diverged" if diverged else "finished",
        steps,
        away.index(True) + 1 if diverged and any(away) else None,
        None if diverged else performance(network, examples.x[:_TRAIN], examples.y[:_TRAIN]),
        None if diverged else performance(network, examples.test_x, examples.test_y),
        examples.test_on,
        start,
        end,
        seconds,
        machine(examples.device),
    )
