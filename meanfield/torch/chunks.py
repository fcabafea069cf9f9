"""An elementwise function of several steps, worked out a part of the tensor at a time: each stays in the cache.

Most of the time that a step over a large tensor takes is that of fetching it from memory. docs/torch.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["Evaluated", "Rule", "Spare"]


class Spare:
    """Tensors to write on, the same ones for every part, so that they stay in the cache."""

    def __init__(self) -> None:
        self._made: list[Tensor] = []

    def tensors(self, x: Tensor, *types: torch.dtype) -> list[Tensor]:
        """One of each type, as long as x. The first part is the longest."""
        self._made = self._made or [torch.empty_like(x, dtype=dtype) for dtype in types]
        return [tensor[: len(x)] for tensor in self._made]


class Rule(Protocol):
    """How a function of straight pieces is worked out, on tensors of one axis."""

    #: So many elements at a time stay in the cache with all that is made of them, forward and backward.
    chunk: int
    chunk_back: int
    #: Whether slopes are found with the values, to be kept; if not, x is.
    keeps_slopes: bool

    def fill(self, x: Tensor, values: Tensor, slopes: Tensor, spare: Spare) -> None:
        """Put φ(x) into `values`, and φ'(x) into `slopes` if that is kept."""

    def scale(self, gradient: Tensor, x: Tensor, scaled: Tensor) -> None:
        """Put the gradient times φ'(x) into `scaled`; asked where x is kept."""


class Evaluated(torch.autograd.Function):
    """φ(x) by a rule, and φ'(x) if the rule keeps it."""

    @staticmethod
    def forward(x: Tensor, rule: Rule) -> tuple[Tensor, Tensor]:
        values, spare = torch.empty_like(x), Spare()
        # Torch 2.2 has no forward mode for what returns None.
        slopes = torch.empty_like(x) if rule.keeps_slopes else x.new_empty(0)
        for part, put, beside in _chunks(rule.chunk, values, x, values, slopes if rule.keeps_slopes else values):
            rule.fill(part, put, beside, spare)
        return values, slopes

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Rule], output: tuple[Tensor, Tensor]) -> None:
        (x, ctx.rule), (_, slopes) = inputs, output
        ctx.mark_non_differentiable(slopes)
        ctx.set_materialize_grads(False)
        kept = slopes if ctx.rule.keeps_slopes else x
        ctx.save_for_backward(kept)
        ctx.save_for_forward(kept)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None, _: None) -> tuple[Tensor | None, None]:
        (kept,) = ctx.saved_tensors
        return None if gradient is None else _scaled(gradient, kept, ctx.rule), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return _scaled(tangent, kept, ctx.rule), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None], x: Tensor, rule: Rule) -> tuple[Any, Any]:
        return Evaluated.apply(x, rule), (in_dims[0], in_dims[0] if rule.keeps_slopes else None)


def _scaled(gradient: Tensor, kept: Tensor, rule: Rule) -> Tensor:
    return gradient * kept if rule.keeps_slopes else _Scaled.apply(gradient, kept, rule)


class _Scaled(torch.autograd.Function):
    """A gradient times φ'(x): linear in it, and straight pieces have no φ''."""

    @staticmethod
    def forward(gradient: Tensor, x: Tensor, rule: Rule) -> Tensor:
        scaled = torch.empty_like(x)
        for parts in _chunks(rule.chunk_back, scaled, gradient, x, scaled):
            rule.scale(*parts)
        return scaled

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Rule], output: Tensor) -> None:
        _, x, ctx.rule = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        return _Scaled.apply(gradient, x, ctx.rule), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor | None, _: Any, __: None) -> Tensor:
        (x,) = ctx.saved_tensors
        return torch.zeros_like(x) if tangent is None else _Scaled.apply(tangent, x, ctx.rule)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
        *tensors, rule = inputs
        first = [
            tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, in_dims[:-1], strict=True)
        ]
        return _Scaled.apply(*first, rule), 0


# Torch asks for the signature at every call; to work it out anew takes longer than φ of a small layer.
for _function in (Evaluated.forward, _Scaled.forward):
    vars(_function)["__signature__"] = inspect.signature(_function)


def _chunks(size: int, dense: Tensor, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Parts of tensors that have one shape, each with one axis, in the order in which `dense` is stored."""
    if not dense.is_contiguous():
        order = sorted(range(dense.dim()), key=dense.stride, reverse=True)
        tensors = tuple(tensor.permute(order) for tensor in tensors)
    flat = [tensor.reshape(-1) for tensor in tensors]
    if dense.device.type != "cpu" or dense.numel() <= size:
        return iter([tuple(flat)])
    return zip(*(tensor.split(size) for tensor in flat), strict=True)
