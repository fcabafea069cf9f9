"""What Price's theorem leaves to integrate: the densities S and B of `covariance`, at one block of variances.

S is a sum over pairs of kinks, B one over jumps with jumps and with kinks. Both are given as densities in y = artanh r,
and two kinks that nearly cancel, those of a narrow piece, are taken together. docs/theory.md, section 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.gaussian import density, legendre

__all__ = ["PriceKernel", "poles_d1", "poles_d2"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Numbers worked through at a time, of all pairs and nodes: the intermediate arrays stay in cache.
_NUMBERS = 2**17
#: Below this width (in units of √q) a piece's two kinks nearly cancel, and are subtracted with care.
_NARROW = 0.25
#: ϕ of this many standard deviations is 0.
_FURTHEST = 100.0
#: e^(2y) is a double up to here.
_LAST_Y = 350.0


def _pull(gap: Array, total: Array, growth: Array) -> Array:
    """(a − r b)/(1 − r²) at r = tanh y, given a − b, a + b and e^(2y)."""
    return 0.25 * (gap * _finite(1 + growth) + total * (1 + 1 / growth))


def _probability(low: Array, width: Array) -> Array:
    """Φ(low + width) − Φ(low), without the subtraction where the width is small."""
    from scipy.special import ndtr

    difference, short = ndtr(low + width) - ndtr(low), width < 0.5
    if not short.any():
        return difference
    nodes, weights = legendre(8)
    width = np.where(short, width, 0.0)
    inside = sum(weight * density(low + node * width) for node, weight in zip(nodes, weights, strict=True))
    return np.where(short, width * inside, difference)


class _Pairs(NamedTuple):
    """Unordered pairs of knots with a weight each, all of them shape (n,): indices, and what the two add to a sum."""

    first: Indices
    second: Indices
    weight: Array


class _Pieces(NamedTuple):
    """The pieces between kinks that still slope once the first piece's slope is taken off every other, shape (n,) each.

    `slope`, and the knots `left` and `right` of each; `endless`, the slope of the last piece, None if that is 0.
    """

    slope: Array
    left: Indices
    right: Indices
    endless: float | None


class _Knots(NamedTuple):
    """Which knots have a kink and which a jump, and how close two kinks come.

    `bends` and `steps` are all pairs of kinks and of jumps, each with itself too; their weights are dᵢdⱼ.
    """

    kinks: list[int]
    jumps: list[int]
    narrowest: float
    bends: _Pairs
    steps: _Pairs
    pieces: _Pieces


def _paired(strength: Array) -> _Pairs:
    """Every two knots that are not 0 in `strength`, each with itself and with those before it."""
    found = np.flatnonzero(strength)
    first, second = (found[k] for k in np.tril_indices(len(found)))
    weight = np.where(first == second, strength[first] ** 2, 2 * strength[first] * strength[second])
    return _Pairs(first, second, weight)


@lru_cache(maxsize=64)
def _knots(phi: PiecewiseLinear) -> _Knots:
    kinks, jumps = np.flatnonzero(phi.kinks), np.flatnonzero(phi.jumps)
    narrowest = np.diff(np.array(phi.knots)[kinks]).min(initial=np.inf)
    slope = np.array(phi.slopes)[kinks + 1] - phi.slopes[0]
    sloping = np.flatnonzero(slope[:-1])
    pieces = _Pieces(
        slope[sloping], kinks[sloping], kinks[sloping + 1], slope[-1] if slope.any() and slope[-1] else None
    )
    pairs = _paired(phi.kinks), _paired(phi.jumps)
    return _Knots(kinks.tolist(), jumps.tolist(), float(narrowest), *pairs, pieces)


class PriceKernel:
    """The integrands at one block of q's > 0, shape (n,) or (), as densities in y, of that shape or (nodes, …).

    What is of several knots or pairs stands along a first axis.
    """

    def __init__(self, phi: PiecewiseLinear, q: Array) -> None:
        self.phi, self.q, self.knots = phi, q, _knots(phi)
        self.root = np.sqrt(q)
        self.t = np.array(phi.knots)

    def subset(self, chosen: NDArray[np.bool_]) -> PriceKernel:
        return PriceKernel(self.phi, self.q[chosen])

    def settled(self) -> Array:
        """The y beyond which ϕ₂ of two different knots is 0 to rounding, and of equal ones smooth in e^(−y)."""
        gaps, sizes = np.diff(self.phi.knots), np.abs(self.phi.knots)
        root = np.sqrt(self.q)
        # A knot further out has no density at all.
        y = np.log(np.clip(sizes.max(initial=0) / root, 1.0, _FURTHEST))
        if gaps.size:
            y = np.maximum(y, np.log(np.maximum(18 * root / gaps.min(), 1.0)))
        settled: Array = np.minimum(y, _LAST_Y)
        return settled

    def _in_sd(self, t: Array, y: Array) -> Array:
        """Lengths of shape (n,) over √q, with axes for those of y."""
        return np.divide.outer(t, self.root).reshape(-1, *(1,) * (y.ndim - self.q.ndim), *self.q.shape)

    def _exponent(self, i: Indices, j: Indices, y: Array) -> Array:
        """−Q, the exponent of ϕ₂(hᵢ, hⱼ; tanh y)."""
        growth = np.exp(2 * y)
        plus = 0.125 * np.square(self._in_sd(self.t[i], y) + self._in_sd(self.t[j], y))
        minus = 0.125 * np.square(self._in_sd(self.t[i] - self.t[j], y))
        exponent: Array = -(plus * (1 + 1 / growth) + minus * _finite(1 + growth))
        return exponent

    def bend_density(self, y: Array) -> Array:
        """S(r) dr/dy."""
        # The two kinks of a narrow piece nearly cancel.
        narrow = self.knots.narrowest < _NARROW * self.root.max()
        total = self._narrow_bends(y) if narrow else self._sum(self.knots.bends.weight, self._of_bends, y)
        return total / (2 * np.pi * np.cosh(y))

    @cached_property
    def _of_bends(self) -> tuple[Array, Array]:
        return self._squares(self.knots.bends)

    @cached_property
    def _of_steps(self) -> tuple[Array, Array]:
        return self._squares(self.knots.steps)

    def _squares(self, pairs: _Pairs) -> tuple[Array, Array]:
        """(hᵢ + hⱼ)²/8 and (hᵢ − hⱼ)²/8 of every pair, along a first axis."""
        h = np.divide.outer(self.t, self.root)
        gaps = np.divide.outer(self.t[pairs.first] - self.t[pairs.second], self.root)
        return 0.125 * np.square(h[pairs.first] + h[pairs.second]), 0.125 * np.square(gaps)

    def _sum(self, weights: Array, squares: tuple[Array, Array], y: Array) -> Array:
        """Σ weight·exp(−Q) over pairs."""
        growth = np.exp(2 * y)
        near, far, total = 1 + 1 / growth, _finite(1 + growth), 0 * y
        for some in _blocks(len(weights), y):
            plus, minus = (part[some].reshape(-1, *(1,) * (y.ndim - self.q.ndim), *self.q.shape) for part in squares)
            exponents = -(plus * near + minus * far)
            for weight, term in zip(weights[some], np.exp(exponents), strict=True):
                total = total + weight * term
        return total

    def _narrow_bends(self, y: Array) -> Array:
        """The same sum by pieces: Σ aⱼ aₖ × second difference of exp(−Q) over the rectangle of pieces j and k.

        A common slope does not bend, so the first piece's is taken off every other. Near cancellation the
        differences are taken in the exponent, where they are exact. A piece without an end has no second corner.
        """
        slope, left, right, endless = self.knots.pieces
        total = np.zeros(np.broadcast_shapes(y.shape, self.q.shape))
        first, second = np.tril_indices(len(slope))
        weight = slope[first] * slope[second] * np.where(first == second, 1, 2)
        for some in _blocks(len(weight), y):
            i, j = first[some], second[some]
            total += _weighed(weight[some], self._second_difference(left[i], right[i], left[j], right[j], y))
        if endless is not None:
            last, outer = np.array([self.knots.kinks[-1]]), np.array([endless])
            for some in _blocks(len(slope), y):
                between = self._difference(left[some], right[some], last, y)
                total += _weighed(2 * endless * slope[some], between)
            total += _weighed(outer**2, np.exp(self._exponent(last, last, y)))
        return total

    def _second_difference(self, i: Indices, i2: Indices, j: Indices, j2: Indices, y: Array) -> Array:
        """Of exp(−Q), as its knots i and j move to i2 and j2."""
        growth = np.exp(2 * y)
        corner = np.exp(self._exponent(i, j, y))
        x, z = self._step(i, i2, j, y), self._step(j, j2, i, y)
        # tanh y/(1 − tanh² y) = sinh y cosh y
        w = (
            0.25
            * (growth - 1 / growth)
            * self._in_sd(self.t[i2] - self.t[i], y)
            * self._in_sd(self.t[j2] - self.t[j], y)
        )
        close = (np.abs(x) < 1) & (np.abs(z) < 1) & (np.abs(w) < 1)
        p, r, s = (np.expm1(np.clip(e, -1, 1)) for e in (x, z, w))
        near: Array = corner * (p * r + (1 + p) * (1 + r) * s)
        if close.all():
            return near
        others = [np.exp(self._exponent(k, m, y)) for k, m in ((i2, j), (i, j2), (i2, j2))]
        return np.where(close, near, corner - others[0] - others[1] + others[2])

    def _difference(self, i: Indices, i2: Indices, j: Indices, y: Array) -> Array:
        """Of exp(−Q), as its knot i moves to i2."""
        corner, x = np.exp(self._exponent(i, j, y)), self._step(i, i2, j, y)
        far = np.exp(self._exponent(i2, j, y))
        return np.where(np.abs(x) < 1, -corner * np.expm1(np.clip(x, -1, 1)), corner - far)

    def _step(self, i: Indices, i2: Indices, j: Indices, y: Array) -> Array:
        """Change of the exponent of (i, j) as knot i moves to i2, not by subtraction."""
        t, width = self.t, self._in_sd(self.t[i2] - self.t[i], y)
        # Half-way between the two ends, seen from knot j.
        gap = 0.5 * (self._in_sd(t[i] - t[j], y) + self._in_sd(t[i2] - t[j], y))
        total = 0.5 * (self._in_sd(t[i], y) + self._in_sd(t[i2], y)) + self._in_sd(t[j], y)
        return -width * _pull(gap, total, np.exp(2 * y))

    def jump_density(self, y: Array) -> Array:
        """B(r) dr/dy."""
        if not self.knots.jumps:
            return np.zeros(())
        # Loading scipy.special takes longer than all else here, and only jumps need it.
        from scipy.special import ndtr

        sech = 1 / np.cosh(y)
        total = self._sum(self.knots.steps.weight, self._of_steps, y) * sech / (2 * np.pi)
        slopes, left, right, endless = self.knots.pieces
        for i in self.knots.jumps:
            slope = np.full_like(total, self.phi.slopes[0])
            for some in _blocks(len(slopes), y):
                low = self._conditional(i, right[some], y)
                width = self._in_sd(self.t[right[some]] - self.t[left[some]], y) * np.cosh(y)
                slope += _weighed(slopes[some], _probability(low, width))
            if endless is not None:
                slope += endless * ndtr(self._conditional(i, np.array([self.knots.kinks[-1]]), y))[0]
            h = self.phi.knots[i] / self.root
            total += 2 * self.root * self.phi.jumps[i] * density(h) * slope * sech**2
        return total

    def _conditional(self, i: int, j: Indices, y: Array) -> Array:
        """(r hᵢ − hⱼ)/√(1 − r²); P(v > tⱼ | u = tᵢ) is Φ of it."""
        gap, total = self._in_sd(self.t[i] - self.t[j], y), self._in_sd(self.t[i] + self.t[j], y)
        conditional: Array = 0.5 * (gap * _finite(np.exp(y)) - total * np.exp(-y))
        return conditional

    def jump_density_d1(self, y: Array) -> Array:
        """B'(r) dr/dy."""
        total = np.zeros(np.broadcast_shapes(y.shape, self.q.shape))
        r, cosh, growth = np.tanh(y), np.cosh(y), np.exp(2 * y)
        first, second, weight = self.knots.steps
        for some in _blocks(len(weight), y):
            i, j = first[some], second[some]
            # d/dr ln ϕ₂ = r/(1 − r²) + (hᵢ + hⱼ)²/4(1 + r)² − (hᵢ − hⱼ)²/4(1 − r)²
            plus, minus = self._in_sd(self.t[i] + self.t[j], y) ** 2, self._in_sd(self.t[i] - self.t[j], y) ** 2
            relative = r * cosh**2 + (plus / 16) * _finite(1 + 1 / growth) ** 2
            relative = relative - (minus / 16) * _finite(1 + growth, 1e150) ** 2
            density_here = np.exp(self._exponent(i, j, y)) / (2 * np.pi * cosh)
            total += _weighed(weight[some], np.where(density_here > 0, density_here * relative, 0.0))
        jumps, kinks = np.array(self.knots.jumps, dtype=int), np.array(self.knots.kinks, dtype=int)
        first, second = np.repeat(jumps, kinks.size), np.tile(kinks, jumps.size)
        weight = self.phi.jumps[first] * self.phi.kinks[second]
        for some in _blocks(len(weight), y):
            i, j = first[some], second[some]
            pull = _pull(self._in_sd(self.t[i] - self.t[j], y), self._in_sd(self.t[i] + self.t[j], y), growth)
            density_here = np.exp(self._exponent(i, j, y)) / (2 * np.pi * cosh)
            total += 2 * self.root * _weighed(weight[some], np.where(density_here > 0, density_here * pull, 0.0))
        return total


