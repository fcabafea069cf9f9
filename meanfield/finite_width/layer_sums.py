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
UNITS_AT_ONCE, NUMBERS_AT_ONCE = 8192, 32768


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
    px, pt = p * x, p * t
    xx, pp, ppxx, pxt, pptt = _dot(x, x), _dot(p, p), _dot(px, px), _dot(px, t), _dot(pt, pt)
    if (a := phi.slope_size) is not None:
        # p² is a² or 0.
        b, c = a**2, a**4
        return LayerSums(xx, pp, b * pp, ppxx, b * ppxx, c * ppxx, pxt, b * pxt, pptt, c * pxt, b * pptt)
    square, ppx, ppt = p * p, p * px, p * pt
    pppx = p * ppx
    return LayerSums(
        xx, pp, _dot(square, square), ppxx, _dot(ppx, ppx), _dot(pppx, pppx),
        pxt, _dot(ppx, pt), pptt, _dot(pppx, ppt), _dot(ppt, ppt),
    )  # fmt: skip


def _dot(a: Array, b: Array) -> Array:
    dots: Array = np.einsum("ij,ij->i", a, b)
    return dots
