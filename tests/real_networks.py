"""Networks drawn with every weight, written out: what chains and theory are tested against."""

from __future__ import annotations

import math

import numpy as np

from meanfield.infinite_width.mean_field import MeanField


def networks_by_hand(network: MeanField, q: float, width: int, depth: int, count: int, seed: int) -> np.ndarray:
    """K of the last layer of real networks: whole weight matrices, and every pre-activation."""
    random = np.random.default_rng(seed)
    last = np.empty(count)
    for n in range(count):
        h = math.sqrt(q) * random.standard_normal(width)
        for layer in range(depth):
            active = network.activation(h)
            variance = network.sigma_b**2 + network.sigma_w**2 * (active @ active) / width
            if layer == depth - 1:
                break
            weights = random.standard_normal((width, width), dtype=np.float32)
            weights *= np.float32(network.sigma_w / math.sqrt(width))
            h = weights @ active + network.sigma_b * random.standard_normal(width)
        last[n] = variance
    return last
