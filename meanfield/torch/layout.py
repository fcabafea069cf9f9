"""Which axis of a tensor counts units: layers and normalisations tell, and most other steps keep it.

Where a step moves axes, it is applied to numbers that count units, and where these are afterwards is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from meanfield.torch.elementwise import call_name
from meanfield.torch.incoming import role
from meanfield.torch.normalising import axis_of_units
from meanfield.torch.tracing import Step

__all__ = ["Layout", "layout"]


@dataclass(frozen=True)
class Layout:
    """The shape of a tensor, and the axis of its units: 0 where it is one example, without an axis of examples."""

    shape: tuple[int, ...]
    axis: int


def layout(step: Step, value: Tensor, before: Sequence[Layout]) -> Layout | None:
    """Of the value of a step, `before` of those it received, as far as they are known; None where it is not known."""
    axis = _axis(step, value, before)
    return None if axis is None else Layout(tuple(value.shape), axis)


def _axis(step: Step, value: Tensor, before: Sequence[Layout]) -> int | None:
    if value.ndim < 2:
        return None
    found = role(step)
    if (told := _told(step, value)) is not None:
        return told
    if found == "normalisation" and (axis := axis_of_units(step, value.shape)) is not None:
        return axis
    if found == "shape" and before:
        moved = _moved(step, value, before[0])
        if moved is not None:
            # Units where examples were: of a tensor that is turned, or of one example alone.
            return moved if moved or not before[0].axis else None
    for given in before:
        same = given.shape == value.shape
        # Positions may be fewer then.
        pooled = found in ("pooling", "dropout") and value.ndim == len(given.shape)
        if found in ("unknown", "affine", "dropout", "normalisation") and same:
            return given.axis
        if pooled and given.shape[given.axis] == value.shape[given.axis]:
            return given.axis
    return 1 if value.ndim == 2 else None


def _told(step: Step, value: Tensor) -> int | None:
    """By a layer, or by a function that is one."""
    if isinstance(step.operation, _ConvNd):
        return value.ndim - len(step.operation.kernel_size) - 1
    name = call_name(step.name) if step.kind == "function" else ""
    if name.startswith("conv") and name[-2:] in ("1d", "2d", "3d"):
        return value.ndim - int(name[-2]) - 1
    is_last = isinstance(step.operation, nn.Linear) or name in ("linear", "bilinear") or role(step) == "embedding"
    return value.ndim - 1 if is_last else None


def _moved(step: Step, value: Tensor, before: Layout) -> int | None:
    """Where a step that rearranges numbers puts the axis of units; None where it is in pieces, or not to be told."""
    if len(step.before) != 1 or step.args[:1] != (step.before[0],):
        return None
    count = torch.arange(before.shape[before.axis], dtype=torch.int32, device=value.device)
    numbers = count.reshape(-1, *[1] * (len(before.shape) - before.axis - 1)).expand(before.shape)
    function = step.operation.forward if step.kind == "module" else step.operation
    try:
        turned = function(numbers, *step.args[1:], **step.kwargs)
    except Exception:
        return None
    if not isinstance(turned, Tensor) or turned.shape != value.shape:
        return None
    # One unit is anywhere.
    for axis in sorted(range(turned.ndim), key=lambda axis: (axis != before.axis, axis == 0)):
        counted = count.to(turned.dtype).reshape(-1, *[1] * (turned.ndim - axis - 1))
        if turned.shape[axis] == len(count) and torch.equal(turned, counted.expand(turned.shape)):
            return axis
    return None
