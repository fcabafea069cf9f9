"""What a normalisation makes of numbers: its mean square, and whether that is the same for every unit.

Those of PyTorch have γ and β. Code that somebody wrote keeps its factors under any name and may add 1 to them: it is
applied to signs, whose mean is 0 and mean square 1 whichever way it looks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from meanfield.torch.elementwise import call_name, in_double
from meanfield.torch.tracing import Step

__all__ = ["axis_of_units", "is_standard", "normalised_square"]

#: At which position functions that normalise take γ; β follows.
_GAIN = {"layer_norm": 2, "group_norm": 2, "rms_norm": 2, "batch_norm": 3, "instance_norm": 3}
#: Positions after the units that a norm of channels takes; so many units where no parameter tells.
_POSITIONS: tuple[tuple[int, ...], ...] = ((2, 2), (2,), (2, 2, 2))
_UNITS = 8


def normalised_square(step: Step) -> float:
    """Mean of γ² + β², 1 without them."""
    if _is_own(step):
        made = _made_of_signs(step.operation)
        return 1.0 if made is None else made.square().mean().item()
    gain, shift = _gain_and_shift(step)
    square = 1.0 if gain is None else gain.detach().double().square().mean().item()
    return square + (0.0 if shift is None else shift.detach().double().square().mean().item())


def is_standard(step: Step) -> bool:
    """Whether what it makes has the mean 0 and one variance, whatever the unit."""
    if _is_own(step):
        made = _made_of_signs(step.operation)
        return made is not None and torch.allclose(made.abs(), made.flatten()[0].abs()) and bool((made < 0).any())
    gain, shift = _gain_and_shift(step)
    plain = shift is None or not shift.any()
    return plain and (gain is None or bool((gain.abs() == gain.abs().flatten()[0]).all()))


def axis_of_units(step: Step, dimensions: int) -> int:
    """Which axis of so many its factors go along: that of channels, or the first that is normalised over."""
    if _is_own(step):
        made = _made_of_signs(step.operation)
        return 1 if made is not None and made.ndim > 2 else dimensions - 1
    if step.kind == "module":
        by_channel = isinstance(step.operation, _NormBase | nn.GroupNorm)
        over = getattr(step.operation, "normalized_shape", (1,))
    else:
        by_channel, over = call_name(step.name) not in ("layer_norm", "rms_norm"), (1,)
    return 1 if by_channel else max(dimensions - len(over), 1)


def _is_own(step: Step) -> bool:
    return step.kind == "module" and not type(step.operation).__module__.startswith("torch.nn")


def _gain_and_shift(step: Step) -> tuple[Tensor | None, Tensor | None]:
    if step.kind == "module":
        return getattr(step.operation, "weight", None), getattr(step.operation, "bias", None)
    at = _GAIN[call_name(step.name)]
    gain, shift = (
        getattr(step.kwargs.get(name, step.args[i] if len(step.args) > i else None), "operation", None)
        for name, i in (("weight", at), ("bias", at + 1))
    )
    return gain if isinstance(gain, Tensor) else None, shift if isinstance(shift, Tensor) else None


def _made_of_signs(module: nn.Module) -> Tensor | None:
    """None where it takes none of the shapes that are tried."""
    own = in_double(module)
    units = max((held.numel() for held in (*own.parameters(), *own.buffers())), default=0)
    # Factors of the last axis do not fit one of channels; without any it may take every shape.
    for positions in (*_POSITIONS, ()) if units > 1 else ((), *_POSITIONS):
        shape = (2, units if units > 1 else _UNITS, *positions)
        # Neighbours along every axis differ.
        signs = 1.0 - 2.0 * (sum(torch.meshgrid(*map(torch.arange, shape), indexing="ij")) % 2).double()
        try:
            with torch.no_grad():
                # Without hooks: the model may be running.
                made = own.forward(signs)
        except Exception:
            continue
        if isinstance(made, Tensor) and made.shape == signs.shape and made.isfinite().all():
            return made.double()
    return None
