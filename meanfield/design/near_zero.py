"""How many activations are nearly zero, where a smooth φ leaves none exactly so.

P(|φ(√q z)| ≤ t·rms φ), with rms φ = √E φ²: a share that does not change with the units of φ. docs/theory.md,
section 16.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.activations.smooth import Smooth
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
_IN_A_LENGTH, _MOST = 16, 50_000


def near_zero_share(phi: Activation, q: float, below: float = BELOW) -> float:
    """The share of activations at variance q > 0 with |φ| ≤ `below`·rms φ; with `below` = 0 it is the sparsity.

    Raises:
        DomainError: a number out of range.
    """
    from scipy.special import ndtr

    require_signal(q, "q")
    require_number("below", below)
    if not 0 <= below < math.inf:
        raise DomainError(f"below = {below:g} is out of range: give a share of rms φ >= 0, such as {BELOW:g}")
    level, root = below * math.sqrt(second_moment(phi, q)), math.sqrt(q)
    x = _points(phi, root)

    def above(x: Array) -> Array:
        excess: Array = np.abs(phi.values(x)) - level
        return np.where(excess > 0, excess, np.minimum(excess, -5e-324))

    f = above(x)
    (at,) = np.nonzero((f[:-1] > 0) != (f[1:] > 0))
    crossed = bracketed(above, x[at], x[at + 1]) if at.size else np.empty(0)
    ends = np.concatenate([[-np.inf], crossed, [np.inf]])
    # Whether φ is near 0 changes from one interval to the next.
    near = np.arange(ends.size - 1) % 2 == (0 if f[0] <= 0 else 1)
    low, high = ends[:-1][near] / root, ends[1:][near] / root
    shares = np.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))
    return float(shares.sum())


def _points(phi: Activation, root: float) -> Array:
    """Points so close that |φ| crosses a level at most once between two, ascending."""
    reach = _REACH * root
    marks = [0.0, *phi.breaks, *(phi.centres if isinstance(phi, Smooth) else ())]
    length = min(min(phi.scales, default=root), root) / _IN_A_LENGTH
    even = np.linspace(-reach, reach, min(_MOST, 2 * math.ceil(reach / length) + 1))
    close = np.geomspace(1e-8 * root, reach, 200)
    around = np.add.outer(marks[:64], np.concatenate([-close, [0.0], close])).ravel()
    before = np.nextafter(phi.breaks, -np.inf)
    x = np.concatenate([even, around, before])
    points: Array = np.unique(x[np.abs(x) <= reach])
    return points
