"""Runs that take no time: few examples of few features, in narrow networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from meanfield.training.data import Data
from meanfield.training.setting import Setting


def examples(count: int, shape: tuple[int, ...] = (12,), classes: int = 3, seed: int = 0) -> Any:
    """Images of mean square 1, and labels that are seen in them."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, count)
    centres = np.random.default_rng(99).normal(size=(classes, *shape))
    images = centres[labels] + generator.normal(size=(count, *shape))
    squares = np.square(images).mean(axis=tuple(range(1, images.ndim)), keepdims=True)
    return (images / np.sqrt(squares)).astype(np.float32), labels.astype(np.int64)


def data(shape: tuple[int, ...] = (12,), count: int = 96) -> Data:
    """A training set of `count` examples and a test set of 40."""
    return Data("x.npz", *examples(count, shape), *examples(40, shape, seed=1))


def setting(**changed: Any) -> Setting:
    """24 steps of a narrow network."""
    asked: dict[str, Any] = {
        **{"activation": "relu", "sigma_w": 2**0.5, "sigma_b": 0.0, "depth": 3, "width": 10, "data": "x.npz"},
        **{"epochs": 2, "batch": 8, "warmup": 5, "learning_rate": 0.01},
    }
    return Setting(**{**asked, **changed})
