"""S(r) of a φ with many kinks, or jumps, at one variance: a table in y = artanh r, filled where it is asked.

The double sum of `price_kernel` grows with the square of their number, and quadratures ask for it at hundreds of r.
Near r = 0 a single sum does: u and v are √|r| g and ±√|r| g, one Gaussian g, plus independent ones of variance 1 − |r|,
so that S(r) = E s(g) s(±g) with s(g) = E φ''(u | g), a sum over kinks. The trapezoidal rule in g is exact to rounding.
Further out few pairs are close enough to count. docs/theory.md, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.polynomial.chebyshev import chebval
from numpy.typing import NDArray

from meanfield.activations.chebyshev_points import chebyshev

__all__ = ["StepTable", "shared_cost", "shared_steps"]

Array = NDArray[np.float64]

#: Points on a panel of width 1 in y: S dr/dy is analytic for |Im y| < π/4.
_POINTS = 32
#: The trapezoidal rule's step and reach, in standard deviations of a pair's share of the integrand: both leave 1e-18.
_STEP, _REACH = 0.69, 9.0
#: Standard deviations beyond which a knot has no density beside others.
_FURTHEST = 9.5
#: Numbers worked through at a time: they stay in cache.
_NUMBERS = 2**16


class StepTable:
    """A density in y by Chebyshev interpolation, panel by panel, up to |y| = `last`; beyond it as it is.

    `density`, of y of shape (n,), is analytic near the real line.
    """

    def __init__(self, density: Callable[[Array], Array], last: float) -> None:
        self.density, self._last = density, last
        self._panels: dict[float, Array] = {}

    def __call__(self, y: Array) -> Array:
        """The density at y of any shape."""
        flat, found = y.ravel(), np.empty(y.size)
        beyond = np.abs(flat) >= self._last
        if beyond.any():
            # A quadrature has the same points there for all that it integrates.
            points, place = np.unique(flat[beyond], return_inverse=True)
            found[beyond] = self.density(points)[place]
        panels = np.floor(flat)
        for panel in np.unique(panels[~beyond]).tolist():
            here = (panels == panel) & ~beyond
            found[here] = chebval(2 * (flat[here] - panel) - 1, self._panel(panel))
        return found.reshape(y.shape)

    def _panel(self, panel: float) -> Array:
        if panel not in self._panels:
            points, from_values = chebyshev(_POINTS)
            self._panels[panel] = from_values @ self.density(panel + points)
        return self._panels[panel]


def shared_steps(heights: Array, knots: Array, root: float, y: float, before: float = 0.0) -> float:
    """Σᵢⱼ dᵢ dⱼ ϕ₂(hᵢ, hⱼ; r) dr/dy at r = tanh y.

    The dᵢ are the steps of a function that is `before` at first: `knots` (n,) their places, ascending, `heights` (n,)
    its values from there on; hᵢ is a knot over `root` = √q.
    """
    first, last, count = _nodes(knots, root, y)
    g, step = np.linspace(first, last, count, retstep=True)
    own, pull = _own(y), math.sqrt(math.tanh(abs(y)))
    s, several = np.empty(g.size), max(1, _NUMBERS // max(1, knots.size))
    for start in range(0, g.size, several):
        some = g[start : start + several]
        # What is further from all of these has no density there.
        low, high = root * (pull * some[0] - _FURTHEST * own), root * (pull * some[-1] + _FURTHEST * own)
        begin, end = int(np.searchsorted(knots, low)), int(np.searchsorted(knots, high))
        inner = heights[begin - 1] if begin else before
        mean = pull * some
        s[start : start + several] = _convolved(inner, heights[begin:end], knots[begin:end], root, own, mean)
    product = float(step) * float((np.exp(-0.5 * g * g) * s) @ (s if y >= 0 else s[::-1]))
    return product / (math.sqrt(2 * math.pi) * 2 * math.pi * own**2 * math.cosh(y) ** 2)


def shared_cost(knots: Array, root: float, y: float) -> float:
    """About how many numbers `shared_steps` works through."""
    _, _, count = _nodes(knots, root, y)
    span = float(knots[-1] - knots[0]) / root
    return count * knots.size * min(1.0, 2 * _FURTHEST * _own(y) / span if span else 1.0)


def _own(y: float) -> float:
    """√(1 − |r|), the standard deviation of u/√q given g."""
    return math.sqrt(2 / (1 + math.exp(2 * abs(y))))


def _nodes(knots: Array, root: float, y: float) -> tuple[float, float, int]:
    """The first and the last g of the trapezoidal rule, symmetric for y < 0, and how many there are."""
    spread = math.exp(-abs(y))
    low, high = float(knots[0]) / root, float(knots[-1]) / root
    if y < 0:
        low, high = 0.5 * (low - high), 0.5 * (high - low)
    # Of two steps the integrand is a Gaussian in g, of this spread and about their middle times 2√r/(1 + r).
    pull = math.sqrt(math.tanh(abs(y))) * (1 + spread**2)
    first, last = pull * low - _REACH * spread, pull * high + _REACH * spread
    return first, last, 2 + int((last - first) / (_STEP * spread))


def _convolved(before: float, values: Array, at: Array, root: float, own: float, mean: Array) -> Array:
    """Σ dᵢ exp(−(hᵢ − mean)²/2own²) at means of shape (n,)."""
    if not at.size:
        return np.zeros_like(mean)
    from_mean = (at[:, np.newaxis] / root - mean) / own
    # From the knots themselves: the width of a narrow piece has no digits to lose.
    width = np.diff(at)[:, np.newaxis] / (root * own)
    bells = np.exp(-0.5 * from_mean**2)
    change = -width * (from_mean[:-1] + 0.5 * width)
    # The two ends of a narrow piece nearly cancel.
    narrow = -bells[:-1] * np.expm1(np.clip(change, -1, 1))
    between = np.where(np.abs(change) < 1, narrow, bells[:-1] - bells[1:])
    total: Array = values[:-1] @ between + values[-1] * bells[-1] - before * bells[0]
    return total
