"""Where a function that can only be called is not analytic.

Intervals are halved until Chebyshev coefficients end on each. They shrink towards a break, and towards nothing else so
fast that what lies beside is described over eight times their width: an analytic function's narrow place spoils its
surroundings too. The descriptions left and right of a break are continued to it. A jump is found by bisection between
them; elsewhere the break is where the (k − 1)st derivatives meet, k being the order of the first that differ at it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.polynomial.chebyshev import chebder, chebval
from numpy.typing import NDArray

from meanfield.activations.fitting import short
from meanfield.activations.resolution import Resolution
from meanfield.activations.unseen import SNAP
from meanfield.errors import ActivationError

__all__ = ["Break", "found_breaks", "too_fast"]

Array = NDArray[np.float64]

#: An interval is not halved below this share of 1 + |x|, and no more than so many are at a time.
_NARROWEST, _MOST = 2.0**-30, 1024
#: Breaks of a function that bends between them.
_MOST_BREAKS = 256
#: So many times the width of what contains a break, a function is described beside it.
_BESIDE = 8
#: Derivatives up to this order are compared; a difference counts from so many times its rounding on.
_HIGHEST, _COUNTS = 6, 30.0
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Break:
    """Where a function is not analytic, and whether it jumps there."""

    at: float
    jumps: bool


@dataclass(frozen=True)
class _Side:
    """A Chebyshev series on an interval beside a break, with the rounding of a coefficient."""

    low: float
    high: float
    coefficients: Array
    rounding: float

    def derivative(self, x: float, order: int) -> float:
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return float(chebval((x - middle) / half, chebder(self.coefficients, order))) / half**order

    def noise(self, order: int) -> float:
        """The rounding of a derivative at an end."""
        k = np.arange(len(self.coefficients), dtype=float)
        ends = np.ones_like(k)
        for i in range(order):
            ends *= (k * k - i * i) / (2 * i + 1)
        return self.rounding * math.sqrt(float((ends * ends).sum())) / ((self.high - self.low) / 2) ** order


def found_breaks(resolution: Resolution) -> list[Break]:
    """The breaks of a function, ascending.

    Raises:
        ActivationError: it varies too fast, or breaks too often; the message says where.
    """
    low, high, depth = _halved(resolution)
    deepest = _deepest(depth)
    if len(deepest) > _MOST_BREAKS:
        raise too_fast(resolution, low[[first for first, _ in deepest]])
    found = []
    for first, last in deepest:
        there = _located(resolution, float(low[first]), float(high[last]))
        if there is not None:
            found.append(there)
    return found


def _halved(resolution: Resolution) -> tuple[Array, Array, NDArray[np.int64]]:
    """Intervals on which φ is described, or that are too narrow to be halved, ascending, and how often each was."""
    low, high = resolution.low, resolution.high
    done, depth = [], 0
    while len(low):
        ends = resolution.coefficients(low, high)[1]
        ends |= high - low <= _NARROWEST * (1 + np.maximum(np.abs(low), np.abs(high)))
        done.append((low[ends], high[ends], np.full(int(ends.sum()), depth)))
        low, high, depth = low[~ends], high[~ends], depth + 1
        if len(low) > _MOST:
            raise too_fast(resolution, low)
        middle = (low + high) / 2
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
    lows, highs, depths = (np.concatenate(parts) for parts in zip(*done, strict=True))
    ascending = np.argsort(lows)
    return lows[ascending], highs[ascending], depths[ascending]


def too_fast(resolution: Resolution, low: Array) -> ActivationError:
    """The refusal of a function that varies too fast at some of these places."""
    at = float(low[np.argmin(np.abs(low))])
    return resolution.function.refusal(
        f"bends too often or too sharply to be followed, as near x = {at:.4g}: write it as an expression in x"
    )


def _deepest(depth: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and last index of every run of intervals that were halved more often than those beside it."""
    starts = np.flatnonzero(np.diff(depth, prepend=-1))
    ends = np.append(starts[1:], len(depth)) - 1
    level = depth[starts]
    beside = np.maximum(np.concatenate([[0], level[:-1]]), np.concatenate([level[1:], [0]]))
    return [(int(i), int(j)) for i, j in zip(starts[level > beside], ends[level > beside], strict=True)]


def _located(resolution: Resolution, low: float, high: float) -> Break | None:
    """The break inside an interval, if there is one."""
    width = high - low
    left, right = _side(resolution, low, -width), _side(resolution, high, width)
    if left is None or right is None:
        return None
    for order in range(_HIGHEST, 0, -1):
        at = _meeting(left, right, order, (low + high) / 2)
        if low - width <= at <= high + width and _breaks_first(left, right, order, at):
            loose = _COUNTS * _noise(left, right, order - 1) / abs(_difference(left, right, order, at))
            return Break(_short(at, loose + 2 * _EPS * abs(at)), False)
    middle = (low + high) / 2
    if abs(_difference(left, right, 0, middle)) <= _COUNTS * _noise(left, right, 0):
        return None
    at = _bisected(resolution, left, right, low, high)
    return Break(_short(at, SNAP * abs(at)) if abs(at) > SNAP else 0.0, True)


def _side(resolution: Resolution, at: float, width: float) -> _Side | None:
    """The longest description of φ found from a place on, in the direction that a width has."""
    found, reach = None, _BESIDE * width
    while abs(reach) <= max(1 + abs(at), _BESIDE * abs(width)):
        low, high = np.array([min(at, at + reach)]), np.array([max(at, at + reach)])
        coefficients, ends = resolution.coefficients(low, high)
        if not ends[0]:
            break
        size = max(float(resolution.size(np.maximum(np.abs(low), np.abs(high)))[0]), np.abs(coefficients).max())
        rounding = resolution.tolerance / 4 * size
        kept = 1 + int(np.flatnonzero(np.abs(coefficients[0]) > rounding).max(initial=0))
        found = _Side(float(low[0]), float(high[0]), coefficients[0, :kept], rounding)
        reach *= 2
    return found


def _difference(left: _Side, right: _Side, order: int, at: float) -> float:
    return right.derivative(at, order) - left.derivative(at, order)


def _noise(left: _Side, right: _Side, order: int) -> float:
    return left.noise(order) + right.noise(order)


def _meeting(left: _Side, right: _Side, order: int, at: float) -> float:
    """Where derivatives of the order below meet, near a place."""
    for _ in range(4):
        steep = _difference(left, right, order, at)
        if not steep:
            return math.nan
        at -= _difference(left, right, order - 1, at) / steep
    return at


def _breaks_first(left: _Side, right: _Side, order: int, at: float) -> bool:
    """Whether the derivative of that order is the first that differs."""
    differs = [
        abs(_difference(left, right, k, at))
        > _COUNTS * (_noise(left, right, k) + 4 * _EPS * abs(left.derivative(at, k)))
        for k in range(order + 1)
    ]
    return differs[order] and not any(differs[:order])


def _bisected(resolution: Resolution, left: _Side, right: _Side, low: float, high: float) -> float:
    """The first number that is no longer of the left piece."""
    while (middle := (low + high) / 2) not in (low, high):
        y = float(resolution.function(np.array([middle]))[0])
        if abs(y - left.derivative(middle, 0)) <= abs(y - right.derivative(middle, 0)):
            low = middle
        else:
            high = middle
    return high


def _short(at: float, tolerance: float) -> float:
    return float(short(Fraction(at), tolerance)) if math.isfinite(tolerance) else at
