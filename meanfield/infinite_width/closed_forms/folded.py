"""Gaussian integrals of polynomials on the pieces of φ, folded onto the half-line.

With x = √q z and z standard normal, x and −x are taken together: between neighbouring |tᵢ| both φ(x) and φ(−x) are
lines in the distance from the end nearest to 0, where the Gaussian weight is largest. Whatever is a polynomial in
that distance on every piece is then a sum of the positive moments of `gaussian`. docs/theory.md, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from math import comb
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.gaussian import OUT_OF_REACH, density, interval_moments, tail_moments

__all__ = [
    "FoldedPiece",
    "Integrands",
    "Polynomial",
    "Weighted",
    "at_knots",
    "expectation",
    "folded",
    "nonzero",
    "product",
    "weighted_pieces",
]

Array = NDArray[np.float64]
#: Coefficients by the power that they belong to, ascending.
Polynomial = Mapping[int, Any]

#: Pieces are worked through so many numbers at a time that the intermediate arrays stay in cache.
_BLOCK = 8192
#: Pieces so few are quicker one by one.
_FEW = 8
_ORIGIN = np.zeros(())


@dataclass(frozen=True)
class FoldedPiece:
    """φ on left < |x| < right, as two lines in u = |x| − left: φ(x) for x > 0 and φ(−x) for x < 0."""

    left: float
    right: float
    values: tuple[float, float]
    slopes: tuple[float, float]

    def power(self, n: int) -> Polynomial:
        """φ(x)ⁿ + φ(−x)ⁿ as a polynomial in u."""
        sides = list(zip(self.values, self.slopes, strict=True))
        return {k: sum(comb(n, k) * y ** (n - k) * a**k for y, a in sides) for k in range(n + 1)}

    def mirrored(self) -> Polynomial:
        """2φ(x)φ(−x) as a polynomial in u."""
        (y, y_mirror), (a, a_mirror) = self.values, self.slopes
        return {0: 2 * y * y_mirror, 1: 2 * (y * a_mirror + a * y_mirror), 2: 2 * a * a_mirror}


@lru_cache(maxsize=256)
def folded(phi: PiecewiseLinear) -> tuple[FoldedPiece, ...]:
    """The pieces of φ folded onto the half-line, outwards; the last one has no end."""
    edges = sorted({0.0, *phi.scales})
    pieces = []
    for left, right in zip(edges, [*edges[1:], np.inf], strict=True):
        above = np.searchsorted(phi.knots, left, side="right")
        below = np.searchsorted(phi.knots, -left, side="left")
        values = (phi.limits(left)[1], phi.limits(-left)[0])
        pieces.append(FoldedPiece(left, right, values, (phi.slopes[above], -phi.slopes[below])))
    return tuple(pieces)


_Term = tuple[FoldedPiece, Polynomial]


class _Run(NamedTuple):
    """Neighbouring pieces and what is integrated over them: numbers for one piece, arrays of shape (p,) for several.

    Of several each has every power that any has, with 0 where it lacks it.
    """

    left: Any
    right: Any
    polynomial: Polynomial
    several: bool

    @classmethod
    def of(cls, terms: list[_Term]) -> _Run:
        if len(terms) == 1:
            piece, polynomial = terms[0]
            return cls(piece.left, piece.right, polynomial, False)
        left, right = np.array([(piece.left, piece.right) for piece, _ in terms]).T
        powers = sorted({k for _, polynomial in terms for k in polynomial})
        return cls(left, right, {k: np.array([p.get(k, 0.0) for _, p in terms]) for k in powers}, True)

    def parts(self, q: Array) -> Iterable[_Run]:
        """So few pieces at a time that they stay in cache at all of q, along a first axis before those of q."""
        return self._parts(max(1, _BLOCK // max(1, q.size)), q.ndim) if self.several else (self,)

    def _parts(self, longest: int, ndim: int) -> Iterator[_Run]:
        for start in range(0, self.left.size, longest):
            part = (slice(start, start + longest), *[np.newaxis] * ndim)
            yield _Run(self.left[part], self.right[part], {k: c[part] for k, c in self.polynomial.items()}, True)


@dataclass(frozen=True, eq=False)
class Integrands:
    """Folded pieces, outwards, with a polynomial in u on each; a piece on which it is 0 is left out."""

    terms: tuple[_Term, ...]

    @cached_property
    def runs(self) -> tuple[_Run, ...]:
        """Every piece by itself; where they are many, neighbours together."""
        runs: list[list[_Term]] = []
        for term in self.terms:
            if runs and len(self.terms) > _FEW and _follows(runs[-1][-1][0], term[0]):
                runs[-1].append(term)
            else:
                runs.append([term])
        return tuple(map(_Run.of, runs))


def _follows(inner: FoldedPiece, outer: FoldedPiece) -> bool:
    return inner.right == outer.left and inner.left > 0 and outer.right < np.inf


def nonzero(phi: PiecewiseLinear, polynomial: Callable[[FoldedPiece], Polynomial]) -> Integrands:
    """What `polynomial` makes of every folded piece of φ."""
    found = ((piece, polynomial(piece)) for piece in folded(phi))
    # Without what is exactly 0, so that 0·∞ cannot arise.
    kept = ((piece, {k: c for k, c in coefficients.items() if c}) for piece, coefficients in found)
    return Integrands(tuple((piece, coefficients) for piece, coefficients in kept if coefficients))


class Weighted(NamedTuple):
    """Polynomials on a run of folded pieces under the Gaussian of one block of q's.

    z = h + step·s and u = scale·s along a piece; `polynomial` is in s, and `moments[n]` the integral of sⁿ. With one
    piece all are shaped like q; with `several` they have an axis more, the first, along the pieces.
    """

    h: Array
    w: Array | float
    short: Any
    polynomial: Polynomial
    moments: list[Array]
    several: bool

    @property
    def z(self) -> Polynomial:
        """z as a polynomial in s."""
        step = _chosen(self.short, self.w, 1.0)
        return {0: self.h, 1: step} if self.h is not _ORIGIN else {1: step}

    def integrals(self, polynomial: Polynomial) -> Any:
        """The integral over each piece of a polynomial in s."""
        total: Any = 0.0
        for power, coefficient in polynomial.items():
            total = total + coefficient * self.moments[power]
        return total

    def sum(self, integrals: Any) -> Any:
        """Over the pieces, of what `integrals` gives."""
        return integrals.sum(axis=0) if self.several else integrals


def weighted_pieces(integrands: Integrands, q: Array, order: int) -> Iterator[Weighted]:
    """All pieces at one block of q's, a run at a time, with their moments up to `order`."""
    root = np.sqrt(q)
    # The tail last taken: where a piece ends the next one may begin.
    edge, tail = 0.0, tail_moments(_ORIGIN, order)

    def near(left: float) -> list[Array]:
        return tail if left == edge else tail_moments(left / root, order)

    def tails(run: _Run) -> tuple[list[Array], list[Array]]:
        nonlocal edge, tail
        if run.several:
            moments = tail_moments(np.concatenate([run.left, run.right[-1:]]) / root, order)
            return [moment[:-1] for moment in moments], [moment[1:] for moment in moments]
        before = near(run.left)
        edge, tail = run.right, tail_moments(run.right / root, order)
        return before, tail

    for whole in integrands.runs:
        for run in whole.parts(q):
            h = run.left / root if run.several or run.left else _ORIGIN
            if run.several and h[0].min(initial=np.inf) > OUT_OF_REACH:
                return
            if not run.several and run.right == np.inf:
                yield Weighted(h, np.inf, False, _in_units(run.polynomial, root), near(run.left), False)
                return
            width = run.right - run.left
            w = width / root
            moments, short = interval_moments(h, w, order, partial(tails, run))
            units = _in_units(run.polynomial, _chosen(short, width, root))
            yield Weighted(h, w, short, units, moments, run.several)


