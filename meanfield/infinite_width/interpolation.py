"""A function of variances, analytic in ln q, in an octave, from 2^k to 2^(k + 1), from few of its values."""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial.chebyshev import chebval
from numpy.typing import NDArray

from meanfield.activations.chebyshev_points import chebyshev

__all__ = ["MANY", "in_octave", "interpolated", "octaves"]

Array = NDArray[np.float64]

#: From so many variances in an octave on, it is quicker to interpolate between so many.
MANY, _KNOWN = 64, 28


def octaves(q: Array) -> NDArray[np.intp]:
    """The k of the octave of each variance q > 0."""
    return (np.frexp(q)[1] - 1) // 2


def in_octave(k: int) -> Array:
    """The variances between which a function is interpolated."""
    return 4.0 ** (k + chebyshev(_KNOWN)[0])


def interpolated(values: Array, q: Array, k: int) -> Array:
    """The function with these `values` at `in_octave(k)`, at variances q of that octave."""
    # Of the power of q that the function is nearest to, so that the least of it keeps its digits.
    first, last = values[0], values[-1]
    power = round(math.log(last / first, 4.0)) if 0 < first < math.inf and 0 < last < math.inf else 0
    known = chebyshev(_KNOWN)[1] @ (values * in_octave(0) ** -float(power))
    between: Array = chebval(np.log2(q) - 2 * k - 1, known)
    return between * np.ldexp(q, -2 * k) ** power if power else between
