"""Which room integrates φ, closed forms or quadrature, and how arrays of any shape go through it.

Both rooms have modules of the same names, and in them functions of the same names and meanings: `moments`,
`covariance`, `hermite`, `edge_biases`, `square_law` and `growth`. In `infinite_width` their fronts have these names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.activation import Activation
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.domain import variances

__all__ = ["Expectation", "in_blocks", "of_any_shape", "room"]

Array = NDArray[np.float64]

#: Arrays are worked through in blocks of this many numbers, so that the intermediate ones stay in cache.
_BLOCK, _SMALLEST_BLOCK = 8192, 64
#: So many breaks cost as much as all else.
_FEW = 8


def room(of: str, phi: Activation) -> Any:
    """The module `of` of the room that integrates φ."""
    return import_module(
        f"meanfield.infinite_width.{'closed_forms' if isinstance(phi, PiecewiseLinear) else 'quadrature'}.{of}"
    )


class Expectation(Protocol):
    """A Gaussian expectation of φ at variances of any shape: a float for a scalar."""

    @overload
    def __call__(self, phi: Activation, q: float, *order: int) -> float: ...
    @overload
    def __call__(self, phi: Activation, q: ArrayLike, *order: int) -> Array: ...
    def __call__(self, phi: Activation, q: ArrayLike, *order: int) -> Any: ...


def of_any_shape(expectation: Callable[..., Array]) -> Expectation:
    """A function of one block of q's, of shape (n,) or (), as one of variances of any shape, which it checks."""

    @wraps(expectation)
    def of_any_shape(phi: Activation, q: ArrayLike, *order: int) -> Any:
        values = variances(q)
        result = in_blocks(lambda block: expectation(phi, block, *order), phi, values)
        return result if values.ndim else result.item()

    return of_any_shape


def in_blocks(f: Callable[[Array], Array], phi: Activation, q: Array) -> Array:
    """f of variances of any shape, in blocks so small that they stay in cache with all the breaks of φ."""
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        if not q.ndim:
            return f(q)
        flat, result = q.ravel(), np.empty(q.size)
        size = max(_BLOCK // (1 + len(phi.breaks) // _FEW), _SMALLEST_BLOCK)
        for start in range(0, flat.size, size):
            block = slice(start, start + size)
            result[block] = f(flat[block])
    return result.reshape(q.shape)
