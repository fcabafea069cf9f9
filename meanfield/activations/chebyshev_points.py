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
    # The turn of Tₖ at a point in whole 4n-ths, below one turn: a recurrence, or a large angle, would lose a digit.
    turns = np.multiply.outer(np.arange(n), np.arange(2 * n - 1, 0, -2)) % (4 * n)
    # By the discrete orthogonality of the polynomials.
    from_values = np.cos(np.pi / (2 * n) * turns) * np.where(np.arange(n), 2.0, 1.0)[:, np.newaxis] / n
    return (chebpts1(n) + 1) / 2, from_values
