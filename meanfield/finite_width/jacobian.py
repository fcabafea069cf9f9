"""The squared singular values of the Jacobian of all layers: how evenly gradients reach the first one.

Their mean is χ₁^L. For independent layers the relative variances add: each layer brings E φ'⁴/(E φ'²)² − 1 from its
units and 1 from its weights if they are Gaussian, 0 if they are orthogonal. Source: Pennington, Schoenholz and
Ganguli (2017), section 2; docs/theory.md, section 8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import slope_kurtosis

__all__ = ["SquaredSingularValues", "squared_singular_values"]


@dataclass(frozen=True)
class SquaredSingularValues:
    """Of the Jacobian of L layers at variance q: `mean`; `variance_gaussian`, `variance_orthogonal` by weights."""

    mean: float
    variance_gaussian: float
    variance_orthogonal: float


def squared_singular_values(network: MeanField, q: float, depth: int) -> SquaredSingularValues:
    """Mean and variance over the spectrum at depth L = `depth`, each layer at variance q; ∞ where φ jumps."""
    gain = network.chi1(q)
    if gain == math.inf:
        return SquaredSingularValues(math.inf, math.inf, math.inf)
    if not gain:
        return SquaredSingularValues(0.0, 0.0, 0.0)
    units = max(slope_kurtosis(network.activation, q) - 1, 0.0)
    try:
        mean = gain**depth
        return SquaredSingularValues(mean, mean**2 * depth * (units + 1), mean**2 * depth * units)
    except OverflowError:
        return SquaredSingularValues(math.inf, math.inf, math.inf)
