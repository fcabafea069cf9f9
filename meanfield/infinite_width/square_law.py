"""The law of φ(√q z)², z standard normal: an atom for every flat piece of φ, and what the others make of a density.

docs/theory.md, section 12.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.infinite_width.rooms import room

__all__ = ["flat_squares", "sloping_squares_below"]

Array = NDArray[np.float64]


def flat_squares(phi: Activation, q: Array) -> tuple[Array, Array]:
    """φ² on the flat pieces, each value once, shape (k,); and how likely it is at variances `q`, (n,): shape (k, n)."""
    levels, shares = room("square_law", phi).flat_squares(phi, q)
    return levels, shares


def sloping_squares_below(phi: Activation, q: Array, y: Array) -> Array:
    """P(√q z lies on a sloping piece, and φ² ≤ y), shape (n, m), at variances `q`, (n,), and values `y`, (n, m).

    Of equally spaced `y` along every row.
    """
    shares: Array = room("square_law", phi).sloping_squares_below(phi, q, y)
    return shares
