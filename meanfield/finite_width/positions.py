"""Which positions a convolution sees: every position has k×k neighbours, itself in the middle.

A layer of size×size positions is kept flat, and a dense layer is one position whose only neighbour is itself.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.experiment import Padding

__all__ = ["coverage", "fold", "neighbours", "patches"]

Array = NDArray[np.float64]


@lru_cache(maxsize=8)
def neighbours(kernel: int, size: int, padding: Padding) -> NDArray[np.intp]:
    """The neighbours of every position, shape (k², P); P stands for a zero outside."""
    offsets = np.arange(kernel) - kernel // 2
    along = offsets[:, None] + np.arange(size)
    # By offset in y, offset in x, y, x.
    y, x = np.broadcast_arrays(along[:, None, :, None], along[None, :, None, :])
    flat = (y % size) * size + x % size
    if padding == "zero":
        flat = np.where((y == y % size) & (x == x % size), flat, size**2)
    found = np.ascontiguousarray(flat.reshape(kernel**2, size**2), dtype=np.intp)
    found.flags.writeable = False
    return found


def coverage(seen: NDArray[np.intp]) -> Array:
    """The share of its k² neighbours by which a position is seen, shape (P,): below 1 at a border of zeros."""
    counts = np.bincount(seen.ravel(), minlength=seen.shape[1] + 1)
    return np.asarray(counts[: seen.shape[1]] / seen.shape[0])


def patches(x: Array, seen: NDArray[np.intp]) -> Array:
    """What every position sees, shape (k² channels, P inputs), of activations (channels, P, inputs)."""
    channels, positions, inputs = x.shape
    if positions == 1:
        return x.reshape(channels, inputs)
    padded = np.concatenate([x, np.zeros((channels, 1, inputs))], axis=1)
    return padded[:, seen].reshape(channels * len(seen), positions * inputs)


def fold(y: Array, seen: NDArray[np.intp]) -> Array:
    """The transpose of `patches` for one input: (k² channels, P) summed onto positions, shape (channels, P)."""
    kernel, positions = seen.shape
    if positions == 1:
        return y
    parts = y.reshape(-1, kernel, positions)
    total = np.zeros((len(parts), positions + 1))
    for offset, places in enumerate(seen):
        # Every place but the one outside occurs once.
        total[:, places] += parts[:, offset]
    return total[:, :-1]
