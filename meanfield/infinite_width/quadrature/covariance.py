"""Gaussian expectations of a smooth φ in two variables, by quadrature: C, C', C'' and the loss of C.

One value takes a double integral, by way of the Gaussian that the inputs share (`semigroup`); many correlations at one
variance are interpolated in arccos |ρ| (`theta_table`). What turns out of sight is a series (`turning`).
docs/theory.md, section 15.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.smooth import Smooth
from meanfield.infinite_width.quadrature import turning
from meanfield.infinite_width.quadrature.graded_panels import Integrand, Points, average
from meanfield.infinite_width.quadrature.poles import crossings_d1, crossings_d2, poles_d1, poles_d2
from meanfield.infinite_width.quadrature.semigroup import losses, products
from meanfield.infinite_width.quadrature.theta_table import loss_table, product_table

__all__ = ["covariance", "covariance_d1", "covariance_d2", "covariance_loss"]

Array = NDArray[np.float64]
#: C⁽ⁿ⁾(1) and C⁽ⁿ⁾(−1) at variances of shape (n,).
AtEnds = Callable[[Array], tuple[Array, Array]]

#: From so many correlations at one variance on, a table is made.
_MANY = 64


def covariance(phi: Smooth, rho: Array, q: Array) -> Array:
    """C(ρ) = E φ(u)φ(v), for ρ and q > 0 of one shape; absolute error below 1e-13 E φ²."""

    def at_ends(q: Array) -> tuple[Array, Array]:
        return _square(phi, 0, q), _mirrored(phi, 0, q)

    return _derivative(phi, 0, rho, q, at_ends)


def covariance_d1(phi: Smooth, rho: Array, q: Array) -> Array:
    """C'(ρ) = q E φ'(u)φ'(v); ∞ at ρ = 1 where φ jumps, ±∞ at −1 if at both x and −x."""

    def at_ends(q: Array) -> tuple[Array, Array]:
        pole, mirrored_pole = poles_d1(phi, q)
        return q * _square(phi, 1, q) + pole, q * (_mirrored(phi, 1, q) + crossings_d1(phi, q)) + mirrored_pole

    return _derivative(phi, 1, rho, q, at_ends)


def covariance_d2(phi: Smooth, rho: Array, q: Array) -> Array:
    """C''(ρ) = q² E φ''(u)φ''(v), kinks and jumps counted in φ''; ±∞ at ρ = ±1 where they make it so."""

    def at_ends(q: Array) -> tuple[Array, Array]:
        pole, mirrored_pole = poles_d2(phi, q)
        return q * q * _square(phi, 2, q) + pole, q * q * (_mirrored(phi, 2, q) + crossings_d2(phi, q)) + mirrored_pole

    return _derivative(phi, 2, rho, q, at_ends)


def covariance_loss(phi: Smooth, eps: Array, q: Array) -> Array:
    """C(1) − C(1 − ε), for ε in [0, 2] and q > 0 of one shape; relative error below 1e-11 however small the loss."""
    shape, eps, q = np.shape(eps), np.ravel(eps), np.ravel(q)
    found, near = np.zeros(eps.size), np.minimum(eps, 2 - eps)
    with np.errstate(all="ignore"):
        found[eps == 2] = 0.5 * average(phi, _odd_square, q[eps == 2])
        far = turning.is_far(phi, q) & (near > 0)
        for variance in np.unique(q[far]):
            here = far & (q == variance)
            kept, odd = turning.losses(phi, near[here], float(variance))
            found[here] = kept + np.where(eps[here] > 1, odd, 0.0)
        for some, many in _by_variance(q, (near > 0) & ~far):
            # C(1) − C(−r) = [C(1) − C(r)] + [C(r) − C(−r)], neither of which is negative.
            kept, odd = _tabulated_losses(phi, near[some], q[some][0]) if many else losses(phi, near[some], q[some])
            found[some] = kept + np.where(eps[some] > 1, odd, 0.0)
    return found.reshape(shape)


def _derivative(phi: Smooth, order: int, rho: Array, q: Array, at_ends: AtEnds) -> Array:
    shape, rho, q = np.shape(rho), np.ravel(rho), np.ravel(q)
    found, eps, negative = np.empty(rho.size), 1 - np.abs(rho), rho < 0
    with np.errstate(all="ignore"):
        ends = eps == 0
        if ends.any():
            one, mirrored = at_ends(q[ends])
            found[ends] = np.where(negative[ends], mirrored, one)
        far = turning.is_far(phi, q) & ~ends
        for variance in np.unique(q[far]):
            here = far & (q == variance)
            same, mirrored = turning.products(phi, order, eps[here], float(variance))
            found[here] = np.where(negative[here], mirrored, same)
        for some, many in _by_variance(q, ~ends & ~far):
            if many:
                table, power = product_table(phi, order, float(q[some][0]))
                theta = _angle(eps[some])
                found[some] = table(negative[some], theta)
                if power:
                    found[some] /= np.sin(theta) ** power
            else:
                both = products(phi, order, eps[some], q[some])
                found[some] = np.where(negative[some], both[1], both[0])
    return found.reshape(shape)


def _tabulated_losses(phi: Smooth, eps: Array, q: float) -> tuple[Array, Array]:
    """What `losses` gives, at one variance."""
    table, power = loss_table(phi, float(q))
    theta = _angle(eps)
    first = np.zeros(eps.size, dtype=bool)
    return table(first, theta) * theta**power, table(~first, theta)


def _angle(eps: Array) -> Array:
    """arccos(1 − ε)."""
    theta: Array = 2 * np.arcsin(np.sqrt(0.5 * eps))
    return theta


def _by_variance(q: Array, asked: NDArray[np.bool_]) -> Iterator[tuple[Any, bool]]:
    """Indices of what is asked, and whether all of them have one variance and are many."""
    at = np.flatnonzero(asked)
    if at.size < _MANY:
        groups = [at] if at.size else []
        few = groups
    else:
        order = at[np.argsort(q[at], kind="stable")]
        groups = np.split(order, np.flatnonzero(np.diff(q[order])) + 1)
        few = [group for group in groups if group.size < _MANY]
        yield from ((group, True) for group in groups if group.size >= _MANY)
    if few:
        yield np.concatenate(few), False


def _square(phi: Smooth, order: int, q: Array) -> Array:
    """E φ⁽ⁿ⁾(x)²."""
    return average(phi, _squared(order), q)


def _mirrored(phi: Smooth, order: int, q: Array) -> Array:
    """E φ⁽ⁿ⁾(x)φ⁽ⁿ⁾(−x)."""
    return average(phi, _with_mirrored(order), q)


@cache
def _squared(order: int) -> Integrand:
    return lambda at: np.square((at.f, at.d1, at.d2)[order])


@cache
def _with_mirrored(order: int) -> Integrand:
    return lambda at: (at.f, at.d1, at.d2)[order] * at.mirrored[order]


def _odd_square(at: Points) -> Array:
    return np.square(at.f - at.mirrored[0])
