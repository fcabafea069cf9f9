"""Gaussian expectations of φ in one variable: everything the variance map is made of.

With x = √q z and z standard normal, φ an `Activation`, q ≥ 0 of any shape:

- `mean` E φ, `second_moment` E φ², `fourth_moment` E φ⁴, `sixth_moment` E φ⁶, `mirrored_moment` E φ(x)φ(−x);
- `second_moment_d1`, `second_moment_d2`: first and second derivative of E φ² in q;
- `slope_moment` E φ'ⁿ of the slopes alone, `slope_kurtosis` E φ'⁴/(E φ'²)², `mirrored_slopes` E φ'(x)φ'(−x),
  `slope_square_d1` d/dq E φ'², `slope_weighted_square` E φ²φ'² and `slope_weighted_product` E xφφ';
- `curvature_term`, `bend` and `squared_curvature`, which decide stability and how fast correlations grow;
- `sparsity` P(φ(x) = 0), `active_share` P(φ(x) ≠ 0) and `sloping_share` P(φ'(x) ≠ 0);
- `square_variance` and `square_cumulants` of φ², which keep their digits where it is nearly constant.

docs/theory.md, sections 2, 3 and 15.

Values at q = 0 are limits q → 0⁺, so each function is continuous on [0, ∞) (a derivative may be infinite there).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.activation import Activation
from meanfield.domain import variances
from meanfield.infinite_width.rooms import of_any_shape, room

__all__ = [
    "active_share",
    "bend",
    "curvature_term",
    "fourth_moment",
    "mean",
    "mirrored_moment",
    "mirrored_slopes",
    "second_moment",
    "second_moment_d1",
    "second_moment_d2",
    "sixth_moment",
    "slope_kurtosis",
    "slope_moment",
    "slope_square_d1",
    "slope_weighted_product",
    "slope_weighted_square",
    "sloping_share",
    "sparsity",
    "square_cumulants",
    "square_variance",
    "squared_curvature",
]

Array = NDArray[np.float64]


@of_any_shape
def mean(phi: Activation, q: Array) -> Array:
    """E φ(√q z)."""
    found: Array = room("moments", phi).mean(phi, q)
    return found


@of_any_shape
def second_moment(phi: Activation, q: Array) -> Array:
    """E φ(√q z)²; V(q) = σ_w² E φ² + σ_b²."""
    found: Array = room("moments", phi).second_moment(phi, q)
    return found


@of_any_shape
def fourth_moment(phi: Activation, q: Array) -> Array:
    """E φ(√q z)⁴."""
    found: Array = room("moments", phi).fourth_moment(phi, q)
    return found


@of_any_shape
def sixth_moment(phi: Activation, q: Array) -> Array:
    """E φ(√q z)⁶."""
    found: Array = room("moments", phi).sixth_moment(phi, q)
    return found


@of_any_shape
def mirrored_moment(phi: Activation, q: Array) -> Array:
    """E φ(x)φ(−x), the covariance of two outputs whose inputs have correlation −1."""
    found: Array = room("moments", phi).mirrored_moment(phi, q)
    return found


@of_any_shape
def second_moment_d1(phi: Activation, q: Array) -> Array:
    """d/dq E φ(√q z)²."""
    found: Array = room("moments", phi).second_moment_d1(phi, q)
    return found


@of_any_shape
def second_moment_d2(phi: Activation, q: Array) -> Array:
    """d²/dq² E φ(√q z)²."""
    found: Array = room("moments", phi).second_moment_d2(phi, q)
    return found


@of_any_shape
def slope_moment(phi: Activation, q: Array, n: int) -> Array:
    """E φ'(√q z)ⁿ, between the breaks of φ alone: jumps are left out."""
    found: Array = room("moments", phi).slope_moment(phi, q, n)
    return found


@of_any_shape
def slope_kurtosis(phi: Activation, q: Array) -> Array:
    """E φ'⁴/(E φ'²)² ≥ 1, how unevenly units pass a gradient; NaN where φ has no slope."""
    slope_moment = room("moments", phi).slope_moment
    square = slope_moment(phi, q, 2)
    return np.asarray(slope_moment(phi, q, 4) / square / square)


@of_any_shape
def mirrored_slopes(phi: Activation, q: Array) -> Array:
    """E φ'(x)φ'(−x), between the breaks alone."""
    found: Array = room("moments", phi).mirrored_slopes(phi, q)
    return found


@of_any_shape
def slope_square_d1(phi: Activation, q: Array) -> Array:
    """d/dq E φ'(√q z)², jumps left out."""
    found: Array = room("moments", phi).slope_square_d1(phi, q)
    return found


@of_any_shape
def slope_weighted_square(phi: Activation, q: Array) -> Array:
    """E φ²φ'², between the breaks alone."""
    found: Array = room("moments", phi).slope_weighted_square(phi, q)
    return found


@of_any_shape
def slope_weighted_product(phi: Activation, q: Array) -> Array:
    """E xφφ', between the breaks alone."""
    found: Array = room("moments", phi).slope_weighted_product(phi, q)
    return found


@of_any_shape
def curvature_term(phi: Activation, q: Array) -> Array:
    """d/dq E φ² − E φ'² = E φφ'' of a continuous φ; its kinks give Σᵢ dᵢ φ(tᵢ) p(tᵢ), p the density of √q z."""
    found: Array = room("moments", phi).curvature_term(phi, q)
    return found


@of_any_shape
def bend(phi: Activation, q: Array) -> Array:
    """(4/3) Σᵢ dᵢ² exp(−tᵢ²/2q)/(2π√2), the coefficient of −q ε^(3/2) in E φ² − C(1 − ε), jumps left out."""
    found: Array = room("moments", phi).bend(phi, q)
    return found


@of_any_shape
def squared_curvature(phi: Activation, q: Array) -> Array:
    """E φ''(√q z)², the curvature C''(1)/q² of the covariance; ∞ where φ or φ' jumps."""
    found: Array = room("moments", phi).squared_curvature(phi, q)
    return found


@of_any_shape
def active_share(phi: Activation, q: Array) -> Array:
    """P(φ(√q z) ≠ 0), which keeps its digits where 1 − sparsity loses them."""
    found: Array = room("moments", phi).active_share(phi, q)
    return found


@of_any_shape
def sloping_share(phi: Activation, q: Array) -> Array:
    """P(φ'(√q z) ≠ 0), the fraction of units that pass a gradient."""
    found: Array = room("moments", phi).sloping_share(phi, q)
    return found


@of_any_shape
def sparsity(phi: Activation, q: Array) -> Array:
    """P(φ(√q z) = 0)."""
    found: Array = room("moments", phi).sparsity(phi, q)
    return found


@of_any_shape
def square_variance(phi: Activation, q: Array) -> Array:
    """Var φ(√q z)²."""
    variance: Array = room("moments", phi).square_cumulants(phi, q, 2)[1]
    return variance


def square_cumulants(phi: Activation, q: ArrayLike) -> tuple[Any, Any, Any]:
    """The first three cumulants of φ(√q z)², E φ² the first of them."""
    values = variances(q)
    with np.errstate(all="ignore"):
        first, second, third = room("moments", phi).square_cumulants(phi, values, 3)
    return (first, second, third) if values.ndim else (first.item(), second.item(), third.item())
