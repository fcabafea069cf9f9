"""An elementwise function of several steps, worked out a part of the tensor at a time: each stays in the cache.

Most of the time that a step over a large tensor takes is that of fetching it from memory. docs/torch.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["Evaluated", "Rule"]



class Rule(Protocol):
    """How φ is worked out, on tensors of one axis."""

    #: The type of what has to be kept of x to know φ'(x); None where that is x itself.
    marks: torch.dtype | None
    #: So many elements at a time stay in the cache with all that is made of them.
    chunk: int

    def fill(self, x: Tensor, values: Tensor, marks: Tensor) -> None:
        """Put φ(x) into `values`, and what has to be kept into `marks`."""

    def scale(self, gradient: Tensor, kept: Tensor, scaled: Tensor) -> None:
        """Put the gradient times φ' into `scaled`."""


class Evaluated(torch.autograd.Function):
    """φ(x) by a rule, and what is kept of x."""

    @staticmethod
    def forward(x: Tensor, rule: Rule) -> tuple[Tensor, Tensor | None]:
        values = torch.empty_like(x)
        marks = None if rule.marks is None else torch.empty_like(x, dtype=rule.marks)
        for parts in _chunks(rule.chunk, values, x, values, values if marks is None else marks):
            rule.fill(*parts)
        return values, marks

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Rule], output: tuple[Tensor, Tensor | None]) -> None:
        (x, ctx.rule), (_, marks) = inputs, output
        if marks is not None:
            ctx.mark_non_differentiable(marks)
        ctx.set_materialize_grads(False)
        kept = x if marks is None else marks
        ctx.save_for_backward(kept)
        ctx.save_for_forward(kept)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: None) -> tuple[Tensor, None]:
        return _Scaled.apply(gradient, *ctx.saved_tensors, ctx.rule), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> tuple[Tensor, None]:
        return _Scaled.apply(tangent, *ctx.saved_tensors, ctx.rule), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None], x: Tensor, rule: Rule) -> tuple[Any, Any]:
        return Evaluated.apply(x, rule), in_dims[0]


class _Scaled(torch.autograd.Function):
    """A gradient times φ': linear in it, and straight pieces have no φ''."""

    @staticmethod
    def forward(gradient: Tensor, kept: Tensor, rule: Rule) -> Tensor:
        scaled = torch.empty_like(kept, dtype=gradient.dtype)
        for parts in _chunks(rule.chunk, scaled, gradient, kept, scaled):
            rule.scale(*parts)
        return scaled

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Rule], output: Tensor) -> None:
        _, kept, ctx.rule = inputs
        ctx.save_for_backward(kept)
        ctx.save_for_forward(kept)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _Scaled.apply(gradient, *ctx.saved_tensors, ctx.rule), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: Any, __: None) -> Tensor:
        return _Scaled.apply(tangent, *ctx.saved_tensors, ctx.rule)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
        *tensors, rule = inputs
        first = [
            tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, in_dims[:-1], strict=True)
        ]
        return _Scaled.apply(*first, rule), 0


def _chunks(size: int, dense: Tensor, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Parts of tensors that have one shape, each with one axis, in the order in which `dense` is stored."""
    order = sorted(range(dense.dim()), key=dense.stride, reverse=True)
    flat = [tensor.permute(order).reshape(-1) for tensor in tensors]
    if dense.device.type != "cpu" or dense.numel() <= size:
        return iter([tuple(flat)])
    return zip(*(tensor.split(size) for tensor in flat), strict=True)
