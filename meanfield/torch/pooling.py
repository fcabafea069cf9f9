"""What pooling makes of the mean square of activations, between positions that are alike and independent ones.

Of k independent positions the mean has E φ²/k + (1 − 1/k)(E φ)², and the maximum the law F^k where a φ has F.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import ndtri

from meanfield.activations.activation import Activation
from meanfield.infinite_width.moments import mean, second_moment
from meanfield.torch.elementwise import call_name
from meanfield.torch.tracing import Step

__all__ = ["pooled_factor"]

#: Equal shares of probability, at whose middles φ is looked at.
_SHARES = 20_000


def pooled_factor(step: Step, phi: Activation, q: float) -> float | None:
    """E of the pooled square over E φ², at k independent positions of variance q; None where k is not known.

    Alike positions have 1.
    """
    name = call_name(step.name) if step.kind == "function" else type(step.operation).__name__.casefold()
    positions = _positions(step)
    if positions and "max" in name:
        return _largest(phi, q, positions)
    if positions and "avg" in name:
        return float(1 / positions + (1 - 1 / positions) * mean(phi, q) ** 2 / second_moment(phi, q))
    return None


def _positions(step: Step) -> int | None:
    """k of a pool of so many; None of an adaptive one."""
    module, size = step.operation, None
    if step.kind == "module":
        size, dimensions = getattr(module, "kernel_size", None), int(_last_digit(type(module).__name__))
    else:
        size = step.kwargs.get("kernel_size", step.args[1] if len(step.args) > 1 else None)
        dimensions = int(_last_digit(step.name))
        if "adaptive" in step.name or not dimensions:
            return None
    return _count(size, dimensions)


def _count(size: Any, dimensions: int) -> int | None:
    if isinstance(size, int):
        return int(size**dimensions)
    if isinstance(size, tuple | list) and all(isinstance(side, int) for side in size):
        return int(math.prod(size))
    return None


def _last_digit(name: str) -> str:
    return next((c for c in reversed(name) if c.isdigit()), "0")


def _largest(phi: Activation, q: float, positions: int) -> float:
    share = (np.arange(_SHARES) + 0.5) / _SHARES
    values = np.sort(phi.values(math.sqrt(q) * ndtri(share)))
    weights = np.diff((np.arange(_SHARES + 1) / _SHARES) ** positions)
    return float(weights @ np.square(values) / np.square(values).mean())
