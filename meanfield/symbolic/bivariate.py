"""The bivariate normal distribution function in numpy, written so that its source can stand in generated code."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, owens_t

__all__ = ["Phi2"]


def Phi2(h: ArrayLike, k: ArrayLike, rho: ArrayLike) -> NDArray[np.float64]:
    """P(X <= h, Y <= k) of standard normals X, Y with correlation rho in [-1, 1], by Owen's T function (Owen 1956)."""
    # + 0.0 turns -0.0 into 0.0, so that the sign of a quotient by it is that of its numerator.
    h, k, rho = np.asarray(h, float) + 0.0, np.asarray(k, float) + 0.0, np.asarray(rho, float)
    side = np.where(rho < 0, -1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        root, equal = np.sqrt((1 - rho) * (1 + rho)), np.sqrt((1 - rho) / (1 + rho))
        # (k - rho h)/(h root) without cancellation as |rho| nears 1; where that is 0/0 the limit is 0.
        above = np.where(h == k, equal, np.nan_to_num((k - side * h + h * (side - rho)) / (h * root), posinf=np.inf, neginf=-np.inf))
        beside = np.where(h == k, equal, np.nan_to_num((h - side * k + k * (side - rho)) / (k * root), posinf=np.inf, neginf=-np.inf))
    opposite = (h * k < 0) | ((h * k == 0) & (h + k < 0))
    result: NDArray[np.float64] = (ndtr(h) + ndtr(k) - opposite) / 2 - owens_t(h, above) - owens_t(k, beside)
    return result
