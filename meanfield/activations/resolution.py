"""How well Chebyshev polynomials describe a function that can only be called.

On an interval where it is analytic its coefficients fall geometrically to rounding; where it is not, they do not.
Rounding is measured against the largest |φ| at no larger |x|: a Gaussian around 0 gives no more weight to x than to
what lies nearer to 0. docs/theory.md, section 15.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.chebyshev_points import chebyshev
from meanfield.activations.guarded import Guarded

__all__ = ["NODES", "REACH", "Resolution"]

Array = NDArray[np.float64]

#: Points on an interval, and how many of the last coefficients have to be nothing.
NODES, _LAST = 32, 4
#: How far a function is looked at.
REACH = 2.0**60
#: Intervals that are looked at first: so wide up to |x| = 16, then in so many steps to each doubling.
_CORE, _WIDTH, _STEPS = 16.0, 0.125, 4
#: Nearer to 0 than this the size of φ is that here.
_NEAREST = 1 / 16
#: Values below this count as nothing: cubes of what is far out, over it, are doubles still.
_SMALLEST = 1e-200
_EPS = float(np.finfo(float).eps)
#: The least share of its size to which a function is described, the share that its rounding may reach, and how many
#: times its rounding that has to be.
_FINEST, _NOISIEST, _ABOVE_NOISE = 2e-15, 1e-14, 12
#: Places by which elements are turned to see whether one touches another.
_TURN = 57
_GOLDEN = (math.sqrt(5) - 1) / 2


class Resolution:
    """A function, and to what share of its size it is described.

    Raises:
        ActivationError: it is no function of one number, or rounds more coarsely than doubles do; the message says
            where.
    """

    def __init__(self, function: Guarded) -> None:
        self.function = function
        self.low, self.high = _first_intervals()
        #: Where it was looked at first, ascending, and its values there.
        self.x = self.nodes(self.low, self.high).ravel()
        self.y = function(self.x)
        outwards = np.argsort(np.abs(self.x))
        self._distance = np.abs(self.x[outwards])
        self._largest = np.maximum(np.maximum.accumulate(np.abs(self.y[outwards])), _SMALLEST)
        self._require_elementwise()
        noise, at = self._noise()
        if noise > _NOISIEST:
            raise function.refusal(
                f"is accurate to {noise:.0e} of its size only, near x = {at:.4g}: compute it in float64 throughout, "
                "in a form that does not cancel, or write it as an expression in x"
            )
        self.tolerance = max(_FINEST, _ABOVE_NOISE * noise)

    @staticmethod
    def nodes(low: Array, high: Array) -> Array:
        """Chebyshev points on intervals, shape (intervals, NODES)."""
        return low[:, np.newaxis] + (high - low)[:, np.newaxis] * chebyshev(NODES)[0]

    def size(self, x: Array) -> Array:
        """The largest |φ| at no larger |x|, as far as it has been looked at."""
        seen = np.searchsorted(self._distance, np.maximum(np.abs(x), _NEAREST))
        size: Array = self._largest[np.minimum(seen, len(self._distance) - 1)]
        return size

    def coefficients(self, low: Array, high: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Chebyshev coefficients on intervals, shape (intervals, NODES), and where they describe φ."""
        x = self.nodes(low, high)
        y = self.function(x.ravel()).reshape(x.shape)
        found = y @ chebyshev(NODES)[1].T
        return found, self.ends(found, self.allowed(x, y))

    @staticmethod
    def ends(coefficients: Array, allowed: Array) -> NDArray[np.bool_]:
        """Whether the last coefficients are nothing."""
        over: NDArray[np.bool_] = np.abs(coefficients[:, -_LAST:]).max(axis=1) <= allowed
        return over

    def allowed(self, x: Array, y: Array) -> Array:
        """What φ may be off on intervals with those nodes: its own rounding, and what the rounding of x makes of it."""
        furthest = np.abs(x).max(axis=1)
        steepest = np.abs(np.diff(y, axis=1) / np.diff(x, axis=1)).max(axis=1)
        size = np.maximum(self.size(furthest), np.abs(y).max(axis=1))
        allowed: Array = self.tolerance * size + 4 * _EPS * furthest * steepest
        return allowed

    def _require_elementwise(self) -> None:
        x = _places(257)
        y, turned = self.function(x), np.roll(self.function(np.roll(x, _TURN)), -_TURN)
        off = np.abs(y - turned) > 16 * _EPS * (self.size(x) + np.abs(y))
        if off.any():
            at = float(x[off][np.argmin(np.abs(x[off]))])
            raise self.function.refusal(
                f"has two values at x = {at:.4g}: give a function that draws nothing at random and works element by "
                "element"
            )

    def _noise(self) -> tuple[float, float]:
        """The rounding of the function over its size, where it is nearly worst, and where that is.

        Differences of the eighth order of an analytic function are those of its rounding (J. J. Moré, S. M. Wild,
        SIAM J. Sci. Comput. 33 (2011) 1292-1314).
        """
        x, order = _places(256), 8
        points = x[:, np.newaxis] * (1 + 1e-6 * np.arange(order + 1))
        y = self.function(points.ravel()).reshape(points.shape)
        noise = np.abs(np.diff(y, n=order, axis=1)[:, 0]) / math.sqrt(math.comb(2 * order, order)) / self.size(x)
        worst = int(np.argsort(noise)[int(0.9 * len(x))])
        return float(noise[worst]), float(x[worst])


def _places(n: int) -> Array:
    """Points on either side of 0, irregular and in no order."""
    x = 0.05 * 1000 ** ((np.arange(1, n + 1) * _GOLDEN) % 1)
    return np.where(np.arange(n) % 2, x, -x)


def _first_intervals() -> tuple[Array, Array]:
    # Shifted by an irrational share of a step: what a person would choose as a break is no edge, nor any halving's.
    steps = round(_CORE / _WIDTH)
    core = _WIDTH * (np.arange(-steps, steps) + _GOLDEN)
    outside = 2.0 ** (np.arange(1, 1 + math.ceil(_STEPS * math.log2(REACH / _CORE))) / _STEPS)
    edges = np.concatenate([core[0] * outside[::-1], core, core[-1] * outside])
    return edges[:-1], edges[1:]
