"""Functions that take weights, which may be those of a layer, as they are or turned: F.linear(h, layer.weight.t())."""

from __future__ import annotations

from meanfield.torch.elementwise import call_name
from meanfield.torch.incoming import role
from meanfield.torch.tracing import Step

__all__ = ["is_weighing", "weights_taken"]

_WEIGHING = frozenset("linear bilinear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d".split())
#: Of two factors one may be weights.
_PRODUCTS = frozenset("matmul rmatmul mm bmm addmm baddbmm addbmm einsum tensordot".split())


def is_weighing(step: Step) -> bool:
    """Whether it is such a function."""
    if step.kind != "function":
        return False
    name = call_name(step.name)
    return name in _WEIGHING or (name in _PRODUCTS and bool(weights_taken(step)))


def weights_taken(step: Step) -> set[int]:
    """The parameters that it takes, by `id`."""
    found = set()
    for taken in step.before:
        while role(taken) == "shape" and taken.before:
            taken = taken.before[0]
        if taken.kind == "parameter":
            found.add(id(taken.operation))
    return found
