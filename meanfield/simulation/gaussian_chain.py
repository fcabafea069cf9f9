"""Dense networks of Gaussian weights without the weights: the same law, O(N) numbers a layer.

Given the activations x of n inputs, n rows of N units, the pre-activations of the next layer are independent from unit
to unit, Gaussian of covariance K = σ_b² + σ_w²/N x xᵀ: with K = R Rᵀ they are h = R z, z standard normal.

On the way back W is asked for Wᵀg, and all that g knows of W is what W made of x. Let x = L E, the rows of E
orthonormal. Then W E_aᵀ = (L⁻¹(h − b))_a, with the biases b drawn given h; across E the weights are fresh:

    Wᵀg = y + Σ_a E_a (g·W E_aᵀ − E_a·y),   y ~ N(0, σ_w²|g|²/N).

docs/theory.md, section 13.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.experiment import Experiment
from meanfield.finite_width.variance_chain import RUNAWAY
from meanfield.simulation.random_network import correlated, mean_correlation

__all__ = ["chain_bytes", "chain_effort", "chains"]

Array = NDArray[np.float64]

#: Of a squared length, relative to its size.
_LENGTH_ROUNDING = 1e-14


def chain_bytes(experiment: Experiment) -> int:
    """About as many as one chain needs, results apart."""
    e = experiment
    layers = e.depth if e.backward else 1
    return 8 * (e.width * (e.inputs * (2 * layers + 5) + layers + 3) + e.inputs**2 * (layers + 6))


def chain_effort(experiment: Experiment) -> float:
    """What one chain costs, in random numbers drawn."""
    e = experiment
    # Measured: numbers and what is made of them, steps over inputs, and the roots of covariances.
    layer = 3 * e.width * e.inputs + 1e3 * e.inputs + 0.03 * e.inputs**3
    return e.depth * layer * (3 if e.backward else 1)


class _Layer(NamedTuple):
    """What the way back needs, by chain: slopes φ' of the first input, activations x; z and R of the next layer."""

    slopes: Array
    activations: Array
    normals: Array
    root: Array


def chains(experiment: Experiment, first: int, count: int) -> Array:
    """The quantities measured of networks first…first + count − 1, shape (count, quantities, depth + 1).

    As `RandomNetworks.measured`, of other networks with the same law. Each has a stream of its own.
    """
    e = experiment
    streams = [
        np.random.Generator(np.random.SFC64(np.random.SeedSequence(e.seed, spawn_key=(index,))))
        for index in range(first, first + count)
    ]
    rows = {name: np.full((e.depth + 1, count), np.nan) for name in e.quantities}
    with np.errstate(all="ignore"):
        layers = _forward(e, streams, rows)
        if e.backward:
            _backward(e, streams, layers, rows["log_gradient"])
            rows["log_gradient"][:, np.isinf(rows["q"][-1])] = np.nan
    return np.moveaxis(np.array(list(rows.values())), -1, 0)


def _normals(streams: list[np.random.Generator], room: Array) -> Array:
    for random, part in zip(streams, room, strict=True):
        random.standard_normal(out=part)
    return room


def _forward(e: Experiment, streams: list[np.random.Generator], rows: dict[str, Array]) -> list[_Layer]:
    phi, count = e.network.activation, len(streams)
    kept: list[_Layer] = []
    z = _normals(streams, np.empty((count, e.inputs, e.width)))
    h = np.moveaxis(correlated(np.moveaxis(z, 1, 0), e.rho), 0, 1) * math.sqrt(e.start)
    rows["q"][0] = e.start
    if e.inputs > 1:
        rows["rho"][0] = e.rho
    for layer in range(e.depth + 1):
        x = phi.values(h)
        rows["sparsity"][layer] = np.count_nonzero(x[:, 0] == 0, axis=-1) / e.width
        if layer == e.depth:
            break
        covariances = e.network.layer(x @ np.swapaxes(x, 1, 2) / e.width)
        variance = covariances[:, 0, 0]
        rows["q"][layer + 1] = np.where(variance <= RUNAWAY, variance, np.inf)
        if e.inputs > 1:
            rows["rho"][layer + 1] = mean_correlation(covariances)
        root = _cholesky(covariances)
        if e.backward:
            z = np.empty_like(z)
            kept.append(_Layer(phi.slopes_at(phi.marks(h[:, 0])), x, z, root))
        h = root @ _normals(streams, z)
    over = np.isinf(rows["q"])
    # What has run away stays so, and has nothing else to measure.
    np.logical_or.accumulate(over, axis=0, out=over)
    for name, values in rows.items():
        values[over] = np.inf if name == "q" else np.nan
    return kept


def _cholesky(matrices: Array) -> Array:
    """The lower triangular R of R Rᵀ, of shape (..., n, n), which may be singular: a pivot of 0 has a column of 0."""
    root = np.zeros_like(matrices)
    for j in range(matrices.shape[-1]):
        left = root[..., :j]
        column = matrices[..., j] - (left @ left[..., j, :, None])[..., 0]
        # What is left of an input that the ones before span is rounding.
        pivot = np.sqrt(np.where(column[..., j] > _LENGTH_ROUNDING * matrices[..., j, j], column[..., j], 0.0))
        scaled = np.where(pivot[..., None] > 0, column / pivot[..., None], 0.0)
        root[..., j:, j] = scaled[..., j:]
    return root


def _solved(root: Array, rows: Array) -> Array:
    """R⁻¹ rows, for rows (..., n, any); 0 for a pivot of 0."""
    found = np.zeros_like(rows)
    for j in range(root.shape[-1]):
        pivot = root[..., j, j, None]
        rest = rows[..., j, :] - (root[..., None, j, :j] @ found[..., :j, :])[..., 0, :]
        found[..., j, :] = np.where(pivot > 0, rest / pivot, 0.0)
    return found


def _backward(e: Experiment, streams: list[np.random.Generator], layers: list[_Layer], logs: Array) -> None:
    """ln |g^l|²/|g^L|² by layer, of gradients of length 1 at each."""
    fresh = np.empty((len(streams), e.width))
    gradient = _normals(streams, fresh).copy()
    gradient /= np.linalg.norm(gradient, axis=1)[:, None]
    logs[-1] = 0.0
    for layer in reversed(range(e.depth)):
        slopes, x, z, root = layers[layer]
        weighted = root @ z
        if e.network.sigma_b:
            weighted -= _biases(e.network.sigma_b, root, z, _normals(streams, fresh))
        factor = _cholesky(x @ np.swapaxes(x, 1, 2))
        directions, images = _solved(factor, x), _solved(factor, weighted)
        carried = e.network.sigma_w / math.sqrt(e.width) * _normals(streams, fresh)
        known = np.einsum("bai,bi->ba", images, gradient) - np.einsum("bai,bi->ba", directions, carried)
        gradient = slopes * (carried + np.einsum("ba,bai->bi", known, directions))
        norm = np.linalg.norm(gradient, axis=1)
        logs[layer] = logs[layer + 1] + 2 * np.log(np.where(norm > 0, norm, np.nan))
        gradient /= np.where(norm > 0, norm, 1.0)[:, None]


def _biases(sigma_b: float, root: Array, z: Array, normals: Array) -> Array:
    """Biases given the pre-activations R z that they are part of, alike for all inputs: shape (chains, 1, N)."""
    share = sigma_b * _solved(root, np.ones((*root.shape[:2], 1)))
    rest = np.sqrt(np.maximum(1 - np.square(share).sum(axis=1), 0.0))
    return np.asarray(sigma_b * (np.swapaxes(share, 1, 2) @ z + (rest * normals)[:, None]))
