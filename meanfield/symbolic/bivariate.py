"""The normal density and the bivariate normal distribution function in numpy; their source stands in generated code.

So they are written without annotations, and with nothing imported but numpy and scipy.special.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, owens_t

__all__ = ["Phi2", "density"]


def density(x):
    """The density of the standard normal distribution."""
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def Phi2(h, k, rho):
    """P(X <= h, Y <= k) of standard normals X, Y with correlation rho in [-1, 1], by Owen's T function (Owen 1956)."""

    def slope(x, y):
        """(y - rho x)/(x root) without cancellation as |rho| nears 1; where that is 0/0 the limit is 0."""
        found = np.nan_to_num((y - side * x + x * (side - rho)) / (x * root), posinf=np.inf, neginf=-np.inf)
        return np.where(x == y, np.sqrt((1 - rho) / (1 + rho)), found)

    # + 0.0 turns -0.0 into 0.0, so that the sign of a quotient by it is that of its numerator.
    h, k, rho = np.asarray(h, float) + 0.0, np.asarray(k, float) + 0.0, np.asarray(rho, float)
    side, root = np.where(rho < 0, -1.0, 1.0), np.sqrt((1 - rho) * (1 + rho))
    opposite = (h * k < 0) | ((h * k == 0) & (h + k < 0))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        tails = owens_t(h, slope(h, k)) + owens_t(k, slope(k, h))
    return (ndtr(h) + ndtr(k) - opposite) / 2 - tails
