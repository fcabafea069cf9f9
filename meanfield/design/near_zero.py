"""How many activations are nearly zero, where a smooth φ leaves none exactly so.

P(|φ(√q z)| ≤ t·rms φ), with rms φ = √E φ²: a share that does not change with the units of φ. docs/theory.md,
section 16.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.domain import require_number, require_signal
from meanfield.errors import DomainError
from meanfield.infinite_width.moments import second_moment
from meanfield.infinite_width.roots import bracketed

__all__ = ["BELOW", "near_zero_share"]

Array = NDArray[np.float64]

#: What is nearly zero beside the rms, where nothing else is said.
BELOW = 0.1
#: So many standard deviations out nothing is left.
_REACH = 9.0
#: Points in the least length on which φ varies, and in all at most.
_IN_A_LENGTH, _MOST = 16, 10_000
#: What is at the level counts as below it.
_LEAST = 5e-324


def near_zero_share(phi: Activation, q: float, below: float = BELOW) -> float:
    """The share of activations at variance q > 0 with |φ| ≤ `below`·rms φ; with `below` = 0 it is the sparsity.

    Raises:
        DomainError: a number out of range.
    """
    require_signal(q, "q")
    require_number("below", below)
    if not 0 <= below < math.inf:
        raise DomainError(f"below = {below:g} is out of range: give a share of rms φ >= 0, such as {BELOW:g}")
    level, root = below * math.sqrt(second_moment(phi, q)), math.sqrt(q)
    x = _points(phi, root)
    values = phi.values(x)

    def beyond(sign: int) -> float:
        """P(sign·φ > level): φ itself is followed, not |φ|, whose dips to 0 may lie between two points."""
        outside = sign * values > level
        (at,) = np.nonzero(outside[:-1] != outside[1:])

        def side(x: Array) -> Array:
            excess: Array = sign * phi.values(x) - level
            return np.where(excess > 0, excess, np.minimum(excess, -_LEAST))

        crossed = bracketed(side, x[at], x[at + 1]) if at.size else np.empty(0)
        ends = np.concatenate([[-np.inf], crossed, [np.inf]])
        begins, stops = ends[:-1] / root, ends[1:] / root
        return float(_probability(begins, stops)[0 if outside[0] else 1 :: 2].sum())

    return max(1.0 - beyond(1) - beyond(-1), 0.0)


def _probability(low: Array, high: Array) -> Array:
    """Of a standard normal number between two, by the tails on that side of 0 on which they lie."""
    from scipy.special import ndtr

    share: Array = np.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))
    return share


def _points(phi: Activation, root: float) -> Array:
    """Points so close that φ crosses a level at most once between two, ascending."""
    reach = _REACH * root
    marks = [0.0, *phi.breaks, *phi.centres]
    length = min(min(phi.scales, default=root), root) / _IN_A_LENGTH
    even = np.linspace(-reach, reach, min(_MOST, 2 * math.ceil(reach / length) + 1))
    close = np.geomspace(1e-8 * root, reach, 200)
    around = np.add.outer(marks[:64], np.concatenate([-close, [0.0], close])).ravel()
    before = np.nextafter(phi.breaks, -np.inf)
    x = np.concatenate([even, around, before])
    points: Array = np.unique(x[np.abs(x) <= reach])
    return points
