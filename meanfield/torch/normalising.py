"""What a normalisation makes of numbers: its mean square, and whether that is the same for every unit.

Those of PyTorch have γ and β. Of code that somebody wrote parameters are read by their usual names, which may mislead:
some add 1 to γ. Statistics that a norm keeps are taken as those of its data.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from meanfield.torch.elementwise import call_name
from meanfield.torch.tracing import Step
from meanfield.torch.written import has_own_forward

__all__ = ["axis_of_units", "is_standard", "normalised_square"]

#: At which position functions that normalise take γ; β follows.
_GAIN = {"layer_norm": 2, "group_norm": 2, "rms_norm": 2, "batch_norm": 3, "instance_norm": 3}
_GAINS, _SHIFTS = ("weight", "gamma", "scale", "gain", "g", "w"), ("bias", "beta", "shift", "b")


def normalised_square(step: Step) -> tuple[float, bool]:
    """Mean of γ² + β², 1 without them; and whether it can be relied upon."""
    gain, shift = _gain_and_shift(step)
    own = _is_own(step)
    if own and not _is_named(step.operation):
        return 1.0, False
    # Code that makes nothing but 0 is no norm: its γ is added to 1.
    square = 1.0 if gain is None or (own and not gain.any()) else _mean_square(gain)
    square += 0.0 if shift is None else _mean_square(shift)
    return square, not own or isinstance(getattr(step.operation, "running_var", None), Tensor)


def is_standard(step: Step) -> bool:
    """Whether what it makes has the mean 0 and one variance, whatever the unit, as far as is known."""
    gain, shift = _gain_and_shift(step)
    plain = shift is None or not shift.any()
    known = not _is_own(step) or _is_named(step.operation)
    return known and plain and (gain is None or bool((gain.abs() == gain.abs().flatten()[0]).all()))


def axis_of_units(step: Step, shape: Sequence[int]) -> int | None:
    """Which axis its factors go along: that of channels, or the first that is normalised over; None if not known."""
    if _is_own(step):
        gain, _ = _gain_and_shift(step)
        fitting = [axis for axis in range(1, len(shape)) if gain is not None and shape[axis] == gain.numel()]
        return fitting[0] if len(fitting) == 1 else None
    if step.kind == "module":
        by_channel = isinstance(step.operation, _NormBase | nn.GroupNorm)
        over = getattr(step.operation, "normalized_shape", (1,))
    else:
        by_channel, over = call_name(step.name) not in ("layer_norm", "rms_norm"), (1,)
    return 1 if by_channel else max(len(shape) - len(over), 1)


def _is_own(step: Step) -> bool:
    return step.kind == "module" and has_own_forward(step.operation)


def _is_named(module: nn.Module) -> bool:
    """Whether it has no parameters of other names."""
    return all(name in (*_GAINS, *_SHIFTS) for name, _ in module.named_parameters())


def _gain_and_shift(step: Step) -> tuple[Tensor | None, Tensor | None]:
    if step.kind == "module":
        gain, shift = (_first(step.operation, names) for names in (_GAINS, _SHIFTS))
        return gain, shift
    at = _GAIN[call_name(step.name)]
    gain, shift = (
        getattr(step.kwargs.get(name, step.args[i] if len(step.args) > i else None), "operation", None)
        for name, i in (("weight", at), ("bias", at + 1))
    )
    return gain if isinstance(gain, Tensor) else None, shift if isinstance(shift, Tensor) else None


def _first(module: nn.Module, names: Sequence[str]) -> Tensor | None:
    held = (getattr(module, name, None) for name in names)
    return next((tensor for tensor in held if isinstance(tensor, Tensor)), None)


def _mean_square(held: Tensor) -> float:
    return held.detach().double().square().mean().item()
