"""Sums over the units of a layer: all that the signal, and the gradient on its way back, need to know of it.

With x = φ(h) and p = φ'(h) the signal hands on Σ x². On its way back the gradient meets the slopes, the direction of x,
and t, the part of h that is no bias: what becomes of it depends on eight more sums. docs/theory.md, section 17.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation

__all__ = ["LayerSums", "layer_sums"]

Array = NDArray[np.float64]


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


def layer_sums(phi: Activation, h: Array, t: Array) -> LayerSums:
    """Of pre-activations `h` and their part `t`, each of shape (networks, units)."""
    x, p = phi.with_slopes(h)
    px, pt = p * x, p * t
    xx, pp, ppxx, pxt, pptt = _dot(x, x), _dot(p, p), _dot(px, px), _dot(px, t), _dot(pt, pt)
    if phi.slope_size is not None:
        # p² is this or 0.
        square = phi.slope_size**2
        more = square * pp, square * ppxx, square * square * ppxx, square * pxt
    else:
        square = p * p
        ppx = p * px
        more = _dot(square, square), _dot(ppx, ppx), _dot(p * ppx, p * ppx), _dot(ppx, pt)
    pppp, ppppxx, ppppppxx, pppxt = more
    return LayerSums(xx, pp, pppp, ppxx, ppppxx, ppppppxx, pxt, pppxt, pptt)


def _dot(a: Array, b: Array) -> Array:
    return np.einsum("ij,ij->i", a, b)
