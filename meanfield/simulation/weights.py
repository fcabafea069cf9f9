"""Random weight matrices, of which nothing is kept but the numbers drawn.

A matrix has `rows` rows, each of `columns` ≥ rows weights of variance 1/columns. Gaussian ones are independent. The
rows of an orthogonal one are orthonormal and uniform among such: the first columns of a product of Householder
reflections, each of a Gaussian vector one shorter than the last (Stewart 1980), which LAPACK applies in O(rows·columns)
without ever forming the matrix.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from meanfield.finite_width.experiment import Weights

__all__ = ["WeightMatrix", "weight_matrix"]

Array = NDArray[np.float64]

#: Columns that LAPACK works on at once times this is the room that it wants.
_LAPACK_BLOCK = 64


class WeightMatrix(ABC):
    """A random W, made from a matrix of standard normal numbers that it may overwrite."""

    @abstractmethod
    def __init__(self, normals: Array) -> None: ...

    @abstractmethod
    def times(self, x: Array) -> Array:
        """W x, for x of shape (columns, any)."""

    @abstractmethod
    def transposed_times(self, y: Array) -> Array:
        """Wᵀ y, for y of shape (rows, any)."""


class _Gaussian(WeightMatrix):
    def __init__(self, normals: Array) -> None:
        self._normals, self._scale = normals, 1 / math.sqrt(normals.shape[1])

    def times(self, x: Array) -> Array:
        product: Array = self._normals @ x
        product *= self._scale
        return product

    def transposed_times(self, y: Array) -> Array:
        product: Array = self._normals.T @ y
        product *= self._scale
        return product


class _Orthogonal(WeightMatrix):
    def __init__(self, normals: Array) -> None:
        # Row j holds the j-th vector from its j-th entry on; before that LAPACK does not look.
        first = normals.diagonal().copy()
        upper = np.triu(normals)
        length = np.sqrt(np.einsum("ij,ij->i", upper, upper))
        self._signs = np.where(first < 0, 1.0, -1.0)
        mirrored = self._signs * length
        self._factors = (mirrored - first) / mirrored
        normals /= (first - mirrored)[:, None]
        self._reflectors = normals.T

    def times(self, x: Array) -> Array:
        rows = len(self._signs)
        rotated = self._reflected(x, "T")[:rows]
        rotated *= self._signs[:, None]
        return rotated

    def transposed_times(self, y: Array) -> Array:
        padded = np.zeros((len(self._reflectors), y.shape[1]), order="F")
        np.multiply(y, self._signs[:, None], out=padded[: len(y)])
        return self._reflected(padded, "N")

    def _reflected(self, x: Array, transposed: str) -> Array:
        rotated, _, info = lapack.dormqr(
            "L", transposed, self._reflectors, self._factors, np.asfortranarray(x), _LAPACK_BLOCK * x.shape[1]
        )
        assert info == 0
        return np.asarray(rotated)


def weight_matrix(kind: Weights, random: np.random.Generator, room: Array) -> WeightMatrix:
    """The next matrix of a stream, of the shape of `room`, which holds it until the next is drawn there."""
    random.standard_normal(out=room)
    return _Orthogonal(room) if kind == "orthogonal" else _Gaussian(room)
