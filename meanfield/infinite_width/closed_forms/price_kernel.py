"""What Price's theorem leaves to integrate: the densities S and B of `covariance`, at one block of variances.

S is a sum over pairs of kinks, B one over jumps with jumps and with kinks. Both are given as densities in y = artanh r,
and two kinks that nearly cancel, those of a narrow piece, are taken together. docs/theory.md, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.closed_forms.step_table import StepTable, shared_cost, shared_steps
from meanfield.infinite_width.closed_forms.steps import Indices, Pairs, Steps, any_two, close
from meanfield.infinite_width.gaussian import OUT_OF_REACH, density, legendre

__all__ = ["PriceKernel"]

Array = NDArray[np.float64]

#: Numbers worked through at a time, of all pairs and nodes: the intermediate arrays stay in cache.
_NUMBERS = 2**17
#: Below this width (in units of √q) a piece's two kinks nearly cancel, and are subtracted with care.
_NARROW = 0.25
#: More kinks, or jumps, than this are summed one by one, by way of a table, not pair by pair.
_MANY = 128
#: Pairs of pieces further apart than so many √q e^(−|y|) do not count.
_FAR_APART = 22.0
#: A pair of pieces takes so many times as long as a number that `shared_steps` works through.
_PAIR = 6
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


class _Knots(NamedTuple):
    """What Price's theorem sees of φ, and how close two of its kinks come.

    A slope common to all pieces does not bend, so `bends` has the first one taken off all.
    """

    bends: Steps
    jumps: Steps
    narrowest: float


@lru_cache(maxsize=64)
def _knots(phi: PiecewiseLinear) -> _Knots:
    bends = Steps.of(phi.kinks, np.array(phi.slopes[1:]) - phi.slopes[0])
    jumps = Steps.of(phi.jumps, np.cumsum(phi.jumps))
    return _Knots(bends, jumps, float(np.diff(np.array(phi.knots)[bends.at]).min(initial=np.inf)))


class PriceKernel:
    """The integrands at one block of q's > 0, shape (n,) or (), as densities in y, of that shape or (nodes, …).

    What is of several knots or pairs stands along a first axis.
    """

    def __init__(self, phi: PiecewiseLinear, q: Array) -> None:
        self.phi, self.q, self.knots = phi, q, _knots(phi)
        self._known: dict[Steps, tuple[Array, Array]] = {}
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
        return self._double_sum(self.knots.bends, y, narrow=self.knots.narrowest < _NARROW * self.root.max())

    def _double_sum(self, steps: Steps, y: Array, *, narrow: bool) -> Array:
        """Σᵢⱼ dᵢ dⱼ ϕ₂(hᵢ, hⱼ; r) dr/dy, with care where two steps are `narrow`."""
        if len(steps.at) > _MANY:
            return self._of_many(steps, y)
        total = self._by_pieces(steps, any_two(steps.pieces), y) if narrow else self._sum(steps, y)
        return total / (2 * np.pi * np.cosh(y))

    def _of_many(self, steps: Steps, y: Array) -> Array:
        """The same for many steps, one variance after the other; from a table where a quadrature asks."""
        at_nodes = y.ndim > self.q.ndim
        y, q = np.broadcast_arrays(y, self.q)
        found = np.empty(y.shape)
        for variance in np.unique(self.q).tolist():
            here, table = q == variance, _step_table(self.phi, variance, steps is self.knots.jumps)
            found[here] = table(y[here]) if at_nodes else table.density(y[here])
        return found

    def at_one(self, steps: Steps, y: float) -> float:
        """The same at one variance and one y, in the way that takes less."""
        root = float(self.root)
        # Further out no two have a density.
        begin, end = np.searchsorted(self.t[steps.at], [-OUT_OF_REACH * root, OUT_OF_REACH * root])
        knots, height = self.t[steps.at[begin:end]], steps.height[begin:end]
        if not knots.size:
            return 0.0
        reach = _FAR_APART * math.exp(-abs(y)) * root
        near = knots.size * min(1.0, 2 * reach / max(float(knots[-1] - knots[0]), reach))
        if shared_cost(knots, root, y) < _PAIR * knots.size * near:
            before = float(steps.height[begin - 1]) if begin else 0.0
            return shared_steps(height, knots, root, y, before)
        total = self._by_pieces(steps, close(steps.pieces, self.t, reach, root, y < 0), np.asarray(y))
        return float(total) / (2 * math.pi * math.cosh(y))

    def _squares(self, steps: Steps) -> tuple[Array, Array]:
        """(hᵢ + hⱼ)²/8 and (hᵢ − hⱼ)²/8 of every pair, along a first axis."""
        if steps not in self._known:
            h, (first, second, _) = np.divide.outer(self.t, self.root), steps.pairs
            gaps = np.divide.outer(self.t[first] - self.t[second], self.root)
            self._known[steps] = 0.125 * np.square(h[first] + h[second]), 0.125 * np.square(gaps)
        return self._known[steps]

    def _sum(self, steps: Steps, y: Array) -> Array:
        """Σ dᵢdⱼ exp(−Q) over pairs."""
        growth = np.exp(2 * y)
        near, far, total = 1 + 1 / growth, _finite(1 + growth), 0 * y
        weights, squares = steps.pairs.weight, self._squares(steps)
        for some in _blocks(len(weights), y):
            plus, minus = (part[some].reshape(-1, *(1,) * (y.ndim - self.q.ndim), *self.q.shape) for part in squares)
            exponents = -(plus * near + minus * far)
            for weight, term in zip(weights[some], np.exp(exponents), strict=True):
                total = total + weight * term
        return total

    def _by_pieces(self, steps: Steps, pairs: Pairs, y: Array) -> Array:
        """The same by pairs of pieces: Σ aⱼaₖ × second difference of exp(−Q) over the rectangle of pieces j and k.

        Near cancellation the differences are taken in the exponent, where they are exact. A piece without an end has
        no second corner.
        """
        height, left, right = steps.pieces
        total = np.zeros(np.broadcast_shapes(y.shape, self.q.shape))
        for some in _blocks(len(pairs.weight), y):
            i, j = pairs.first[some], pairs.second[some]
            total += _weighed(pairs.weight[some], self._second_difference(left[i], right[i], left[j], right[j], y))
        if steps.endless:
            last = steps.at[-1:]
            for some in _blocks(len(height), y):
                between = self._difference(left[some], right[some], last, y)
                total += _weighed(2 * steps.endless * height[some], between)
            total += steps.endless**2 * np.exp(self._exponent(last, last, y))[0]
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
        if not self.knots.jumps.at.size:
            return np.zeros(())
        # Loading scipy.special takes longer than all else here, and only jumps need it.
        from scipy.special import ndtr

        total = self._double_sum(self.knots.jumps, y, narrow=False)
        sech, (bends, jumps, _) = 1 / np.cosh(y), self.knots
        slopes, left, right = bends.pieces
        h = np.divide.outer(self.t[jumps.at], self.root)
        factors = np.multiply(2 * self.root * density(h), jumps.rise.reshape(-1, *[1] * self.q.ndim))
        if not bends.at.size:
            total += self.phi.slopes[0] * factors.sum(axis=0) * sech**2
            return total
        for i, factor in zip(jumps.at.tolist(), factors, strict=True):
            slope = np.full_like(total, self.phi.slopes[0])
            for some in _blocks(len(slopes), y):
                low = self._conditional(i, right[some], y)
                width = self._in_sd(self.t[right[some]] - self.t[left[some]], y) * np.cosh(y)
                slope += _weighed(slopes[some], _probability(low, width))
            if bends.endless:
                slope += bends.endless * ndtr(self._conditional(i, bends.at[-1:], y))[0]
            total += factor * slope * sech**2
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
        first, second, weight = self.knots.jumps.pairs
        for some in _blocks(len(weight), y):
            i, j = first[some], second[some]
            # d/dr ln ϕ₂ = r/(1 − r²) + (hᵢ + hⱼ)²/4(1 + r)² − (hᵢ − hⱼ)²/4(1 − r)²
            plus, minus = self._in_sd(self.t[i] + self.t[j], y) ** 2, self._in_sd(self.t[i] - self.t[j], y) ** 2
            relative = r * cosh**2 + (plus / 16) * _finite(1 + 1 / growth) ** 2
            relative = relative - (minus / 16) * _finite(1 + growth, 1e150) ** 2
            density_here = np.exp(self._exponent(i, j, y)) / (2 * np.pi * cosh)
            total += _weighed(weight[some], np.where(density_here > 0, density_here * relative, 0.0))
        jumps, kinks = self.knots.jumps.at, self.knots.bends.at
        first, second = np.repeat(jumps, kinks.size), np.tile(kinks, jumps.size)
        weight = self.phi.jumps[first] * self.phi.kinks[second]
        for some in _blocks(len(weight), y):
            i, j = first[some], second[some]
            pull = _pull(self._in_sd(self.t[i] - self.t[j], y), self._in_sd(self.t[i] + self.t[j], y), growth)
            density_here = np.exp(self._exponent(i, j, y)) / (2 * np.pi * cosh)
            total += 2 * self.root * _weighed(weight[some], np.where(density_here > 0, density_here * pull, 0.0))
        return total


@lru_cache(maxsize=64)
def _step_table(phi: PiecewiseLinear, q: float, of_jumps: bool) -> StepTable:
    kernel = PriceKernel(phi, np.asarray(q))
    steps = kernel.knots.jumps if of_jumps else kernel.knots.bends
    return StepTable(np.vectorize(partial(kernel.at_one, steps), otypes=[float]), float(kernel.settled()))


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
