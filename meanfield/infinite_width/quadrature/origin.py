"""A smooth φ seen by variances so small that near 0 it is its tangent and little more.

On either side of 0, φ(x) = c + a x + r(x) and φ'(x) = a + s(x) with

    s(x) = x ∫₀¹ φ''(xt) dt,    r(x) = x² ∫₀¹ (1 − t) φ''(xt) dt,

which keep their digits however small x. What is made of c and a alone is integrated in closed form, so that V(q) − q,
σ_b² of the edge and the derivatives of V do not cancel as q → 0. docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial

import numpy as np
from numpy.polynomial.chebyshev import chebval
from numpy.typing import NDArray

from meanfield.activations.chebyshev_points import chebyshev
from meanfield.activations.smooth import Smooth
from meanfield.infinite_width.gaussian import legendre
from meanfield.infinite_width.interpolation import MANY, in_octave, interpolated, octaves

__all__ = ["Origin", "near_or_far"]

Array = NDArray[np.float64]

#: Nodes in t, and on every panel in z.
_NODES = 16
#: Panels in z end here: what is beyond has a density of 1e-37.
_ENDS = np.array([0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 13.0])
#: φ'' is a polynomial on [0, x] where its last coefficients, so many, are at most this share of the largest.
_LAST, _RESOLVED = 3, 1e-14
#: Nor is it one where it is another at these points. The largest radius tried, and how often it is halved.
_NEARER: Array = 2.0 ** -np.arange(1.0, 60.0)
_WIDEST, _HALVED = 64.0, 200
#: Of octaves that are interpolated in.
_LOWEST = -500
#: Variances worked through at a time.
_BLOCK = 512
#: Arrays of variances whose r and s are kept.
_KEPT = 4
#: Stands for q → 0: its square is a double with room to spare.
_LEAST = 1e-140
#: The second derivative loses digits below this share of the variances.
_CANCELS = 0.05
#: What is a smaller share of what it is the difference of has lost digits.
_DIFFERENCE = 1e-2
#: What is larger than this there has no limit, and what is smaller than its inverse is 0.
_ENDLESS = 1e50


@dataclass(frozen=True)
class Side:
    """φ on one side of 0, `sign` ±1: `value` c, `slope` a, and for arrays of x on this side s and r."""

    phi: Smooth
    sign: int

    @cached_property
    def tangent(self) -> tuple[float, float]:
        """c and a."""
        value, slope = self.phi.with_slopes(np.array([self.sign * 5e-324]))
        return float(value[0]), float(slope[0])

    def rest(self, x: Array) -> tuple[Array, Array]:
        """s and r at x."""
        t, weights = legendre(_NODES)
        bend = self.phi.jet(np.multiply.outer(x, t))[2]
        return x * (bend @ weights), x * x * (bend @ (weights * (1 - t)))


@dataclass(frozen=True)
class Origin:
    """φ on either side of 0, for variances up to `largest`."""

    sides: tuple[Side, Side]
    largest: float
    _kept: dict[bytes, list[tuple[Array, Array, Array]]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def squared_slopes(self) -> float:
        """E φ'² as q → 0."""
        return 0.5 * sum(side.tangent[1] ** 2 for side in self.sides)

    @property
    def breaks(self) -> bool:
        """Whether the sides are two functions."""
        return 0.0 in self.sides[0].phi.breaks

    @cached_property
    def cancels(self) -> bool:
        """Whether φ near 0 may be what much larger numbers leave: φ(0) is less than they, or the tangent is 0."""
        sizes = self.sides[0].phi.size(np.array([-5e-324, 5e-324]))
        flat = not any(number for side in self.sides for number in side.tangent)
        return flat or max(abs(side.tangent[0]) for side in self.sides) < _DIFFERENCE * float(sizes.max())

    def squares(self, q: Array, order: int) -> Array:
        """The derivative of order 0, 1 or 2 in q of E[φ² − a²x²] = E[c² + 2cax + 2cr + 2axr + r²], shape (n,)."""

        def rest(c: float, a: float, s: Array, r: Array, x: Array, z: Array) -> Array:
            return hermite(z, order) * (2 * c * r + (2 * a * x + r) * r)

        def derivative(q: Array) -> Array:
            at = np.maximum(q, _LEAST)
            found: Array = ((3 - 2 * order) * self.kinked(at) + self.average(rest, at)) / (2 * at) ** order
            # Where φ breaks at 0 it may grow as a root of 1/q; what is as small as q is 0.
            size = np.abs(found)
            limit = np.where(size > _ENDLESS, np.copysign(np.inf, found), np.where(size < 1 / _ENDLESS, 0.0, found))
            return np.where(q == 0, limit, found)

        if order == 0:
            return self.squared_values + self.kinked(q) + self.average(rest, q)
        if order == 1 or self.breaks:
            return derivative(q)
        # What 2cr and 2axr add on one side they take off on the other, or nearly: towards 0 it is a polynomial.
        points, from_values = chebyshev(_NODES)
        low, length = _CANCELS * self.largest, (1 - _CANCELS) * self.largest
        coefficients = from_values @ derivative(low + length * points)
        return np.where(q < low, chebval(2 * (q - low) / length - 1, coefficients), derivative(np.maximum(q, low)))

    def squares_size(self, q: Array) -> Array:
        """The sum of the sizes of all terms of E[φ² − a²x²], shape (n,)."""

        def sizes(c: float, a: float, s: Array, r: Array, x: Array, z: Array) -> Array:
            return c * c + np.abs(2 * c * a * x) + np.abs(2 * (c + a * x) * r) + r * r

        return self.average(sizes, q)

    def squared_slopes_less_limit(self, q: Array, order: int) -> Array:
        """The derivative of order 0 or 1 in q of E[φ'² − a²] = E[2as + s²], shape (n,)."""

        def rest(c: float, a: float, s: Array, r: Array, x: Array, z: Array) -> Array:
            return hermite(z, order) * (2 * a + s) * s

        if order == 0:
            return self.average(rest, q)
        q = np.maximum(q, _LEAST)
        derivative: Array = self.average(rest, q) / (2 * q)
        return derivative

    def gap(self, q: Array, order: int) -> Array:
        """The derivative of order 0 or 1 in q of E G = E[qs² − r² − c² − 2cax − 2cr], G as in `edge_biases`."""

        def rest(c: float, a: float, s: Array, r: Array, x: Array, z: Array) -> Array:
            return hermite(z, order) * (np.square(x / z * s) - (2 * c + r) * r)

        def square(c: float, a: float, s: Array, r: Array, x: Array, z: Array) -> Array:
            return s * s

        if order == 0:
            return self.average(rest, q) - self.squared_values - self.kinked(q)
        q = np.maximum(q, _LEAST)
        derivative: Array = self.average(square, q) + (self.average(rest, q) - self.kinked(q)) / (2 * q)
        return derivative

    @property
    def squared_values(self) -> float:
        """E φ² as q → 0."""
        return 0.5 * sum(side.tangent[0] ** 2 for side in self.sides)

    def kinked(self, q: Array) -> Array:
        """E 2cax."""
        (c, a), (c2, a2) = (side.tangent for side in self.sides)
        return (c * a - c2 * a2) * np.sqrt(2 * q / math.pi)

    def average(self, integrand: Callable[[float, float, Array, Array, Array, Array], Array], q: Array) -> Array:
        """E of an integrand of c, a, s, r, x and z, at variances q of shape (n,)."""
        z, weights = _half_line()
        total = np.zeros(q.size)
        for side, (x, s, r) in zip(self.sides, self._rests(q), strict=True):
            total += integrand(*side.tangent, s, r, x, z) @ weights
        return total

    def _rests(self, q: Array) -> list[tuple[Array, Array, Array]]:
        """x, s and r on either side; those last asked for are kept, as several moments are taken at the same q."""
        key = q.tobytes()
        if key not in self._kept:
            x = np.multiply.outer(np.sqrt(q), _half_line()[0])
            if len(self._kept) == _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = [(side.sign * x, *side.rest(side.sign * x)) for side in self.sides]
        return self._kept[key]


