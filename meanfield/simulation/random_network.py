"""One random network, drawn layer by layer: each layer's weights are gone before the next are drawn.

Every layer has a stream of random numbers of its own, and so the way back draws the same weights again instead of
keeping them. docs/theory.md, section 13, says what is measured.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.experiment import Experiment
from meanfield.finite_width.positions import coverage, fold, neighbours, patches
from meanfield.finite_width.variance_chain import RUNAWAY
from meanfield.simulation.weights import weight_matrix

__all__ = ["RandomNetworks", "correlated", "mean_correlation"]

Array = NDArray[np.float64]

#: Of a layer, however small, in the time that as many random numbers take.
_OVERHEAD = 2e4
#: Likewise, of the correlations of one input with the others.
_ROW = 1e3


class RandomNetworks:
    """Networks of an experiment by their index; holds room for one weight matrix, in which all are drawn."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._seen = neighbours(experiment.kernel, experiment.size, experiment.padding)
        self._coverage = coverage(self._seen)
        self._room = np.empty((experiment.width, experiment.fan_in))

    @staticmethod
    def bytes(experiment: Experiment) -> int:
        """About as many as are in use at once, results apart."""
        e = experiment
        matrices = e.width * e.fan_in * (2 if e.weights == "orthogonal" else 1)
        signals = e.positions * e.inputs * (3 * e.fan_in + 4 * e.width)
        kept = e.depth * e.width * e.positions / 8 if e.backward else 0
        return int(8 * (matrices + signals + kept + 4 * e.inputs**2))

    @staticmethod
    def effort(experiment: Experiment) -> float:
        """What one network costs, in random numbers drawn."""
        e = experiment
        seen = e.positions * e.inputs
        layer = _OVERHEAD + e.width * e.fan_in * (1 + 0.02 * seen) + 2 * e.fan_in * seen
        layer += e.inputs * (_ROW + e.inputs * (0.4 + 0.01 * e.width * e.positions))
        return e.depth * layer * (2 if e.backward else 1)

    def measured(self, index: int) -> Array:
        """The quantities measured of network `index` in layers 0…depth, shape (quantities, depth + 1).

        NaN where there is nothing to measure: ρ of a signal that is 0, anything but q = ∞ from where the variance
        overflows, and the gradient of a network that overflows or lets none through.
        """
        e = self._experiment
        rows = {name: np.full(e.depth + 1, np.nan) for name in e.quantities}
        source = self._stream(index, 0)
        with np.errstate(all="ignore"):
            pieces = self._forward(index, source, rows)
            if e.backward and len(pieces) == e.depth + 1:
                self._backward(index, source, pieces, rows["log_gradient"])
        return np.array(list(rows.values()))

    def _stream(self, index: int, layer: int) -> np.random.Generator:
        return np.random.Generator(
            np.random.SFC64(np.random.SeedSequence(self._experiment.seed, spawn_key=(index, layer)))
        )

    def _forward(self, index: int, source: np.random.Generator, rows: dict[str, Array]) -> list[NDArray[np.integer]]:
        """Fills the rows; returns on which piece of φ every unit stands at each layer, for the first input."""
        e = self._experiment
        phi, pieces = e.network.activation, []
        h = correlated(source.standard_normal((e.inputs, e.width, e.positions)), e.rho) * math.sqrt(e.start)
        h = np.moveaxis(h, 0, -1)
        rows["q"][0] = e.start
        if e.inputs > 1:
            rows["rho"][0] = e.rho
        for layer in range(e.depth + 1):
            x = phi.values(h)
            rows["sparsity"][layer] = np.count_nonzero(x[..., 0] == 0) / x[..., 0].size
            if e.backward:
                pieces.append(phi.marks(h[..., 0]))
            if layer == e.depth:
                break
            gram = self._covariances(x)
            if not gram[0, 0] <= RUNAWAY:
                rows["q"][layer + 1 :] = np.inf
                return []
            rows["q"][layer + 1] = gram[0, 0]
            if e.inputs > 1:
                rows["rho"][layer + 1] = mean_correlation(gram)
            random = self._stream(index, layer + 1)
            weights = weight_matrix(e.weights, random, self._room)
            h = e.network.sigma_w * weights.times(patches(x, self._seen))
            if e.network.sigma_b:
                h += e.network.sigma_b * random.standard_normal(e.width)[:, None]
            h = h.reshape(e.width, e.positions, e.inputs)
        return pieces

    def _covariances(self, x: Array) -> Array:
        """What the next layer makes of the mean products that its units see, shape (inputs, inputs)."""
        e = self._experiment
        seen = x if e.padding == "circular" else x * self._coverage[:, None]
        return e.network.layer(np.tensordot(seen, x, ((0, 1), (0, 1))) / (e.width * e.positions))

    def _backward(
        self, index: int, source: np.random.Generator, pieces: list[NDArray[np.integer]], logs: Array
    ) -> None:
        """ln |g^l|²/|g^L|², g^l the gradient by the pre-activations of layer l, from a Gaussian g^L."""
        e = self._experiment
        gradient = source.standard_normal((e.width, e.positions))
        norm, logs[-1] = math.sqrt(np.vdot(gradient, gradient)), 0.0
        for layer in reversed(range(e.depth)):
            weights = weight_matrix(e.weights, self._stream(index, layer + 1), self._room)
            # Of length 1, so that only the logarithm grows.
            carried = fold(weights.transposed_times(gradient / norm), self._seen)
            gradient = e.network.sigma_w * e.network.activation.slopes_at(pieces[layer]) * carried
            norm = math.sqrt(np.vdot(gradient, gradient))
            if norm == 0:
                return
            logs[layer] = logs[layer + 1] + 2 * math.log(norm)


def correlated(normals: Array, rho: float) -> Array:
    """Inputs of correlation ρ from independent ones, along the first axis."""
    count = len(normals)
    mean = sum(normals[1:], start=normals[0]) / count
    together: Array = math.sqrt(max(1 + (count - 1) * rho, 0.0)) * mean + math.sqrt(1 - rho) * (normals - mean)
    return together


def mean_correlation(covariances: Array) -> Array:
    """The mean correlation over all pairs of inputs, of matrices (..., inputs, inputs)."""
    roots = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
    inputs = covariances.shape[-1]
    total = np.zeros(covariances.shape[:-2])
    for a in range(inputs - 1):
        scales = roots[..., a, None] * roots[..., a + 1 :]
        # Along the last axis alone: other sums by numpy depend on how many matrices there are.
        total += np.clip(covariances[..., a, a + 1 :] / scales, -1, 1).sum(axis=-1)
    return np.asarray(total / (inputs * (inputs - 1) // 2))
