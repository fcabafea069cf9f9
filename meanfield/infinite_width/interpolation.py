"""A function on a panel by its values at Chebyshev points: the coefficients of its Chebyshev polynomial."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.polynomial.chebyshev import chebpts1
from numpy.typing import NDArray

__all__ = ["chebyshev"]

Array = NDArray[np.float64]


@cache
def chebyshev(n: int) -> tuple[Array, Array]:
    """n Chebyshev points on [0, 1], and the n × n matrix that makes coefficients on it of values there."""
    points, degrees = chebpts1(n), np.arange(n)[:, np.newaxis]
    # By the discrete orthogonality of the polynomials, of which the recurrence would lose digits at both ends.
    polynomials = np.cos(degrees * (np.pi * (np.arange(n)[::-1] + 0.5) / n))
    from_values = polynomials * np.where(degrees, 2.0, 1.0) / n
    return (points + 1) / 2, from_values
