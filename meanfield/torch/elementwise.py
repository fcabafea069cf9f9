"""Functions of one number written in PyTorch: which code is one, and which activation it is.

A module of torch.nn or a function that the catalogue knows is read by its name and arguments; other code is looked at
as a user's function is, `meanfield.activation(function)`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from meanfield.activations.activation import Activation
from meanfield.activations.catalogue import find
from meanfield.activations.spec import activation
from meanfield.errors import ActivationError, MeanFieldError

__all__ = ["call_name", "in_double", "is_elementwise", "named_call", "named_module", "on_arrays", "sampled"]

Array = NDArray[np.float64]

#: Names of arguments by position, where the catalogue has fewer.
_POSITIONAL = {"softplus": ("beta", "threshold")}
#: Other words for operators.
_ALSO = {"truediv": "div", "true_divide": "div", "divide": "div", "multiply": "mul", "subtract": "sub"}
#: Points at which code is tried, in no order and some of them beyond every knot that people use.
_TRIED = 24
#: Names with their arguments, of which a model has few and each many times.
_KEPT = 256


def call_name(name: str) -> str:
    """The name of a function without what marks it as working in place, or as an operator: relu_, __radd__, iadd."""
    plain = name.strip("_")
    plain = plain[1:] if plain in ("iadd", "isub", "imul", "itruediv", "radd", "rmul") else plain
    return _ALSO.get(plain, plain)


def is_elementwise(function: Callable[[Tensor], Any]) -> bool:
    """Whether it takes every number of a tensor by itself, as far as some numbers tell; what raises is none."""
    if isinstance(getattr(function, "phi", None), Activation):
        return True
    x = 5 * torch.sin(torch.arange(1.0, _TRIED + 1, dtype=torch.float64) ** 2)
    order = torch.arange(_TRIED - 1, -1, -1)
    try:
        applied = in_double(function) if isinstance(function, nn.Module) else function
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            tried = [x, x[order], x[: _TRIED // 2], x.reshape(2, -1)]
            y, turned, half, folded = (applied(part.clone()) for part in tried)
            same = [(turned, y[order]), (half, y[: len(half)]), (folded, y.reshape(2, -1))]
            return y.shape == x.shape and all(a.shape == b.shape and _alike(a, b) for a, b in same)
    except Exception:
        return False


def _alike(a: Tensor, b: Tensor) -> bool:
    """To rounding, which depends on where in a vector a number stands."""
    return torch.allclose(a, b, rtol=1e-12, atol=1e-14)


def in_double(module: nn.Module) -> Callable[..., Any]:
    """What it computes, in double precision and without hooks, by a copy: code may keep what it was applied to.

    What holds results of a run cannot be copied, and raises.
    """
    return copy.deepcopy(module).double().cpu().forward


def named_module(module: nn.Module) -> Activation | None:
    """What the catalogue has by the name and the arguments of a module of torch.nn; None without a line there."""
    phi = getattr(module, "phi", None)
    if isinstance(phi, Activation):
        return phi
    if not type(module).__module__.startswith("torch.nn"):
        return _named_inside(module)
    if isinstance(module, nn.PReLU):
        slopes = module.weight.detach()
        return activation("prelu", init=slopes[0].item()) if (slopes == slopes[0]).all() else None
    return _in_catalogue(type(module).__name__, repr(module).partition("(")[2][:-1])


def _named_inside(module: nn.Module) -> Activation | None:
    """Of a module that somebody wrote around one function of PyTorch."""
    try:
        nodes = [node for node in fx.symbolic_trace(copy.deepcopy(module)).graph.nodes if node.op != "output"]
    except Exception:
        return None
    if len(nodes) != 2 or nodes[1].op not in ("call_function", "call_method") or nodes[1].args[:1] != (nodes[0],):
        return None
    target = nodes[1].target
    return named_call(target if isinstance(target, str) else target.__name__, nodes[1].args[1:], nodes[1].kwargs)


def named_call(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Activation | None:
    """The same of a function of PyTorch, by its arguments after the first."""
    if names := _POSITIONAL.get(call_name(name)):
        args, kwargs = (), {**dict(zip(names, args, strict=False)), **kwargs}
    texts = [*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items() if value is not None)]
    return _in_catalogue(call_name(name), ", ".join(texts))


@lru_cache(maxsize=_KEPT)
def _in_catalogue(name: str, inside: str) -> Activation | None:
    for library in ("torch.nn", "torch"):
        if find(f"{library}.{name}") is not None:
            try:
                return activation(f"{library}.{name}({inside})")
            except ActivationError:
                # Arguments in another order than parameters have in the catalogue.
                return None
    return None


def on_arrays(function: Callable[[Tensor], Tensor]) -> Callable[[Array], Array]:
    """Tensors in, tensors out, as arrays in, arrays out."""

    def applied(x: Array) -> Array:
        with torch.no_grad():
            return np.asarray(function(torch.from_numpy(np.array(x, dtype=float))).numpy())

    return applied


def sampled(function: Callable[[Tensor], Tensor], name: str) -> Activation | None:
    """What code computes, by looking; None where it is no piecewise analytic function."""
    applied = on_arrays(in_double(function) if isinstance(function, nn.Module) else function)
    applied.__name__ = name
    try:
        return activation(applied)
    except MeanFieldError:
        return None
