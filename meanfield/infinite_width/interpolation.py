"""A function on a panel by its values at Chebyshev points: the coefficients of its Chebyshev polynomial.

A function of variances that is analytic in ln q is known in an octave, from 2^k to 2^(k + 1), from few of its values.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.polynomial.chebyshev import chebpts1, chebval
from numpy.typing import NDArray

__all__ = ["MANY", "chebyshev", "in_octave", "interpolated", "octaves"]

Array = NDArray[np.float64]

#: From so many variances in an octave on, it is quicker to interpolate between so many.
MANY, _KNOWN = 64, 20


def octaves(q: Array) -> NDArray[np.intp]:
    """The k of the octave of each variance q > 0."""
    return np.frexp(q)[1] - 1


def in_octave(k: int) -> Array:
    """The variances between which a function is interpolated."""
    return 2.0 ** (k + chebyshev(_KNOWN)[0])


def interpolated(values: Array, q: Array, k: int) -> Array:
    """The function with these `values` at `in_octave(k)`, at variances q of that octave."""
    between: Array = chebval(2 * (np.log2(q) - k) - 1, chebyshev(_KNOWN)[1] @ values)
    return between


@cache
def chebyshev(n: int) -> tuple[Array, Array]:
    """n Chebyshev points on [0, 1], and the n × n matrix that makes coefficients on it of values there."""
    points, degrees = chebpts1(n), np.arange(n)[:, np.newaxis]
    # By the discrete orthogonality of the polynomials, of which the recurrence would lose digits at both ends.
    polynomials = np.cos(degrees * (np.pi * (np.arange(n)[::-1] + 0.5) / n))
    from_values = polynomials * np.where(degrees, 2.0, 1.0) / n
    return (points + 1) / 2, from_values