def _blocks(count: int, y: Array) -> Iterator[slice]:
    """Slices of so many pairs that the arrays made of them and of y stay in cache."""
    several = max(1, _NUMBERS // max(y.size, 1))
    for start in range(0, count, several):
        yield slice(start, start + several)


def _weighed(weight: Array, terms: Array) -> Array:
    """Σ weight·term along the first axis."""
    return np.tensordot(weight, terms, axes=1)


def _finite(x: Array, most: float = 1e300) -> Array:
    """x, where infinity is no more than `most`: a knot's distance to itself is 0, and infinity times that is none."""
    return np.minimum(x, most)


def poles_d1(phi: PiecewiseLinear, q: Array) -> tuple[float, Array]:
    """What the jumps add to C'(1) and to C'(−1): 0 or ±∞. At −1 only jumps at both t and −t count."""
    jumps = phi.jumps
    return _endless(float(jumps @ jumps)), _endless(_mirrored_pairs(phi, jumps, jumps, q))


def poles_d2(phi: PiecewiseLinear, q: Array) -> tuple[float, Array]:
    """C''(1) and C''(−1), 0 or ±∞.

    As r → −1 two jumps at t and −t grow as −(1 − r²)^(−3/2), before all else; two kinks, and a jump with a kink, as
    (1 − r²)^(−1/2).
    """
    jumps, kinks = phi.jumps, phi.kinks
    of_jumps = -_mirrored_pairs(phi, jumps, jumps, q)
    of_kinks = _mirrored_pairs(phi, kinks, kinks, q) + _mirrored_pairs(phi, jumps * phi.knots, kinks, q) / q
    return _endless(float(jumps @ jumps + kinks @ kinks)), _endless(np.where(of_jumps, of_jumps, of_kinks))


def _mirrored_pairs(phi: PiecewiseLinear, a: Array, b: Array, q: Array) -> Array:
    """Σ aᵢ bⱼ exp(−tᵢ²/2q) over the knots with tᵢ = −tⱼ, as a share of the largest exponential."""
    pairs = [(abs(t), a[i] * b[j]) for i, t in enumerate(phi.knots) for j, s in enumerate(phi.knots) if t == -s]
    pairs = [(t, product) for t, product in pairs if product]
    nearest = min((t for t, _ in pairs), default=0.0)
    total = np.zeros_like(q)
    for t, product in pairs:
        total = total + product * np.exp(-0.5 * (t - nearest) * (t + nearest) / q)
    return total


def _endless(sign: Any) -> Any:
    """±∞ with the sign of a number, 0 where it is 0."""
    return np.where(np.asarray(sign) == 0, 0.0, np.copysign(np.inf, sign))[()]