def hermite(z: Array, order: int) -> Array:
    """He₀, He₂ or He₄ at z: E[He₂ₖ g]/(2q)ᵏ is the k-th derivative of E g in q."""
    square = z * z
    return (np.ones_like(z), square - 1, (square - 6) * square + 3)[order]


@lru_cache(maxsize=1)
def _half_line() -> tuple[Array, Array]:
    """z > 0, and weights times the normal density there."""
    nodes, weights = legendre(_NODES)
    width = np.diff(_ENDS)[:, np.newaxis]
    z = (_ENDS[:-1, np.newaxis] + width * nodes).ravel()
    return z, (width * weights).ravel() * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


@lru_cache(maxsize=256)
def origin(phi: Smooth) -> Origin:
    """φ near 0; `largest` is 0 where φ'' is no polynomial however near."""
    # Something narrow may stand at a centre or a seam, and be passed over.
    marks = (*phi.breaks, *phi.centres, *phi.seams)
    sides, radius = (Side(phi, 1), Side(phi, -1)), min([_WIDEST, *(abs(t) for t in marks if t)])
    for _ in range(_HALVED):
        if all(_is_resolved(phi, side.sign * radius) for side in sides):
            return Origin(sides, (radius / _ENDS[-1]) ** 2)
        radius /= 2
    return Origin(sides, 0.0)


