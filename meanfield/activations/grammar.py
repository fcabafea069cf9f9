"""What the words and signs of expressions in x mean: of straight pieces exactly, and of any other functions.

docs/activations.md holds the grammar.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from meanfield.activations import algebra, curves
from meanfield.activations.algebra import NotPiecewiseLinear, Pieces
from meanfield.activations.analytic import call, number, product
from meanfield.activations.curves import Curve, called
from meanfield.activations.primitives import PRIMITIVES

__all__ = ["COMPARISONS", "CONSTANTS", "FACTORS", "FUNCTIONS", "LOGIC", "REFUSED", "Function", "Operation"]

_ZERO = algebra.constant(Fraction(0))


@dataclass(frozen=True)
class Operation:
    """What is made of functions: of straight pieces, if those stay straight, and of any others."""

    exactly: Callable[..., Pieces] | None
    analytically: Callable[..., Curve]


@dataclass(frozen=True)
class Function:
    """What a name before parentheses means: its arguments, as written in messages, and what it makes of them."""

    arguments: str
    operation: Operation
    most: int | None

    @property
    def least(self) -> int:
        """The number of arguments it needs."""
        return self.arguments.count(",") + 1 - self.arguments.count("...")


def _relu(u: Pieces) -> Pieces:
    return algebra.maximum(u, _ZERO)


def _clip(u: Pieces, low: Pieces, high: Pieces) -> Pieces:
    if algebra.comparison(">", low, high) != _ZERO:
        raise NotPiecewiseLinear("clip(u, lo, hi) with lo > hi: swap the bounds")
    return algebra.minimum(algebra.maximum(u, low), high)


def _erfc(u: Curve) -> Curve:
    minus_root_two = Curve((), (product([number(-1), call("sqrt", number(2))]),))
    return Curve((), (number(2),)) * called("Phi", minus_root_two * u)


#: The functions of the grammar.
FUNCTIONS: dict[str, Function] = {
    "max": Function("u, v, ...", Operation(algebra.maximum, curves.maximum), None),
    "min": Function("u, v, ...", Operation(algebra.minimum, curves.minimum), None),
    "abs": Function("u", Operation(algebra.absolute, curves.absolute), 1),
    "relu": Function("u", Operation(_relu, curves.relu), 1),
    "clip": Function("u, lo, hi", Operation(_clip, curves.clip), 3),
    "sign": Function("u", Operation(algebra.sign, curves.sign), 1),
    "step": Function("u", Operation(algebra.step, curves.step), 1),
    "round": Function("u", Operation(algebra.nearest, curves.stepped), 1),
    "floor": Function("u", Operation(algebra.floor, curves.stepped), 1),
    "ceil": Function("u", Operation(algebra.ceil, curves.stepped), 1),
    "where": Function("condition, u, v", Operation(algebra.where, curves.where), 3),
    **{name: Function("u", Operation(None, partial(called, name)), 1) for name in PRIMITIVES},
    "erfc": Function("u", Operation(None, _erfc), 1),
}

#: Names of numbers.
CONSTANTS: dict[str, float] = {"pi": math.pi}

FACTORS: dict[type[ast.operator], Operation] = {
    ast.Mult: Operation(Pieces.__mul__, Curve.__mul__),
    ast.Div: Operation(Pieces.__truediv__, Curve.__truediv__),
}

LOGIC: dict[type[ast.operator] | type[ast.boolop], Operation] = {
    ast.BitAnd: Operation(Pieces.__mul__, Curve.__mul__),
    ast.And: Operation(Pieces.__mul__, Curve.__mul__),
    ast.BitOr: Operation(algebra.maximum, curves.maximum),
    ast.Or: Operation(algebra.maximum, curves.maximum),
}

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}

#: What the syntax knows and expressions have no place for, and what to write instead.
REFUSED: dict[type[ast.AST], str] = {
    ast.BitXor: "^ has no place here: write a power as x**2",
    ast.FloorDiv: "// is not available: divide with /",
    ast.Mod: "% is not available: what repeats without end has no end of breaks",
    ast.MatMult: "@ is not available: multiply with *",
    ast.IfExp: "write where(condition, u, v) for u if condition else v",
    ast.Attribute: "a dot is not available: write max(x, 0), not np.maximum(x, 0)",
    ast.Subscript: "brackets [] are not available: use parentheses ()",
    ast.List: "brackets [] are not available: use parentheses ()",
    ast.Tuple: "a comma belongs between the arguments of a function; a decimal number is written with a dot",
    ast.Lambda: "write the formula in x alone, without lambda",
    ast.Starred: "* unpacks nothing here: write the arguments out",
}