def expectation(integrands: Integrands, q: Array, order: int) -> Array:
    """The sum over all pieces of polynomials of degree `order` or less, at one block of q's."""
    total = np.zeros(q.shape)
    for weighted in weighted_pieces(integrands, q, order):
        total += weighted.sum(weighted.integrals(weighted.polynomial))
    return total


def _in_units(coefficients: Polynomial, scale: Array | float) -> Polynomial:
    """A polynomial in u as one in s = u/scale."""
    scaled: dict[int, Any] = {}
    for k, c in coefficients.items():
        scaled[k] = _times(c, np.power(scale, k)) if k > 2 else c * (scale * scale) if k == 2 else c * scale if k else c
    return scaled


def _times(coefficient: Any, factor: Array | float) -> Any:
    """The product, and 0 where one of several coefficients is 0, however large the factor."""
    product = coefficient * factor
    return np.where(coefficient, product, 0.0) if isinstance(coefficient, np.ndarray) else product


def _chosen(condition: Any, a: Array | float, b: Array | float) -> Any:
    """a where the condition holds, else b; a condition may be one bool for all."""
    if isinstance(condition, bool):
        return a if condition else b
    return np.where(condition, a, b)


def product(p: Polynomial, r: Polynomial) -> Polynomial:
    """The product of two polynomials."""
    result: dict[int, Any] = {}
    for i, a in p.items():
        for j, b in r.items():
            result[i + j] = result.get(i + j, 0.0) + a * b
    return result


def at_knots(phi: PiecewiseLinear, q: Array) -> tuple[Array, Array]:
    """t²/q and the density p(t) = ϕ(t/√q)/√q of all knots t at one block of q's, along a first axis before q's."""
    root, t = np.sqrt(q), np.reshape(phi.knots, (-1, *[1] * q.ndim))
    # At q = 0 the density of a knot t ≠ 0 is 0, not 0/0.
    h = np.where(t, t / root, 0.0)
    return h * h, np.where(np.isinf(h), 0.0, density(h) / root)
