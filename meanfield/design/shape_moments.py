"""Moments of φ(αz + β), z standard normal, for many α and β at once: what the conditions of a shape are made of.

With f(z) = φ(αz + β) and c = f − E f, everything that γ(f + δ) does at q = 1 follows from six numbers. Panels end at
the breaks of f, so that kinks cost no digits. docs/theory.md, section 16.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.activation import Activation
from meanfield.infinite_width.gaussian import legendre

__all__ = ["ShapeMoments", "shape_moments"]

Array = NDArray[np.float64]

#: So many standard deviations out.
_REACH = 10
#: Nodes on a panel where a sign is all that is asked, and where digits are.
_ROUGH, _FINE = 8, 16
#: A fine panel of one standard deviation is divided so that it is no longer than a length of φ, so often at most.
_MOST_PARTS = 64
#: Numbers worked through at a time.
_BLOCK = 2**19


class ShapeMoments(NamedTuple):
    """Of f and c = f − E f; every field of the shape of α and β.

    `mean` E f, `variance` E c², `growth` E(z² − 1)c²/2, `bent` E(z² − 1)c, `slopes` E f'², `bends` E f''² between the
    breaks.
    """

    mean: Array
    variance: Array
    growth: Array
    bent: Array
    slopes: Array
    bends: Array


def shape_moments(phi: Activation, alpha: Array, beta: Array, *, rough: bool = False) -> ShapeMoments:
    """The moments at α > 0 and β, arrays of one shape; rough ones are right where φ varies little over α/8."""
    a, b = alpha.ravel(), beta.ravel()
    longest = float(a.max(initial=0.0)) / min(phi.scales, default=math.inf)
    parts = 1 if rough else min(max(1, math.ceil(longest)), _MOST_PARTS)
    nodes = _ROUGH if rough else _FINE
    size = max(1, _BLOCK // (nodes * (2 * _REACH * parts + len(phi.breaks))))
    blocks = [_of_block(phi, a[i : i + size], b[i : i + size], nodes, parts) for i in range(0, a.size, size)]
    return ShapeMoments(*np.concatenate(blocks, axis=1).reshape(6, *alpha.shape))


def _of_block(phi: Activation, a: Array, b: Array, nodes: int, parts: int) -> Array:
    a, b = a[:, np.newaxis], b[:, np.newaxis]
    whole = np.linspace(-_REACH, _REACH, 2 * _REACH * parts + 1)
    breaks = np.clip((np.array(phi.breaks) - b) / a, -_REACH, _REACH)
    edges = np.sort(np.concatenate([np.broadcast_to(whole, (len(a), whole.size)), breaks], axis=1), axis=1)
    points, shares = legendre(nodes)
    width = np.diff(edges, axis=1)[..., np.newaxis]
    z = (edges[:, :-1, np.newaxis] + width * points).reshape(len(a), -1)
    weights = (width * shares).reshape(len(a), -1) * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    f, d1, d2 = phi.jet(a * z + b)
    mean = np.sum(weights * f, axis=1)
    c, turned = f - mean[:, np.newaxis], weights * (z * z - 1)
    slopes, bends = np.sum(weights * d1 * d1, axis=1), np.sum(weights * d2 * d2, axis=1)
    a = a[:, 0]
    return np.stack(
        [
            mean,
            np.sum(weights * c * c, axis=1),
            np.sum(turned * c * c, axis=1) / 2,
            np.sum(turned * c, axis=1),
            a**2 * slopes,
            a**4 * bends,
        ]
    )
