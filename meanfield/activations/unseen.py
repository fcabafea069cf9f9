"""Points at which a find is compared with a function that can only be called."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SNAP", "beside", "symmetric", "unseen"]

Array = NDArray[np.float64]

#: Points lie evenly up to the one distance, and as the logarithm does up to the other.
_CORE, _FURTHEST = 16.0, 1e8
#: A jump this close (relative) to a short number, or to 0, is taken to be there; φ so close to it says nothing.
SNAP = 1e-12
_GOLDEN = (math.sqrt(5) - 1) / 2


def unseen(knots: Array) -> Array:
    """Points to check at, irregular and out of order (a function that mixes its elements is caught too)."""
    core = _CORE * (2 * ((np.arange(1, 20_001) * _GOLDEN) % 1) - 1)
    outside = symmetric(_CORE * np.exp(math.log(_FURTHEST / _CORE) * ((np.arange(1, 4_001) * _GOLDEN) % 1)))
    offsets = symmetric(10.0 ** -np.linspace(0.3, 10, 40))
    around = (knots[:, None] + offsets * (1 + np.abs(knots[:, None]))).ravel()
    return np.concatenate([core, outside, around])


def beside(x: Array, jumps: Array) -> NDArray[np.bool_]:
    """Whether x is so close to a jump that the value there, even one of its own as in sign(0), says nothing."""
    if not len(jumps):
        return np.zeros(len(x), bool)
    after = np.searchsorted(jumps, x)
    left, right = jumps[np.maximum(after - 1, 0)], jumps[np.minimum(after, len(jumps) - 1)]
    distance = np.minimum(np.abs(x - left), np.abs(x - right))
    near: NDArray[np.bool_] = distance <= SNAP * (1 + np.abs(x))
    return near


def symmetric(positive: NDArray[np.floating[Any]]) -> Array:
    """Positive numbers, ascending, and their opposites before them."""
    return np.concatenate([-positive[::-1], positive]).astype(float)
