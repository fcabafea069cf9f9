"""A function of variances, analytic in ln q, in an octave, from 2^k to 2^(k + 1), from few of its values."""

from __future__ import annotations

import numpy as np
from numpy.polynomial.chebyshev import chebval
from numpy.typing import NDArray

from meanfield.activations.chebyshev_points import chebyshev

__all__ = ["MANY", "in_octave", "interpolated", "octaves"]

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
