"""The straight pieces of a function that can only be called: found by looking, and the find is checked.

Nothing can be proved about a function that can only be called, so three steps stand in for a proof:

1. On a grid, three neighbours off a straight line betray a knot between them. A run of more than two such triples is
   looked at again on a finer grid; what is still bent there has no pieces.
2. A line is fitted between each two knots. Where two lines meet inside the gap between them, that is the knot, to
   rounding; where they do not, φ jumps, and bisection finds the jump to its last bit.
3. The result is compared with the function at points not used so far, dense around each knot and out to ±1e8.

Where a short decimal or a small fraction describes what was seen as well as the number found, it is taken to be that
(0.5, not 0.49999999999999994). Between −16 and 16 a piece of width 0.01 is found; further out, to ±1e4, one of a
hundredth of its distance from 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.algebra import Pieces
from meanfield.activations.fitting import Fit, Line, fitted, short
from meanfield.activations.guarded import Guarded
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.unseen import SNAP, beside, symmetric, unseen
from meanfield.errors import ActivationError

__all__ = ["straight_pieces"]

Array = NDArray[np.float64]

#: Where knots are sought most finely, and how finely: five steps to a piece of width 0.01.
_CORE, _STEP = 16.0, 0.002

#: How far knots are sought, with steps of a thousandth of the distance from 0.
_FAR, _RATIO = 1e4, 1.001

#: Points put between two that a knot, or several, lie between.
_FINER = 64

#: Departures below this are the function's own rounding; departures above the other refute the pieces found. Both are
#: relative to the size that a piecewise-linear function has at x, `_Samples.scale`.
_NOISE, _WRONG = 64 * float(np.finfo(float).eps), 4e-12

_GOLDEN = (math.sqrt(5) - 1) / 2


class _Bends(Exception):
    """The function is not straight between finitely many knots."""


def straight_pieces(function: Guarded) -> PiecewiseLinear | None:
    """The function, if it is piecewise linear.

    Raises:
        ActivationError: its pieces are more than an activation may have, or what it returns is no array of numbers.
    """
    try:
        return _found_pieces(_Samples(function))
    except _Bends:
        return None


def _found_pieces(samples: _Samples) -> PiecewiseLinear:
    # Shifted by an irrational share of a step, so that no point falls on a knot that a person would choose.
    samples.look(symmetric(_STEP * (np.arange(round(_CORE / _STEP)) + _GOLDEN)))
    samples.gaps()
    samples.look(symmetric(np.geomspace(_CORE, _FAR, math.ceil(math.log(_FAR / _CORE) / (_RATIO - 1)))))
    knots, lines = _found(samples)
    for snapped in (True, False):
        phi = _assembled(samples, knots, lines, snapped)
        if _describes(samples, phi, knots):
            return phi
    raise _Bends


@dataclass(frozen=True)
class _Knot:
    at: float
    jumps: bool


class _Samples:
    """A function, and what has been seen of it: `x` ascending and `y`."""

    def __init__(self, function: Guarded) -> None:
        self.function = function
        self.x, self.y = np.empty(0), np.empty(0)
        self.growth = 0.0

    def look(self, x: Array) -> None:
        """Add points."""
        fresh = np.setdiff1d(x, self.x)
        self.x, self.y = np.concatenate([self.x, fresh]), np.concatenate([self.y, self.function(fresh)])
        ascending = np.argsort(self.x)
        self.x, self.y = self.x[ascending], self.y[ascending]
        slopes = np.abs(np.diff(self.y) / np.diff(self.x))
        # A jump is steep between two points only; a slope is one that lasts for two steps.
        lasting = np.minimum(slopes[1:], slopes[:-1])
        self.growth = float(max((np.abs(self.y) / (1 + np.abs(self.x))).max(), lasting.max()))

    def scale(self, x: Array) -> Array:
        """A bound of |φ|, and of |slope·x| on its pieces: what rounding is measured against."""
        return self.growth * (1 + np.abs(x))

    def gaps(self) -> list[tuple[int, int]]:
        """Index pairs (i, j): one knot lies between x[i] and x[j], and on either side of the gap φ is straight.

        Raises:
            _Bends: a bend that does not end under the magnifying glass.
        """
        runs = self._runs()
        crowded = _crowded(runs)
        # A bend over a tenth of all points is no crowd of knots, and need not be looked at again.
        if crowded and sum(j - i for i, j in crowded) <= len(self.x) / 10:
            self.look(np.concatenate([_between(self.x[i : j + 1]) for i, j in crowded]))
            runs = self._runs()
            crowded = _crowded(runs)
        if crowded:
            raise _Bends
        return runs

    def _runs(self) -> list[tuple[int, int]]:
        bent = np.flatnonzero(self._departures() > _NOISE * self.scale(self.x[1:-1])) + 1
        groups = np.split(bent, np.flatnonzero(np.diff(bent) > 1) + 1)
        return [(int(group[0]) - 1, int(group[-1]) + 1) for group in groups if len(group)]

    def _departures(self) -> Array:
        """How far each inner point lies off the line through its neighbours."""
        x, y = self.x, self.y
        share = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
        return np.abs(y[1:-1] - (y[:-2] + share * (y[2:] - y[:-2])))


def _crowded(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(i, j) for i, j in runs if j - i > 3]


def _found(samples: _Samples) -> tuple[list[_Knot], list[Line]]:
    gaps = samples.gaps()
    starts, ends = [0, *(j for _, j in gaps)], [*(i for i, _ in gaps), len(samples.x) - 1]
    for start, end in zip(starts, ends, strict=True):
        if end <= start:
            raise _Bends
    lines = [fitted(samples.x, samples.y, slice(start, end + 1)) for start, end in zip(starts, ends, strict=True)]
    knots = [
        _knot(samples, left, right, float(samples.x[i]), float(samples.x[j]))
        for (left, right), (i, j) in zip(pairwise(lines), gaps, strict=True)
    ]
    return knots, lines


def _knot(samples: _Samples, left: Line, right: Line, low: float, high: float) -> _Knot:
    """The knot between two lines, inside (low, high)."""
    x = np.linspace(low, high, _FINER + 1)
    y, tolerance = samples.function(x), _WRONG * samples.scale(x)
    if left.slope != right.slope:
        # Measured from the middle of the gap, where rounding is that of the values there and not of the intercepts.
        middle = np.array((low + high) / 2)
        meeting = float(middle + (left(middle) - right(middle)) / (right.slope - left.slope))
        expected = np.where(x < meeting, left(x), right(x))
        if low <= meeting <= high and (np.abs(y - expected) <= tolerance).all():
            return _Knot(meeting, False)
    jump = _bisected(samples, left, right, low, high)
    off = (np.abs(y - np.where(x < jump, left(x), right(x))) > tolerance) & ~beside(x, np.array([jump]))
    if off.any():
        raise _Bends
    return _Knot(jump, True)


def _bisected(samples: _Samples, left: Line, right: Line, low: float, high: float) -> float:
    while (middle := (low + high) / 2) not in (low, high):
        x = np.array([middle])
        y = samples.function(x)
        if abs(y - left(x))[0] <= abs(y - right(x))[0]:
            low = middle
        else:
            high = middle
    return high


def _assembled(samples: _Samples, knots: list[_Knot], lines: list[Line], snapped: bool) -> PiecewiseLinear:
    """The pieces, with lines that meet where φ does not jump: there the knot is their crossing, in rational numbers."""
    exact = [line.exact for line in lines]
    at = [Fraction(knot.at) for knot in knots]
    if snapped:
        fit = Fit(samples.x, samples.y, samples.scale(samples.x), lines)
        exact = [fit.short_line(piece) for piece in range(len(lines))]
        at = [_short_jump(t) if knot.jumps else t for t, knot in zip(at, knots, strict=True)]
        for i in [i for i, knot in enumerate(knots) if not knot.jumps]:
            exact[i + 1] = fit.meeting(i + 1, exact[i], exact[i + 1])
    for i, ((a, c), (a2, c2)) in enumerate(pairwise(exact)):
        if not knots[i].jumps and a != a2:
            at[i] = (c - c2) / (a2 - a)
    try:
        return Pieces(tuple(at), tuple(a for a, _ in exact), tuple(c for _, c in exact)).rounded()
    except ActivationError as fault:
        raise ActivationError(f"{samples.function.name}: {fault}") from None


def _short_jump(t: Fraction) -> Fraction:
    """Where bisection found a jump, at a short number if one is as near as bits."""
    return Fraction(0) if abs(t) <= SNAP else short(t, SNAP * float(abs(t)))


def _describes(samples: _Samples, phi: PiecewiseLinear, knots: list[_Knot]) -> bool:
    """Whether φ is the function also where it has not been looked at."""
    x = unseen(np.array([knot.at for knot in knots]))
    # On which side of its jump φ lies there to the last bit is no matter.
    x = x[~beside(x, np.array([knot.at for knot in knots if knot.jumps]))]
    return bool((np.abs(samples.function(x) - phi(x)) <= _WRONG * samples.scale(x)).all())


def _between(x: Array) -> Array:
    return np.concatenate([np.linspace(a, b, _FINER + 1) for a, b in pairwise(x)])