def _is_resolved(phi: Smooth, end: float) -> bool:
    """Whether φ'' is a polynomial on [0, end], also at points ever nearer to 0."""
    points, from_values = chebyshev(_NODES)
    bend, near = phi.jet(end * points)[2], phi.jet(end * _NEARER)[2]
    coefficients = from_values @ bend
    size = np.abs(coefficients).max()
    last = np.abs(coefficients[-_LAST:]).max()
    return bool(max(last, np.abs(chebval(2 * _NEARER - 1, coefficients) - near).max() / _LAST) <= _RESOLVED * size)


def near_or_far(
    phi: Smooth,
    q: Array,
    near: Callable[[Origin, Array], Array],
    far: Callable[[Array], Array],
    share: float = 1.0,
) -> Array:
    """What `near` gives at variances so small that φ is nearly its tangent, and `far` elsewhere; q of shape (n,) or ().

    As far as both are right, `near` is for that `share` of these variances where `far` would cancel or cost more: for
    all of them where φ near 0 is what larger numbers leave, as of a value less the mean of φ, or of 1 − 1/(1 + x²).
    """
    at, flat = origin(phi), np.atleast_1d(q)
    found, small = np.empty(flat.size), flat <= (1.0 if at.cancels else share) * at.largest
    if small.any():
        found[small] = _few_or_many(partial(near, at), flat[small])
    if not small.all():
        found[~small] = far(flat[~small])
    return found.reshape(np.shape(q))


def _few_or_many(near: Callable[[Array], Array], q: Array) -> Array:
    """near(q), interpolated within octaves that hold many q's."""
    k = octaves(q)
    full = [octave for octave, count in Counter(k.tolist()).items() if count >= MANY and octave > _LOWEST]
    few, found = np.ones(q.size, dtype=bool), np.empty(q.size)
    for octave in full:
        few &= k != octave
    for start in range(0, np.count_nonzero(few), _BLOCK):
        part = np.flatnonzero(few)[start : start + _BLOCK]
        found[part] = near(q[part])
    for octave in full:
        here = k == octave
        found[here] = interpolated(near(in_octave(octave)), q[here], octave)
    return found
