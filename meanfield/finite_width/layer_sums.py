"""Sums over the units of a layer: all that the signal, and the gradient on its way back, need to know of it.

With x = φ(h) and p = φ'(h) the signal hands on Σ x². On its way back the gradient meets the slopes, the direction of x,
and t, the part of h that is no bias: what becomes of it depends on ten more sums. docs/theory.md, section 17.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation

__all__ = ["NUMBERS_AT_ONCE", "UNITS_AT_ONCE", "LayerSums", "layer_sums"]

Array = NDArray[np.float64]

#: Units of each network drawn at once, so that they fit in memory; of all networks, so that they stay in cache, are few
#: calls, and need no new memory of the system.
UNITS_AT_ONCE, NUMBERS_AT_ONCE = 8192, 16384


class LayerSums(NamedTuple):
    """Over units, of products that the names spell; one number for every network."""

    xx: Array
    pp: Array
    pppp: Array
    ppxx: Array
    ppppxx: Array
    ppppppxx: Array
    pxt: Array
    pppxt: Array
    pptt: Array
    pppppxt: Array
    pppptt: Array


def layer_sums(phi: Activation, h: Array, t: Array) -> LayerSums:
    """Of pre-activations `h` and their part `t`, each of shape (networks, units)."""
    x, p = phi.with_slopes(h)
    pt = p * t
    xx, pp, pxt, pptt = _dot(x, x), _dot(p, p), _dot(x, pt), _dot(pt, pt)
    if (a := phi.slope_size) is not None:
        # p² is a² or 0.
        b, c, px = a**2, a**4, p * x
        ppxx = _dot(px, px)
        return LayerSums(xx, pp, b * pp, ppxx, b * ppxx, c * ppxx, pxt, b * pxt, pptt, c * pxt, b * pptt)
    square = p * p
    ppx, pppt = square * x, square * pt
    ppppx = square * ppx
    return LayerSums(
        xx, pp, _dot(square, square), _dot(x, ppx), _dot(ppx, ppx), _dot(ppx, ppppx),
        pxt, _dot(ppx, pt), pptt, _dot(ppx, pppt), _dot(pt, pppt),
    )  # fmt: skip


def _dot(a: Array, b: Array) -> Array:
    dots: Array = np.einsum("ij,ij->i", a, b)
    return dots
