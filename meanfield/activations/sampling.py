"""Activations given as a Python function: its pieces are found by looking, and the find is checked.

Straight pieces are sought first, `straight_pieces`. Of a function that bends, the breaks are located, each piece
between them is described by a polynomial or by Chebyshev polynomials on panels, and the whole is compared with the
function at points not used so far, dense around each break and out to ±1e8. docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.algebra import Pieces
from meanfield.activations.analytic_breaks import Break, found_breaks, too_fast
from meanfield.activations.analytic_pieces import Polynomial, fitted_piece, polynomial_tree
from meanfield.activations.chebyshev_pieces import Chebyshev
from meanfield.activations.guarded import Guarded
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.resolution import Resolution
from meanfield.activations.smooth import Smooth
from meanfield.activations.straight_pieces import straight_pieces
from meanfield.activations.unseen import beside, unseen

__all__ = ["sample"]

Array = NDArray[np.float64]

#: So many times what a description may be off, departures refute it.
_WRONG = 20.0
#: The size of φ on a panel is that at its far end, at most so many times as far out as a point on it.
_FAR_END = 2.5


def sample(function: Callable[[Any], Any], name: str) -> PiecewiseLinear | Smooth:
    """A function of a numpy array: its straight pieces, or else its analytic ones.

    Args:
        function: elementwise, from an array of float64 to one of the same shape.
        name: what messages call it.

    Raises:
        ActivationError: it is no piecewise analytic function, or varies too fast (the message says where), or does not
            return floats of the right shape.
    """
    guarded = Guarded(function, name)
    straight = straight_pieces(guarded)
    return _analytic(Resolution(guarded)) if straight is None else straight


def _analytic(resolution: Resolution) -> PiecewiseLinear | Smooth:
    breaks = found_breaks(resolution)
    at = tuple(t.at for t in breaks)
    pieces = [fitted_piece(resolution, low, high) for low, high in pairwise([-math.inf, *at, math.inf])]
    lines = [piece for piece in pieces if not isinstance(piece, Chebyshev) and len(piece) <= 2]
    phi = Smooth(at, tuple(p if isinstance(p, Chebyshev) else polynomial_tree(p) for p in pieces))
    _require_like(resolution, phi, breaks)
    return _straight(at, lines) if len(lines) == len(pieces) else phi


def _straight(knots: tuple[float, ...], lines: Sequence[Polynomial]) -> PiecewiseLinear:
    """The function of straight pieces, some narrower or further out than `straight_pieces` looks for."""
    intercepts, slopes = zip(*((*line, Fraction(0))[:2] for line in lines), strict=True)
    return Pieces(tuple(map(Fraction, knots)), slopes, intercepts).rounded()


def _require_like(resolution: Resolution, phi: Smooth, breaks: Sequence[Break]) -> None:
    """Refuse a description that departs from the function where it has not been looked at."""
    x = unseen(np.array([t.at for t in breaks]))
    # On which side of its jump φ lies there to the last bit is no matter.
    x = x[~beside(x, np.array([t.at for t in breaks if t.jumps]))]
    f, slope = phi.with_slopes(x)
    allowed = _WRONG * (resolution.tolerance * resolution.size(_FAR_END * x) + np.finfo(float).eps * np.abs(x * slope))
    off = np.abs(resolution.function(x) - f) > allowed
    if off.any():
        raise too_fast(resolution, x[off])
