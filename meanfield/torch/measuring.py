"""What is measured of one tensor as a model runs: variances, correlations, zeros, by its units.

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

from meanfield.torch.incoming import role
from meanfield.torch.layers import WeightLayer, fan_in
from meanfield.torch.normalising import axis_of_units
from meanfield.torch.tracing import Step

__all__ = ["Measured", "Weighed", "measured", "pairs_of", "weighed"]

Array = NDArray[np.float64]

#: Columns among which correlations are looked at, examples likewise.
_COLUMNS, _EXAMPLES = 256, 12
_TRANSPOSED: Any = {1: conv_transpose1d, 2: conv_transpose2d, 3: conv_transpose3d}


@dataclass(frozen=True, eq=False)
class Measured:
    """Of a tensor.

    Attributes:
        shape, axis: of the tensor, and which of its axes counts units.
        units, positions, examples: its size.
        q: of every column, shape (examples, positions).
        gram: mean products h·h/units of some columns, shape (some, some).
        examples_gram: of the first examples, over units and positions; of shape (few, few).
        by_position: correlations of the pairs of these examples by position, of some, shape (pairs, positions).
        zeros: the share of numbers that are exactly 0.
        dead: the share of units that are 0 in every column.
    """

    shape: tuple[int, ...]
    axis: int
    units: int
    positions: int
    examples: int
    q: Array
    gram: Array
    examples_gram: Array
    by_position: Array
    zeros: float
    dead: float

    @property
    def rho(self) -> float | None:
        """The mean correlation of two examples; None of one example, or without a signal."""
        return pairs_of(self.examples_gram)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.units * self.q.size

    @property
    def columns(self) -> int:
        """Examples times positions."""
        return self.q.size


def pairs_of(gram: Array) -> float | None:
    """The mean correlation of pairs, of a matrix of their products."""
    root = np.sqrt(np.diagonal(gram))
    if len(gram) < 2 or not (root > 0).all():
        return None
    return float((gram / np.outer(root, root))[np.triu_indices(len(gram), 1)].mean())


def measured(step: Step, value: Tensor, before: Measured | None = None) -> Measured | None:
    """Of the value of a step, `before` of what it received; None of no examples or no floating-point numbers."""
    if not value.is_floating_point() or value.ndim < 2 or not value.numel():
        return None
    if isinstance(step.operation, _ConvNd) and value.ndim == len(step.operation.kernel_size) + 1:
        value = value[None]
    h = value.detach()
    h = h.to(torch.float64 if h.dtype == torch.float64 else torch.float32)
    axis = _axis_of_units(step, value, before)
    h = h.movedim(axis, -1).reshape(len(h), -1, h.shape[axis])
    examples, positions, units = h.shape
    flat = h.reshape(-1, units)
    some = _some(flat)
    few = h[:_EXAMPLES]
    upper = torch.triu_indices(len(few), len(few), 1)
    some_positions = few[:, torch.linspace(0, positions - 1, min(positions, _COLUMNS)).round().long()]
    products = torch.einsum("apn,bpn->abp", some_positions, some_positions)[upper[0], upper[1]] / units
    roots = (some_positions.square().sum(dim=-1) / units).sqrt()
    across = few.reshape(len(few), -1)
    zero = flat == 0
    return Measured(
        shape=value.shape,
        axis=axis,
        units=units,
        positions=positions,
        examples=examples,
        q=_array(h.square().mean(dim=-1)),
        gram=_array(some @ some.T / units),
        examples_gram=_array(across @ across.T / across.shape[1]),
        by_position=_array(products / (roots[upper[0]] * roots[upper[1]]).clamp_min(1e-30)),
        zeros=zero.mean(dtype=torch.float64).item(),
        dead=zero.all(dim=0).mean(dtype=torch.float64).item(),
    )


def _some(columns: Tensor) -> Tensor:
    """As many columns as are looked at, evenly among all."""
    return columns[torch.linspace(0, len(columns) - 1, min(len(columns), _COLUMNS)).round().long()]


def _axis_of_units(step: Step, value: Tensor, before: Measured | None) -> int:
    module = step.operation
    if value.ndim == 2 or isinstance(module, nn.Linear):
        return -1
    if role(step) == "normalisation":
        return axis_of_units(step, value.ndim)
    if isinstance(module, _ConvNd):
        return 1
    if before is not None and before.shape == value.shape:
        return before.axis
    return 1 if value.ndim > 3 else -1


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
    plain = received.detach()
    plain = plain.to(torch.float64 if plain.dtype == torch.float64 else torch.float32)
    x = plain.square()
    square = x.mean(dtype=torch.float64).item()
    seen, coverage, gram = square, 1.0, None
    if isinstance(layer, nn.Linear):
        some = _some(plain.reshape(-1, plain.shape[-1]))
        gram = _array(some @ some.T / some.shape[1])
    else:
        batched = x if x.ndim == len(layer.kernel_size) + 2 else x[None]
        grouped = batched.reshape(len(batched), layer.groups, -1, *batched.shape[2:]).sum(dim=2)
        seen = _spread(layer, grouped).mean(dtype=torch.float64).item() / fan_in(layer)
        ones = torch.full_like(grouped[:1], layer.in_channels / layer.groups)
        coverage = _spread(layer, ones).mean(dtype=torch.float64).item() / fan_in(layer)
    return Weighed(
        sigma_w=math.sqrt(fan_in(layer) * _mean_square(layer.weight)),
        sigma_b=0.0 if layer.bias is None else math.sqrt(_mean_square(layer.bias)),
        square=square,
        seen=seen,
        coverage=coverage,
        count=received.numel(),
        gram=gram,
    )


def _mean_square(tensor: Tensor) -> float:
    return tensor.detach().square().mean(dtype=torch.float64).item()


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
