"""What an audit measures of a model as it runs once forward and once back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from meanfield.activations.guarded import in_words
from meanfield.errors import DomainError
from meanfield.torch.incoming import role
from meanfield.torch.layout import Layout, layout
from meanfield.torch.measuring import Measured, Silent, Weighed, log_square, mean_square, measured, silent, weighed
from meanfield.torch.tracing import Step

__all__ = ["Observed"]


class Observed:
    """What is measured as a model runs, by step: an observer for `tracing.recorded`.

    Attributes:
        values: of layers and normalisations, which variances are compared with.
        silent: of what may be an activation.
        weights: of layers.
        gradients: ln of the squares of gradients by what layers make.
        alone: how many axes one example has that a layer receives without an axis of examples.
    """

    def __init__(self) -> None:
        self.values: dict[Step, Measured] = {}
        self.silent: dict[Step, Silent] = {}
        self.weights: dict[Step, Weighed] = {}
        self.gradients: dict[Step, float] = {}
        self.alone: set[int] = set()
        #: The first input or layer with numbers whose squares are none; elsewhere masks may be ∞, new tensors anything.
        self._infinite: Step | None = None
        self._layouts: dict[Step, Layout] = {}
        #: Where gradients by what layers make come back, though it may be overwritten later.
        self._edges: dict[Step, GradientEdge] = {}

    def __call__(self, step: Step, args: tuple[Any, ...], value: Any) -> None:
        found = role(step)
        if not isinstance(value, Tensor):
            return
        laid = layout(step, value, [self._layouts[before] for before in step.before if before in self._layouts])
        if laid is not None:
            self._layouts[step] = laid
        if found == "input":
            if value.is_floating_point() and value.ndim and value.numel() and not math.isfinite(mean_square(value)):
                self._infinite = self._infinite or step
        elif found in ("layer", "normalisation"):
            if laid is not None and (seen := measured(step, value, laid.axis)) is not None:
                self.values[step] = seen
                if found == "layer" and args and isinstance(args[0], Tensor):
                    self._see_layer(step, args[0], value, laid)
        elif found == "unknown" and (counted := silent(value, laid.axis if laid else None)) is not None:
            self.silent[step] = counted

    def _see_layer(self, step: Step, received: Tensor, value: Tensor, laid: Layout) -> None:
        if not np.isfinite(self.values[step].q).all():
            self._infinite = self._infinite or step
        if not laid.axis:
            self.alone.add(received.ndim)
        self.weights[step] = weighed(step.operation, received)
        if value.requires_grad:
            # Of a view that is overwritten, gradients come back to what it is a view of.
            whole = value._base
            self._edges[step] = get_gradient_edge(whole if whole is not None and whole.grad_fn is not None else value)

    def require_finite(self) -> None:
        """Refuse signals that are no numbers or whose squares are none, with a `DomainError` that says where first."""
        if self._infinite is not None:
            raise DomainError(
                f"{self._infinite.name} makes numbers that are not finite, or whose squares are not: there is nothing "
                "to measure from there on; give finite inputs, smaller ones, or smaller weights"
            )

    def carry_back(self, returned: Any, loss: Callable[[Any], Tensor] | None, seed: int) -> None:
        """Measure the gradients of a loss by what layers have made; without one, of a random functional.

        Raises:
            DomainError: there is no such number, or no way back from it.
        """
        try:
            total = _functional(returned, seed) if loss is None else loss(returned)
        except Exception as fault:
            raise DomainError(f"loss does not take what the model returns: {in_words(fault)}") from None
        if not isinstance(total, Tensor) or total.numel() != 1:
            raise DomainError("loss returns no single number: give a function from what the model returns to one")
        if total.requires_grad and self._edges:
            if not math.isfinite(total.item()):
                raise DomainError(f"loss is {total.item():g}: there is no gradient to measure; give finite numbers")
            try:
                # Without gradients by weights, which take as long again, and as much memory as the model.
                gradients = torch.autograd.grad(total, list(self._edges.values()), allow_unused=True)
            except RuntimeError as fault:
                raise DomainError(f"no gradient can be carried back through the model: {in_words(fault)}") from None
            found = zip(self._edges, gradients, strict=True)
            self.gradients = {step: log_square(gradient) for step, gradient in found if gradient is not None}


def _functional(returned: Any, seed: int) -> Tensor:
    total = torch.zeros(())
    generator = torch.Generator().manual_seed(seed)
    for output in _tensors(returned):
        if output.requires_grad:
            normals = torch.randn(output.shape, generator=generator).to(output)
            total = total + (normals * output).sum().float().cpu()
    return total


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for held in value:
            yield from _tensors(held)
