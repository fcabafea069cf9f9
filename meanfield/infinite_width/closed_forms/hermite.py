"""Hermite coefficients of piecewise polynomials under a Gaussian, in closed form.

As (Heₙ₋₁ ϕ)' = −Heₙ ϕ, integration by parts leaves a sum over the knots t,

    √n! fₙ = left + Σ_t Σ_k q^(k/2) Δf⁽ᵏ⁾(t) Iₙ₋₁₋ₖ(t/√q),

where I_m = He_m ϕ, continued below m = 0 by I_(m−1)(h) = ∫_h^∞ I_m, and `left` is of the polynomial that f is left of
all knots. docs/theory.md, section 13.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.gaussian import density

__all__ = ["PiecewisePolynomial", "power", "vanishing"]

Array = NDArray[np.float64]

#: E zᵏ Heₙ(z), a row for every k.
_MONOMIALS = ((1.0,), (0.0, 1.0), (1.0, 0.0, 2.0), (0.0, 3.0, 0.0, 6.0))


@dataclass(frozen=True, eq=False)
class PiecewisePolynomial:
    """Polynomials of degree ≤ 3 between knots.

    Attributes:
        knots: ascending.
        left: the coefficients of 1, x, x², … left of all knots.
        changes: Δf⁽ᵏ⁾(t), right minus left limit of the k-th derivative, shape (degree + 1, knots).
    """

    knots: tuple[float, ...]
    left: tuple[float, ...]
    changes: Array

    def coefficients(self, q: Array, count: int) -> Array:
        """f₀…f_(count−1), 4 ≤ count ≤ 150, for variances q > 0 of shape (m,): shape (count, m)."""
        root, most = np.sqrt(q), len(self.left)
        found = np.zeros((count, len(q)))
        for k, factor in enumerate(self.left):
            for n, expectation in enumerate(_MONOMIALS[k]):
                found[n] += factor * expectation * root**k
        for t, jumps in zip(self.knots, self.changes.T, strict=True):
            tails = _tails(t / root, most, count)
            for k, jump in enumerate(jumps):
                found += jump * root**k * tails[most - 1 - k : most - 1 - k + count]
        factorials = np.array([math.sqrt(math.factorial(n)) for n in range(count)])
        return np.asarray(found / factorials[:, None])


def _tails(h: Array, below: int, count: int) -> Array:
    """I_m(h) for m = −below…count − 2, a row each."""
    phi = density(h)
    rows = [phi, ndtr(-h)]
    for n in range(1, below):
        rows.append((rows[-2] - h * rows[-1]) / n)
    rows = rows[:0:-1]
    hermite = [np.ones_like(h), h]
    while len(hermite) < count:
        hermite.append(h * hermite[-1] - (len(hermite) - 1) * hermite[-2])
    return np.array([*rows, *(row * phi for row in hermite[: count - 1])])


def power(phi: PiecewiseLinear, n: int) -> PiecewisePolynomial:
    """φⁿ, n ≤ 3."""
    below, above = np.array(phi.slopes[:-1]), np.array(phi.slopes[1:])
    changes = [
        math.perm(n, k) * (above**k * phi.right_values ** (n - k) - below**k * phi.left_values ** (n - k))
        for k in range(n + 1)
    ]
    a, c = phi.slopes[0], phi.intercepts[0]
    left = tuple(math.comb(n, k) * a**k * c ** (n - k) for k in range(n + 1))
    return PiecewisePolynomial(phi.knots, left, np.array(changes).reshape(n + 1, -1))


def vanishing(phi: PiecewiseLinear) -> PiecewisePolynomial:
    """1 where φ is exactly zero, 0 elsewhere."""
    zero = np.array([float(a == 0 == c) for a, c in zip(phi.slopes, phi.intercepts, strict=True)])
    return PiecewisePolynomial(phi.knots, (zero[0],), np.diff(zero)[None])
