"""A piecewise analytic function as calls of torch, in the forms that keep its digits.

The tree of each piece becomes a list of calls, from its leaves upwards; what stands in it twice is worked out once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from meanfield.activations.chebyshev_pieces import Chebyshev
from meanfield.activations.primitives import TANHSHRINK
from meanfield.activations.smooth import Smooth
from meanfield.activations.trees import Call, Number, Power, Product, Quotient, Sum, Tree, X
from meanfield.torch.native import LINEAR_FROM, native_part
from meanfield.torch.panels import Panels

__all__ = ["Analytic"]


def _shrunk(u: Tensor) -> Tensor:
    """u − tanh(u), near 0 by the series of u cosh u − sinh u, where the two cancel."""
    near = u.clamp(-1, 1)
    square = near * near
    series = torch.zeros_like(near)
    for coefficient in TANHSHRINK[::-1]:
        series = series * square + coefficient
    return torch.where(u.abs() <= 1, series * square * near / torch.cosh(near), u - torch.tanh(u))


def _log_of_cosh(u: Tensor) -> Tensor:
    near = 2 * torch.square(torch.sinh(0.5 * u.clamp(-1, 1)))
    size = u.abs()
    return torch.where(size > 1, size + torch.log1p(torch.exp(-2 * size)) - math.log(2), torch.log1p(near))


def _hyperbola(u: Tensor) -> Tensor:
    """(u + √(u² + 4))/2, on the left as the quotient in which nothing cancels."""
    root = torch.sqrt(u * u + 4)
    return torch.where(u > 0, 0.5 * (u + root), 2 / (root - u.clamp(max=0)))


def _distribution(u: Tensor) -> Tensor:
    """The Gaussian distribution function, with its digits where 1 + erf has none."""
    return 0.5 * torch.erfc(-math.sqrt(0.5) * u)


_CALLS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": partial(functional.softplus, threshold=LINEAR_FROM),
    "logsigmoid": functional.logsigmoid,
    "tanhshrink": _shrunk,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "sqrt": torch.sqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "atan": torch.atan,
    "asinh": torch.asinh,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "logcosh": _log_of_cosh,
    "squareplus": _hyperbola,
    "erf": torch.erf,
    "Phi": _distribution,
}

#: Inside another function their overflow would make 0·∞ of a slope that is 0.
_GROWING = frozenset({"exp", "expm1", "sinh", "cosh"})
#: Functions whose value or slope is none somewhere, or beyond what a number can be.
_PARTIAL = _GROWING | {"log", "log1p", "sqrt"}


def _bounded(u: Tensor) -> Tensor:
    """u where its exponential is a number with room to spare."""
    most = math.log(torch.finfo(u.dtype).max) - 1
    return u.clamp(-most, most)


def _over(u: Tensor, number: float) -> Tensor:
    return number / u


class Analytic(nn.Module):
    """A piecewise analytic function of single or double precision."""

    def __init__(self, phi: Smooth) -> None:
        super().__init__()
        self.pieces = nn.ModuleList(_Calls(tree) for tree in phi.pieces)
        ends = pairwise((-math.inf, *phi.breaks, math.inf))
        #: Between which ends a piece is looked at that is no number, or has no slope, somewhere beyond.
        self.domains = [
            None if _is_total(tree) or not phi.breaks else end for tree, end in zip(phi.pieces, ends, strict=True)
        ]
        self.breaks = phi.breaks

    def forward(self, x: Tensor) -> Tensor:
        parts = [
            piece(x.clamp(*domain) if domain else x) for piece, domain in zip(self.pieces, self.domains, strict=True)
        ]
        found = parts[0]
        for at, part in zip(self.breaks, parts[1:], strict=True):
            found = torch.where(x < at, found, part)
        return found


def _is_total(tree: Tree) -> bool:
    """Whether a tree and its slope are numbers for every x."""
    match tree:
        case Sum(parts=parts) | Product(parts=parts):
            return all(map(_is_total, parts))
        case Power(base=base, exponent=n):
            return n.denominator == 1 and _is_total(base)
        case Call(name=name, argument=u):
            return name not in _PARTIAL and _is_total(u)
    return not isinstance(tree, Quotient)


class _Calls(nn.Module):
    """Calls, each of earlier results; the first of these is x, the last the value of a tree."""

    def __init__(self, tree: Tree) -> None:
        super().__init__()
        self.calls: list[tuple[Callable[..., Tensor], tuple[int, ...]]] = []
        self.panels = nn.ModuleList()
        self._put(tree, False, {(X, False): 0, (X, True): 0})

    def forward(self, x: Tensor) -> Tensor:
        found = [x]
        for function, places in self.calls:
            found.append(function(*[found[place] for place in places]))
        return found[-1]

    def _call(self, function: Callable[..., Tensor], *places: int) -> int:
        self.calls.append((function, places))
        return len(self.calls)

    def _put(self, tree: Tree, inside: bool, places: dict[tuple[Tree, bool], int]) -> int:
        """The place of the value of a tree; `inside` another function what grows is bounded."""
        if (tree, inside) not in places:
            places[tree, inside] = self._new(tree, inside, lambda part, within: self._put(part, within, places))
        return places[tree, inside]

    def _new(self, tree: Tree, inside: bool, put: Callable[[Tree, bool], int]) -> int:
        if whole := native_part(tree):
            return self._call(whole, 0)
        match tree:
            case Number(value=value):
                return self._call(partial(torch.full_like, fill_value=float(value)), 0)
            case Sum(parts=parts) | Product(parts=parts):
                together = torch.add if isinstance(tree, Sum) else torch.mul
                first, *others = (put(part, inside) for part in parts if not isinstance(part, Number))
                for other in others:
                    first = self._call(together, first, other)
                for constant in (float(part.value) for part in parts if isinstance(part, Number)):
                    first = self._call(partial(together, other=constant), first)
                return first
            case Quotient(over=Number(value=value), under=under):
                return self._call(partial(_over, number=float(value)), put(under, True))
            case Quotient(over=over, under=under):
                return self._call(torch.div, put(over, inside), put(under, True))
            case Power(base=base, exponent=n):
                exponent = int(n) if n.denominator == 1 else float(n)
                return self._call(partial(torch.pow, exponent=exponent), put(base, inside))
            case Call(name=name, argument=u):
                at = put(u, True)
                if inside and name in _GROWING:
                    at = self._call(_bounded, at)
                return self._call(_CALLS[name], at)
        assert isinstance(tree, Chebyshev)
        self.panels.append(Panels(tree))
        return self._call(self.panels[-1], 0)
