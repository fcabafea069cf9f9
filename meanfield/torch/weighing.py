"""Functions that take weights, which may be those of a layer, as they are or turned: F.linear(h, layer.weight.t())."""

from __future__ import annotations

from torch import Tensor

from meanfield.torch.elementwise import call_name
from meanfield.torch.incoming import Reader, role
from meanfield.torch.tracing import Step

__all__ = ["is_look_up", "is_weighing", "looked_up", "weights_taken"]

_WEIGHING = frozenset("linear bilinear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d".split())
#: Of two factors one may be weights.
_PRODUCTS = frozenset("matmul rmatmul mm bmm addmm baddbmm addbmm einsum tensordot".split())


def is_weighing(step: Step, reader: Reader) -> bool:
    """Whether it is such a function."""
    if step.kind != "function":
        return False
    name = call_name(step.name)
    return name in _WEIGHING or (name in _PRODUCTS and bool(weights_taken(step, reader)))


def is_look_up(step: Step) -> bool:
    """Whether it is a function that takes rows of weights as an embedding."""
    return step.kind == "function" and role(step) == "embedding"


def looked_up(step: Step) -> Tensor | None:
    """The weights of an embedding; None of any other step, and where a function makes them first."""
    if not is_look_up(step):
        return step.operation.weight if role(step) == "embedding" else None
    held = step.kwargs.get("weight", step.args[1] if len(step.args) > 1 else None)
    return held.operation if isinstance(held, Step) and held.kind == "parameter" else None


def weights_taken(step: Step, reader: Reader) -> frozenset[int]:
    """The parameters that it takes, or what it takes is made of, by `id`."""
    return frozenset[int]().union(*map(reader.made_of, step.before))
