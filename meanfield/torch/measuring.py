"""What is measured of one tensor as a model runs: variances and correlations of pre-activations, zeros of activations.

A tensor is examples × positions × units: units are channels, positions everything else. A *column* is one example at
one position; its variance q is the mean square of its units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import conv_transpose1d, conv_transpose2d, conv_transpose3d
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from meanfield.torch.layers import WeightLayer, fan_in
from meanfield.torch.tracing import Step

__all__ = [
    "Measured",
    "Silent",
    "Weighed",
    "log_square",
    "mean_square",
    "measured",
    "pairs_of",
    "silent",
    "weighed",
]

Array = NDArray[np.float64]

#: Columns among which correlations are looked at, examples likewise.
_COLUMNS, _EXAMPLES = 256, 12
_TRANSPOSED: Any = {1: conv_transpose1d, 2: conv_transpose2d, 3: conv_transpose3d}


@dataclass(frozen=True, eq=False)
class Measured:
    """Of pre-activations.

    Attributes:
        units, positions, examples: its size.
        q: of every column, shape (examples, positions).
        gram: mean products h·h/units of some columns, shape (some, some).
        unbiased_gram: the same of h − b, in a convolution with biases b.
        examples_gram: of the first examples, over units and positions; of shape (few, few).
        by_position: correlations of the pairs of these examples by position, of some, shape (pairs, positions).
    """

    units: int
    positions: int
    examples: int
    q: Array
    gram: Array
    unbiased_gram: Array
    examples_gram: Array
    by_position: Array

    @property
    def rho(self) -> float | None:
        """The mean correlation of two examples; None of one example, or without a signal."""
        mean = float(pairs_of(self.examples_gram)) if len(self.examples_gram) > 1 else math.nan
        return None if math.isnan(mean) else mean

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.units * self.q.size

    @property
    def columns(self) -> int:
        """Examples times positions."""
        return self.q.size


def pairs_of(gram: Array) -> Array:
    """The mean correlation of pairs, of one matrix of their products or of many; NaN without a signal."""
    root = np.sqrt(np.diagonal(gram, axis1=-2, axis2=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlations = gram / (root[..., :, None] * root[..., None, :])
    rows, columns = np.triu_indices(gram.shape[-1], 1)
    mean: Array = correlations[..., rows, columns].mean(axis=-1)
    return mean


def measured(step: Step, value: Tensor, axis: int) -> Measured | None:
    """Of the value of a step, units along an axis; None of no examples or no floating-point numbers."""
    if (h := _by_unit(value, axis)) is None:
        return None
    examples, units, positions = h.shape
    columns, some_positions = _evenly(examples * positions), _evenly(positions)
    some = h[columns // positions, :, columns % positions]
    bias = step.operation.bias if isinstance(step.operation, _ConvNd) else None
    driven = some if bias is None else some - _precise(bias)
    few = h[:_EXAMPLES]
    upper = torch.triu_indices(len(few), len(few), 1)
    at = few[:, :, some_positions]
    products = torch.einsum("anp,bnp->abp", at, at)[upper[0], upper[1]] / units
    roots = (at.square().sum(dim=1) / units).sqrt()
    across = few.reshape(len(few), -1)
    gram = _array(some @ some.T / units)
    return Measured(
        units=units,
        positions=positions,
        examples=examples,
        q=_array(h.square().mean(dim=1)),
        gram=gram,
        unbiased_gram=gram if bias is None else _array(driven @ driven.T / units),
        examples_gram=_array(across @ across.T / across.shape[1]),
        by_position=_array(products / (roots[upper[0]] * roots[upper[1]]).clamp_min(1e-30)),
    )


@dataclass(frozen=True, eq=False)
class Silent:
    """Of activations: the share of `zeros`, numbers that are exactly 0, and of units that are `dead`, 0 everywhere.

    `dead` is None where it is not known which axis counts units.
    """

    zeros: float
    dead: float | None


def silent(value: Tensor, axis: int | None) -> Silent | None:
    """Of a tensor, units along an axis, None where it is not known; None of what `measured` measures nothing of."""
    if (x := _by_unit(value, 1 if axis is None else axis)) is None:
        return None
    # Floats are added up faster than truths.
    zeros, positions = (x == 0).to(x.dtype).sum(dim=2).double(), x.shape[2]
    dead = None if axis is None else (zeros == positions).all(dim=0).double().mean().item()
    return Silent(zeros.mean().item() / positions, dead)


def mean_square(tensor: Tensor) -> float:
    """Of all numbers, squared in single precision at least."""
    # By rows, which are added up as fast as they are read, and without a copy.
    rows = _precise(tensor).reshape(len(tensor), -1)
    return torch.linalg.vector_norm(rows, dim=1).double().square().mean().item() / rows.shape[1]


def log_square(gradient: Tensor) -> float:
    """ln Σ g², of numbers so small that their squares, or that of their length, are 0 too; −∞ of zeros alone."""
    g = _precise(gradient)
    least, most = torch.aminmax(g)
    largest = max(-least.item(), most.item())
    if largest == 0:
        return -math.inf
    if not largest < math.inf:
        return largest
    return math.log(mean_square(g / largest) * g.numel()) + 2 * math.log(largest)


def _by_unit(value: Tensor, axis: int) -> Tensor | None:
    """Examples × units × positions, a view; None where there is nothing to measure."""
    if not value.is_floating_point() or value.ndim < 2 or not value.numel():
        return None
    h = _precise(value if axis else value[None]).movedim(axis or 1, 1)
    return h.reshape(len(h), h.shape[1], -1)


def _precise(value: Tensor) -> Tensor:
    """In single precision at least, without a gradient."""
    return value.detach().to(torch.float64 if value.dtype == torch.float64 else torch.float32)


def _evenly(count: int) -> Tensor:
    """As many columns as are looked at, evenly among all."""
    return torch.linspace(0, count - 1, min(count, _COLUMNS)).round().long()


def _array(tensor: Tensor) -> Array:
    return tensor.double().cpu().numpy()


@dataclass(frozen=True, eq=False)
class Weighed:
    """Of a layer's weights and of what they receive.

    Attributes:
        sigma_w, sigma_b: σ_w = √(fan_in · mean W²), σ_b = √(mean b²).
        square: the mean square of what the layer receives.
        seen: the same where its outputs look, zeros of the padding among it: their mean variance is σ_w² seen + σ_b².
        coverage: the share of its fan_in that an output has before it, borders being without.
        count: how many numbers the layer receives.
        gram: of a linear layer, mean products of what it receives for some columns, shape (some, some); else None.
    """

    sigma_w: float
    sigma_b: float
    square: float
    seen: float
    coverage: float
    count: int
    gram: Array | None = None


def weighed(layer: WeightLayer, received: Tensor) -> Weighed:
    """Of a layer and its input."""
    x = _precise(received)
    if isinstance(layer, nn.Linear):
        square = seen = mean_square(x)
        coverage = 1.0
        columns = x.reshape(-1, x.shape[-1])
        some = columns[_evenly(len(columns))]
        gram = _array(some @ some.T / some.shape[1])
    else:
        batched = x if x.ndim == len(layer.kernel_size) + 2 else x[None]
        grouped = batched.square().reshape(len(batched), layer.groups, -1, *batched.shape[2:]).sum(dim=2)
        square = grouped.double().sum().item() / max(x.numel(), 1)
        seen = _spread(layer, grouped).double().mean().item() / fan_in(layer)
        ones = torch.full_like(grouped[:1], layer.in_channels / layer.groups)
        coverage = _spread(layer, ones).double().mean().item() / fan_in(layer)
        gram = None
    return Weighed(
        sigma_w=math.sqrt(fan_in(layer) * mean_square(layer.weight)),
        sigma_b=0.0 if layer.bias is None else math.sqrt(mean_square(layer.bias)),
        square=square,
        seen=seen,
        coverage=coverage,
        count=received.numel(),
        gram=gram,
    )


def _spread(layer: _ConvNd, x: Tensor) -> Tensor:
    """The layer with a channel for each group, its weights the mean W² of each position over that of all."""
    across = layer.weight.detach().to(x.dtype).square().unflatten(0, (layer.groups, -1)).mean(dim=(1, 2))
    mean = across.flatten(1).mean(dim=1).clamp_min(torch.finfo(x.dtype).tiny)
    ones = (across / mean.reshape(-1, *[1] * len(layer.kernel_size))).unsqueeze(1)
    if isinstance(layer, _ConvTransposeNd):
        function = _TRANSPOSED[len(layer.kernel_size)]
        found: Tensor = function(
            x, ones, None, layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation
        )
        return found
    return layer._conv_forward(x, ones, None)
