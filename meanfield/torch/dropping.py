"""What drops numbers at random in training: what becomes of their mean square, and when it is told to drop none."""

from __future__ import annotations

from typing import Any

from meanfield.torch.elementwise import call_name
from meanfield.torch.tracing import Step
from meanfield.torch.written import has_own_forward

__all__ = ["dropped_factor", "is_idle"]


def dropped_factor(step: Step) -> float | None:
    """E of the square after a dropout over that before it, 1/(1 − p); None where it is not known."""
    p = _share(step)
    # What keeps mean 0 and variance 1, or what is left as it was, has another.
    if p is None or p >= 1 or _is_alpha(step) or not getattr(step.operation, "scale_by_keep", True):
        return None
    return 1 / (1 - p)


def is_idle(step: Step, as_it_is: bool) -> bool:
    """Whether a dropout changes nothing: it drops none, or is a function that is told not to train.

    `as_it_is`, so does a module in eval mode; one that is to be trained will not stay in it. Code that somebody wrote
    may drop there too, unless it was seen to drop none.
    """
    if step.kind == "module":
        trains = step.operation.training or not as_it_is or (has_own_forward(step.operation) and not step.passes)
    else:
        at = 3 if call_name(step.name) == "stochastic_depth" else 2
        trains = _given(step, at, ("training", "train"), True)
    return _share(step) == 0 or trains is False


def _share(step: Step) -> float | None:
    """p."""
    if step.kind == "function":
        p = _given(step, 1, ("p",), 0.5)
    else:
        p = getattr(step.operation, "p", getattr(step.operation, "drop_prob", None))
    return float(p) if isinstance(p, int | float) else None


def _is_alpha(step: Step) -> bool:
    return "alpha" in (step.name if step.kind == "function" else type(step.operation).__name__.casefold())


def _given(step: Step, at: int, names: tuple[str, ...], default: Any) -> Any:
    """An argument of a function, by position or by one of its names."""
    if len(step.args) > at:
        return step.args[at]
    return next((step.kwargs[name] for name in names if name in step.kwargs), default)
