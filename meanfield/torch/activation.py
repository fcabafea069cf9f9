"""An activation as a layer of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from meanfield.activations.activation import Activation as Function
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.smooth import Smooth
from meanfield.activations.spec import activation
from meanfield.errors import DomainError, shortened
from meanfield.torch.analytic import Analytic
from meanfield.torch.native import native
from meanfield.torch.straight import Straight

__all__ = ["Activation"]


class Activation(nn.Module):
    """φ(x), elementwise, without parameters: the function whose theory is known, as a layer.

    Args:
        phi, parameters: as `meanfield.activation` takes them: a name with parameters, an expression, an activation.

    Where φ is 0 the output is exactly 0. Where torch has the function it is torch's, at torch's cost, and so are its
    slopes at knots and its values at jumps. Elsewhere the slope at a knot is that of the flatter piece beside it, as
    ReLU, hardtanh and softshrink have it, and at a jump, or a break of a smooth function, all is as on the right.
    `phi` is the activation itself, for the theory.

    In half precision what torch has no function for is worked out in single precision.

    Raises:
        ActivationError: what is given is no activation.

    Example:
        >>> import meanfield as mf, torch
        >>> mf.torch.Activation("soft-threshold", tau=0.5)(torch.tensor([-2.0, 0.2, 2.0]))
        tensor([-1.5000,  0.0000,  1.5000])
    """

    def __init__(self, phi: str | Function | Callable[[Any], Any], /, **parameters: float) -> None:
        super().__init__()
        self.phi = activation(phi, **parameters)
        found = native(self.phi)
        self.is_native = found is not None
        self.function = found or _made(self.phi)

    def forward(self, x: Tensor) -> Tensor:
        """φ(x), of the shape and type of x.

        Raises:
            DomainError: x is no tensor of real floating-point numbers.
        """
        if not isinstance(x, Tensor):
            raise DomainError(f"x = {shortened(x)} is no tensor: give one of floats, such as torch.tensor([0.5])")
        if not x.is_floating_point():
            raise DomainError(f"x is a tensor of {x.dtype}: give one of floats, such as x.float()")
        if not self.is_native and x.dtype not in (torch.float32, torch.float64):
            return self.function(x.float()).to(x.dtype)
        return self.function(x)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def extra_repr(self) -> str:
        """What φ is called, or what it is made of."""
        return repr(self.phi)


def _made(phi: Function) -> nn.Module:
    if isinstance(phi, PiecewiseLinear):
        return Straight(phi)
    assert isinstance(phi, Smooth)
    return Analytic(phi)
