"""What Price's theorem leaves to integrate: the densities S and B of `covariance`, at one block of variances.

S is a sum over pairs of kinks, B one over jumps with jumps and with kinks. Both are given as densities in y = artanh r,
and two kinks that nearly cancel, those of a narrow piece, are taken together. docs/theory.md, section 4.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.gaussian import density, legendre

__all__ = ["PriceKernel", "poles_d1", "poles_d2"]

Array = NDArray[np.float64]

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
    return 0.25 * (gap * (1 + growth) + total * (1 + 1 / growth))


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


class _Knots(NamedTuple):
    """Which knots have a kink and which a jump, and how close two kinks come.

    Then every two kinks, each with itself and with those before it: their indices, what dᵢdⱼ they weigh, and tᵢ − tⱼ.
    """

    bends: list[int]
    jumps: list[int]
    narrowest: float
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    weight: Array
    difference: Array


@lru_cache(maxsize=64)
def _knots(phi: PiecewiseLinear) -> _Knots:
    d, t = phi.kinks, np.array(phi.knots)
    bends, jumps = np.flatnonzero(d), np.flatnonzero(phi.jumps)
    first, second = np.array([(i, j) for n, i in enumerate(bends) for j in (i, *bends[:n])], int).reshape(-1, 2).T
    weight = np.where(first == second, d[first] ** 2, 2 * d[first] * d[second])
    narrowest = np.diff(t[bends]).min(initial=np.inf)
    return _Knots(bends.tolist(), jumps.tolist(), float(narrowest), first, second, weight, t[first] - t[second])


class PriceKernel:
    """The integrands at one block of q's > 0, shape (n,) or (), as densities in y, of that shape or (nodes, …)."""

    def __init__(self, phi: PiecewiseLinear, q: Array) -> None:
        self.phi, self.q, self.knots = phi, q, _knots(phi)
        self.root = root = np.sqrt(q)
        self.h = [t / root for t in phi.knots]
        self.bends, self.jumps = self.knots.bends, self.knots.jumps

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

    def exponent(self, i: int, j: int, growth: Array) -> Array:
        """−Q, the exponent of ϕ₂(hᵢ, hⱼ; tanh y), given e^(2y)."""
        if i == j:
            return -0.5 * self.h[i] ** 2 * (1 + 1 / growth)
        plus, minus = 0.125 * (self.h[i] + self.h[j]) ** 2, 0.125 * self._gap(i, j) ** 2
        exponent: Array = -(plus * (1 + 1 / growth) + minus * (1 + growth))
        return exponent

    def bend_density(self, y: Array) -> Array:
        """S(r) dr/dy."""
        # The two kinks of a narrow piece nearly cancel.
        narrow = self.knots.narrowest < _NARROW * self.root.max()
        total = self._narrow_bends(y) if narrow else self._wide_bends(y)
        return total / (2 * np.pi * np.cosh(y))

    @cached_property
    def _squares(self) -> tuple[Array, Array]:
        """(hᵢ + hⱼ)²/8 and (hᵢ − hⱼ)²/8 of every pair, along a first axis."""
        pairs, h = self.knots, np.array(self.h)
        gaps = np.divide.outer(pairs.difference, self.root)
        return 0.125 * np.square(h[pairs.first] + h[pairs.second]), 0.125 * np.square(gaps)

    def _wide_bends(self, y: Array) -> Array:
        growth, weights = np.exp(2 * y), self.knots.weight
        # Finite, for a knot's distance to itself is 0, and times infinity that is none.
        near, far, total = 1 + 1 / growth, np.minimum(1 + growth, 1e300), 0 * y
        several = max(1, _NUMBERS // max(y.size, 1))
        for start in range(0, len(weights), several):
            some = slice(start, start + several)
            plus, minus = (
                part[some].reshape(-1, *(1,) * (y.ndim - self.q.ndim), *self.q.shape) for part in self._squares
            )
            exponents = -(plus * near + minus * far)
            for weight, term in zip(weights[some], np.exp(exponents), strict=True):
                total = total + weight * term
        return total

    def _pieces(self) -> list[tuple[float, int, int | None]]:
        """(slope less the first piece's, left knot, right knot or None) of every piece that this leaves sloping."""
        slopes = [self.phi.slopes[i + 1] - self.phi.slopes[0] for i in self.bends]
        rights = [*self.bends[1:], None]
        return [(a, i, i2) for a, i, i2 in zip(slopes, self.bends, rights, strict=False) if a]

    def _narrow_bends(self, y: Array) -> Array:
        """The same sum by pieces: Σ aⱼ aₖ × second difference of exp(−Q) over the rectangle of pieces j and k.

        A common slope does not bend, so the first piece's is taken off every other. Near cancellation the
        differences are taken in the exponent, where they are exact.
        """
        pieces, growth = self._pieces(), np.exp(2 * y)
        total = np.zeros(np.broadcast_shapes(y.shape, self.q.shape))
        for n, (a, i, i2) in enumerate(pieces):
            for b, j, j2 in pieces[: n + 1]:
                weight = a * b * (1 if i == j else 2)
                total += weight * self._second_difference(i, i2, j, j2, growth)
        return total

    def _second_difference(self, i: int, i2: int | None, j: int, j2: int | None, growth: Array) -> Array:
        corner = np.exp(self.exponent(i, j, growth))
        if i2 is None or j2 is None:
            # Of a piece without an end there is no second corner.
            if j2 is not None:
                return self._difference(j, j2, i, corner, growth)
            return corner if i2 is None else self._difference(i, i2, j, corner, growth)
        x, z = self._step(i, i2, j, growth), self._step(j, j2, i, growth)
        # tanh y/(1 − tanh² y) = sinh y cosh y
        w = 0.25 * (growth - 1 / growth) * self._gap(i2, i) * self._gap(j2, j)
        close = (np.abs(x) < 1) & (np.abs(z) < 1) & (np.abs(w) < 1)
        p, r, s = (np.expm1(np.clip(e, -1, 1)) for e in (x, z, w))
        near = corner * (p * r + (1 + p) * (1 + r) * s)
        others = [np.exp(self.exponent(k, m, growth)) for k, m in ((i2, j), (i, j2), (i2, j2))]
        return np.where(close, near, corner - others[0] - others[1] + others[2])

    def _difference(self, i: int, i2: int, j: int, corner: Array, growth: Array) -> Array:
        x, far = self._step(i, i2, j, growth), np.exp(self.exponent(i2, j, growth))
        return np.where(np.abs(x) < 1, -corner * np.expm1(np.clip(x, -1, 1)), corner - far)

    def _step(self, i: int, i2: int, j: int, growth: Array) -> Array:
        """Change of the exponent of (i, j) as knot i moves to i2, not by subtraction."""
        width = self._gap(i2, i)
        # Half-way between the two ends, seen from knot j.
        gap, total = 0.5 * (self._gap(i, j) + self._gap(i2, j)), 0.5 * (self.h[i] + self.h[i2]) + self.h[j]
        return -width * _pull(gap, total, growth)

    def _gap(self, i: int, j: int) -> Array:
        """hᵢ − hⱼ, not by subtracting rounded quotients."""
        return (self.phi.knots[i] - self.phi.knots[j]) / self.root

    def jump_density(self, y: Array) -> Array:
        """B(r) dr/dy."""
        if not self.jumps:
            return np.zeros(())
        # Loading scipy.special takes longer than all else here, and only jumps need it.
        from scipy.special import ndtr

        jumps, root = self.phi.jumps, np.sqrt(self.q)
        total = np.zeros(np.broadcast_shapes(y.shape, self.q.shape))
        sech, growth, pieces = 1 / np.cosh(y), np.exp(2 * y), self._pieces()
        for i in self.jumps:
            for j in self.jumps:
                total += jumps[i] * jumps[j] * np.exp(self.exponent(i, j, growth)) * sech / (2 * np.pi)
            slope = np.full_like(total, self.phi.slopes[0])
            for a, j, j2 in pieces:
                if j2 is None:
                    slope += a * ndtr(self._conditional(i, j, y))
                else:
                    slope += a * _probability(self._conditional(i, j2, y), self._gap(j2, j) * np.cosh(y))
            total += 2 * root * jumps[i] * density(self.h[i]) * slope * sech**2
        return total

    def _conditional(self, i: int, j: int, y: Array) -> Array:
        """(r hᵢ − hⱼ)/√(1 − r²); P(v > tⱼ | u = tᵢ) is Φ of it."""
        if i == j:
            return -self.h[i] * np.exp(-y)
        conditional: Array = 0.5 * (self._gap(i, j) * np.exp(y) - (self.h[i] + self.h[j]) * np.exp(-y))
        return conditional

    def jump_density_d1(self, y: Array) -> Array:
        """B'(r) dr/dy."""
        jumps, d, root = self.phi.jumps, self.phi.kinks, np.sqrt(self.q)
        total = np.zeros(np.broadcast_shapes(y.shape, self.q.shape))
        r, cosh, growth = np.tanh(y), np.cosh(y), np.exp(2 * y)
        for i in self.jumps:
            for j in self.jumps:
                # d/dr ln ϕ₂ = r/(1 − r²) + (hᵢ + hⱼ)²/4(1 + r)² − (hᵢ − hⱼ)²/4(1 − r)²
                plus, minus = (self.h[i] + self.h[j]) ** 2, self._gap(i, j) ** 2
                relative = r * cosh**2
                relative = relative + ((plus / 16) * (1 + 1 / growth) ** 2 if plus.any() else 0.0)
                relative = relative - ((minus / 16) * (1 + growth) ** 2 if minus.any() else 0.0)
                weight = np.exp(self.exponent(i, j, growth)) / (2 * np.pi * cosh)
                total += jumps[i] * jumps[j] * np.where(weight > 0, weight * relative, 0.0)
            for j in self.bends:
                pull = _pull(self._gap(i, j), self.h[i] + self.h[j], growth)
                weight = np.exp(self.exponent(i, j, growth)) / (2 * np.pi * cosh)
                total += 2 * root * jumps[i] * d[j] * np.where(weight > 0, weight * pull, 0.0)
        return total


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
