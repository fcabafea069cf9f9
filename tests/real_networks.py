"""Networks drawn with every weight, written out: what chains and theory are tested against."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from meanfield.infinite_width.mean_field import MeanField

#: Numbers held at once, in weights of all layers.
MOST = 8_000_000


class RealNetworks(NamedTuple):
    """Of shape (count,) each.

    `variances`, K of the last layer; `log_gains`, ln |g⁰|²/|g^L|² of a Gaussian g^L; `overlaps`, g·Wx at layer 1 of
    a g^L of length 1, and `gains`, |g|² there.
    """

    variances: np.ndarray
    log_gains: np.ndarray
    overlaps: np.ndarray
    gains: np.ndarray


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


def both_ways_by_hand(
    network: MeanField, q: float, width: int, depth: int, count: int, seed: int, *, orthogonal: bool = False
) -> RealNetworks:
    """Real networks forward and backward, through the same whole weight matrices; two layers or more."""
    random = np.random.default_rng(seed)
    some = max(MOST // (width * width * depth), 1)
    parts = [
        _both_ways(network, q, width, depth, min(some, count - done), random, orthogonal)
        for done in range(0, count, some)
    ]
    return RealNetworks(*map(np.concatenate, zip(*parts, strict=True)))


def _both_ways(
    network: MeanField, q: float, width: int, depth: int, count: int, random: np.random.Generator, orthogonal: bool
) -> RealNetworks:
    phi, h = network.activation, math.sqrt(q) * random.standard_normal((count, width, 1))
    passed, without_biases = [], []
    for _ in range(depth):
        x, slopes = phi.with_slopes(h)
        variances = network.sigma_b**2 + network.sigma_w**2 * np.mean(x * x, axis=(1, 2))
        weights = network.sigma_w * _weights(count, width, random, orthogonal)
        passed.append((slopes, weights))
        without_biases.append(weights @ x)
        h = without_biases[-1] + network.sigma_b * random.standard_normal(h.shape)
    last = random.standard_normal(h.shape)
    gradients = [last]
    for slopes, weights in reversed(passed):
        gradients.append(slopes * (np.swapaxes(weights, 1, 2) @ gradients[-1]))
    lengths = np.sum(np.square(gradients), axis=(2, 3))
    overlap = np.sum(without_biases[0] * gradients[-2], axis=(1, 2)) / np.sqrt(lengths[0])
    with np.errstate(divide="ignore"):
        return RealNetworks(variances, np.log(lengths[-1] / lengths[0]), overlap, lengths[-2] / lengths[0])


def _weights(count: int, width: int, random: np.random.Generator, orthogonal: bool) -> np.ndarray:
    """With entries of variance 1/N; or of Haar's law, by the triangle whose diagonal is positive."""
    weights = random.standard_normal((count, width, width))
    if not orthogonal:
        return weights / math.sqrt(width)
    turned, triangle = np.linalg.qr(weights)
    return turned * np.sign(np.diagonal(triangle, axis1=1, axis2=2))[:, None, :]
