"""The integral over the normal density in numpy; its source stands in generated code.

So it is written without annotations, and with nothing imported but numpy.
"""

from __future__ import annotations

import numpy as np

__all__ = ["elementwise", "integral"]


def elementwise(f):
    """A function of numbers as one of arrays."""
    return np.vectorize(f, otypes=[float])


def integral(f, breaks, rule=np.polynomial.legendre.leggauss(16)):
    """The integral of f, which falls off as the normal density does and is not smooth at the breaks.

    Gauss-Legendre on panels, each halved until its halves agree with it.
    """

    def on_panels(left, right):
        half = (right - left) / 2
        values = f((left + right)[:, None] / 2 + half[:, None] * rule[0])
        return half * (values @ rule[1]), half * (np.abs(values) @ rule[1])

    edges = np.unique([-38, -16, -8, -5, -3, -1, 0, 1, 3, 5, 8, 16, 38, *(t for t in breaks if abs(t) < 38)])
    left, right, found, size = edges[:-1], edges[1:], 0.0, 0.0
    with np.errstate(all="ignore"):
        whole = on_panels(left, right)[0]
        for _ in range(25):
            middle = (left + right) / 2
            (first, least), (second, most) = on_panels(left, middle), on_panels(middle, right)
            size = max(size, least.sum() + most.sum())
            apart = np.abs(first + second - whole) > 1e-13 * size
            found += (first + second)[~apart].sum()
            left, middle, right = left[apart], middle[apart], right[apart]
            left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
            whole = np.concatenate([first[apart], second[apart]])
            # Where so many are apart it is for their rounding.
            if not 0 < left.size < 64:
                break
    return found + whole.sum()
