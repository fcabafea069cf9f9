"""A function on a panel by its values at Chebyshev points: the coefficients of its Chebyshev polynomial."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.polynomial.chebyshev import chebpts1, chebvander
from numpy.typing import NDArray

__all__ = ["chebyshev"]

Array = NDArray[np.float64]


@cache
def chebyshev(n: int) -> tuple[Array, Array]:
    """n Chebyshev points on [0, 1], and the n × n matrix that makes coefficients on it of values there."""
    points = chebpts1(n)
    # By the discrete orthogonality of the polynomials.
    from_values = chebvander(points, n - 1).T * np.where(np.arange(n), 2.0, 1.0)[:, np.newaxis] / n
    return (points + 1) / 2, from_values
