"""Layers with weights: what stands in front of one of their outputs, and how their weights are drawn and written.

The theory's weights have variance σ_w²/fan_in, fan_in the number of weights that one output sums over: channels of its
group times positions of the kernel. A transposed convolution spreads each input over its kernel, and of its output
positions only one in Π stride begins a kernel: on average fan_in is channels × positions/Π stride.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils.parametrize import is_parametrized

from meanfield.errors import DomainError
from meanfield.infinite_width.initialisers import CUT, truncated_variance

__all__ = [
    "WEIGHTS",
    "WeightLayer",
    "Weights",
    "drawn",
    "fan_in",
    "kind",
    "require_drawable",
    "require_writable",
]

Weights = Literal["gaussian", "orthogonal", "delta-orthogonal", "uniform", "truncated"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)
WeightLayer: TypeAlias = nn.Linear | _ConvNd


def kind(layer: WeightLayer) -> str:
    """What it is, as a table says it: linear, conv 3x3, transposed conv 4x4 /2, or conv 3x3, 32 groups.

    Groups of a channel each are depthwise.
    """
    if isinstance(layer, nn.Linear):
        return "linear"
    shape = "x".join(map(str, layer.kernel_size))
    stride = "" if set(layer.stride) == {1} else " /" + "x".join(map(str, dict.fromkeys(layer.stride)))
    if 1 < layer.groups == layer.in_channels:
        return f"{'transposed ' if isinstance(layer, _ConvTransposeNd) else ''}depthwise {shape}{stride}"
    groups = f", {layer.groups} groups" if layer.groups > 1 else ""
    return f"{'transposed ' if isinstance(layer, _ConvTransposeNd) else ''}conv {shape}{stride}{groups}"


def fan_in(layer: WeightLayer, weights: Weights = "gaussian") -> float:
    """Weights that an output sums over; of a transposed convolution the mean over its positions."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    channels = layer.in_channels // layer.groups
    if weights == "delta-orthogonal":
        return channels
    count = channels * math.prod(layer.kernel_size)
    strides = math.prod(layer.stride) if isinstance(layer, _ConvTransposeNd) else 1
    return count / strides if count % strides else count // strides


def require_writable(name: str, layer: WeightLayer) -> None:
    """Refuse a layer whose weights cannot be written or would not stay as written, with a `DomainError`."""
    for which in ("weight", "bias"):
        held = getattr(layer, which, None)
        if isinstance(held, UninitializedParameter):
            raise DomainError(f"{name} is lazy and has no weights yet: pass a batch through the model first")
        if is_parametrized(layer, which) or not (held is None or isinstance(held, nn.Parameter)):
            raise DomainError(
                f"the {which} of {name} is computed from other parameters (weight or spectral norm, pruning), and what "
                "is written there is lost: initialise first, parametrise afterwards, or remove the parametrisation"
            )
        if held is None:
            continue
        if held.is_meta:
            raise DomainError(
                f"the {which} of {name} is on the meta device, without numbers: model.to_empty(device='cpu') first"
            )
        is_plain = held.layout == torch.strided and not held.is_inference()
        if not is_plain or any(n > 1 and not step for n, step in zip(held.shape, held.stride(), strict=True)):
            raise DomainError(
                f"the {which} of {name} is sparse, expanded or made in inference mode, and cannot be written: give the "
                "layer a parameter of its own"
            )
        if not held.is_floating_point():
            raise DomainError(f"the {which} of {name} holds {held.dtype}: give a model of real floating-point numbers")


def require_drawable(name: str, layer: WeightLayer, weights: Weights) -> None:
    """Refuse a kernel that has no centre for delta-orthogonal weights, with a `DomainError`."""
    if weights != "delta-orthogonal" or isinstance(layer, nn.Linear):
        return
    even = any(size % 2 == 0 for size in layer.kernel_size)
    if even or (isinstance(layer, _ConvTransposeNd) and set(layer.stride) != {1}):
        what = "a kernel of even size has no centre" if even else "a stride leaves most positions without the centre"
        raise DomainError(f"{name}, {kind(layer)}: {what}, where delta-orthogonal weights are: use orthogonal ones")


def drawn(layer: WeightLayer, sigma_w: float, weights: Weights, generator: torch.Generator | None) -> Tensor:
    """New weights of the layer's shape, with fan_in·Var W = σ_w²; drawn in at least single precision.

    Orthogonal ones are uniform among matrices, outputs by all the inputs of a group, whose rows, or columns if those
    are fewer, are orthonormal times a number; delta-orthogonal ones are such a matrix at the centre of the kernel and 0
    around it (Xiao et al. 2018).
    """
    shape = layer.weight.shape
    scale = sigma_w / math.sqrt(fan_in(layer, weights))
    precision = torch.float64 if layer.weight.dtype == torch.float64 else torch.float32
    place = generator.device if generator is not None else layer.weight.device
    unit = torch.empty(shape, dtype=precision, device=place)
    if weights == "gaussian":
        unit.normal_(generator=generator)
    elif weights == "uniform":
        unit.uniform_(-math.sqrt(3), math.sqrt(3), generator=generator)
    elif weights == "truncated":
        sd = 1 / math.sqrt(truncated_variance())
        nn.init.trunc_normal_(unit, 0.0, sd, -CUT * sd, CUT * sd, generator=generator)
    else:
        _orthogonal_groups(layer, unit, weights, generator)
    return scale * unit


def _orthogonal_groups(layer: WeightLayer, unit: Tensor, weights: Weights, generator: torch.Generator | None) -> None:
    """Fill `unit` group by group, entries of variance 1 where they are not 0."""
    if isinstance(layer, nn.Linear):
        unit.copy_(_orthogonal(layer.out_features, layer.in_features, unit, generator))
        return
    transposed = isinstance(layer, _ConvTransposeNd)
    ins, outs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    for group in unit.chunk(layer.groups):
        # A view with outputs first.
        matrix = group.transpose(0, 1) if transposed else group
        if weights == "orthogonal":
            flat = _orthogonal(outs, matrix[0].numel(), unit, generator)
            matrix.copy_(flat.reshape(matrix.shape))
        else:
            matrix.zero_()
            centre: tuple[Any, ...] = (slice(None), slice(None), *(size // 2 for size in layer.kernel_size))
            matrix[centre] = _orthogonal(outs, ins, unit, generator)


def _orthogonal(rows: int, columns: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    long, short = max(rows, columns), min(rows, columns)
    normals = torch.empty(long, short, dtype=like.dtype, device=like.device).normal_(generator=generator)
    q, r = torch.linalg.qr(normals)
    # Uniform only if the signs that QR is free to choose are those of a Gaussian matrix.
    signed: Tensor = q * r.diagonal().sign() * math.sqrt(long)
    return signed if rows >= columns else signed.T
