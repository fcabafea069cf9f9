"""The functions that torch has of its own, and which activations they are."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from meanfield.activations.activation import Activation
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.smooth import Smooth
from meanfield.activations.spec import activation
from meanfield.activations.trees import Call, Number, Product, Tree, X

__all__ = ["LINEAR_FROM", "native", "native_part"]

Elementwise = Callable[[Tensor], Tensor]

#: log(1 + exp(u)) is u to rounding from here on.
LINEAR_FROM = 50.0


def _squared_relu(x: Tensor) -> Tensor:
    return torch.square(torch.relu(x))


def _hard_swish(x: Tensor) -> Tensor:
    # On a GPU torch's has 1/6 in single precision, whatever that of x.
    is_torch_s = x.device.type == "cpu" or x.dtype != torch.float64
    return functional.hardswish(x) if is_torch_s else x * torch.clamp(x + 3, 0, 6) / 6


#: Torch's functions of the smooth lines of the catalogue that have no parameters.
_NAMED: dict[str, Elementwise] = {
    "gelu": functional.gelu,
    "gelu-tanh": partial(functional.gelu, approximate="tanh"),
    "silu": functional.silu,
    "mish": functional.mish,
    "selu": functional.selu,
    "softsign": functional.softsign,
    "hard-swish": _hard_swish,
    "relu2": _squared_relu,
}


def native(phi: Activation) -> Elementwise | None:
    """Torch's function that φ is; None where it has none."""
    if isinstance(phi, PiecewiseLinear):
        return _straight(phi)
    assert isinstance(phi, Smooth)
    return _named().get(phi) or _exponential(phi)


def native_part(tree: Tree) -> Elementwise | None:
    """Torch's function of x that a part of an expression is; None where it has none."""
    return _parts().get(tree)


def _straight(phi: PiecewiseLinear) -> Elementwise | None:
    match phi.knots, phi.slopes, phi.intercepts:
        case (), (1.0,), (0.0,):
            return nn.Identity()
        case (0.0,), (0.0, 1.0), (0.0, 0.0):
            return torch.relu
        case (0.0,), (-1.0, 1.0), (0.0, 0.0):
            return torch.abs
        case (0.0,), (slope, 1.0), (0.0, 0.0):
            return partial(functional.leaky_relu, negative_slope=slope)
        case (threshold,), (0.0, 1.0), (value, 0.0):
            return partial(functional.threshold, threshold=threshold, value=value)
        case (low, high), (0.0, 1.0, 0.0), (below, 0.0, above) if (low, high) == (below, above):
            return partial(functional.hardtanh, min_val=low, max_val=high)
        case (left, tau), (1.0, 0.0, 1.0), (below, 0.0, above) if left == -tau:
            if (below, above) == (tau, -tau):
                return partial(functional.softshrink, lambd=tau)
            if (below, above) == (0.0, 0.0):
                return partial(functional.hardshrink, lambd=tau)
    return None


def _exponential(phi: Smooth) -> Elementwise | None:
    """ELU and its like for any α: α expm1(x/β) for x < 0, else x."""
    if phi.breaks != (0.0,) or phi.pieces[1] != X:
        return None
    alpha, core = _split(phi.pieces[0])
    if not isinstance(core, Call) or core.name != "expm1":
        return None
    inner, x = _split(core.argument)
    if x == X and inner == 1:
        return partial(functional.elu, alpha=float(alpha))
    # Torch's CELU has 1/α in single precision, whatever that of x.
    if x == X and inner * alpha == 1 and alpha > 0 and float(inner) == float(np.float32(float(inner))):
        return partial(functional.celu, alpha=float(alpha))
    return None


def _split(tree: Tree) -> tuple[Fraction, Tree]:
    """The number before a tree of two factors, and the other; 1 and the tree where it is none."""
    match tree:
        case Product(parts=(Number(value=value), core)):
            return value, core
    return Fraction(1), tree


@cache
def _named() -> dict[Activation, Elementwise]:
    return {activation(name): function for name, function in _NAMED.items()}


@cache
def _parts() -> dict[Tree, Elementwise]:
    return {phi.pieces[0]: function for phi, function in _named().items() if isinstance(phi, Smooth) and not phi.breaks}
