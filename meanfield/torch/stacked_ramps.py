"""Piecewise-linear functions side by side: one for each matrix of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from meanfield.torch.straight import Ramps

__all__ = ["StackedRamps"]


class StackedRamps(nn.Module):
    """φ_k of matrix k, each a height and as many ramps as the others, one or more.

    Slopes at knots are those of `meanfield.torch.Activation`.
    """

    ends: Tensor
    between: Tensor
    heights: Tensor

    def __init__(self, functions: Sequence[Ramps]) -> None:
        super().__init__()
        self.register_buffer("ends", _by_ramp([ramps.ramps for ramps in functions]))
        self.register_buffer("between", _by_ramp([ramps.between[torch.float32] for ramps in functions]))
        self.register_buffer("heights", torch.tensor([ramps.height for ramps in functions])[:, None, None])
        self._any_height = bool(self.heights.any())

    def forward(self, x: Tensor) -> Tensor:
        """φ_k(x_k), for x of shape (matrices, rows, columns) in single precision."""
        total, *others = (_Ramp.apply(x, *ramp) for ramp in zip(self.ends, self.between, strict=True))
        for ramp in others:
            total = total + ramp
        return total + self.heights if self._any_height else total


def _by_ramp(numbers: Sequence[Sequence[Sequence[float]]]) -> Tensor:
    """Of shape (ramps, numbers of each, functions, 1, 1)."""
    return torch.tensor(numbers).permute(1, 2, 0)[..., None, None]


class _Ramp(torch.autograd.Function):
    """Slope times how far x is between two knots from the one where the ramp starts."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ends: Tensor, between: Tensor) -> Tensor:
        ctx.save_for_backward(x, between)
        low, high, start, slope = ends
        return torch.clamp(x, low, high).sub_(start).mul_(slope)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        x, (low, high, slope) = ctx.saved_tensors
        return gradient * ((x > low) & (x < high)) * slope, None, None
