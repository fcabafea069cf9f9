"""Expressions in x and symbols that are not made of straight pieces: breaks, and a sympy expression between each two.

The twin of `meanfield.activations.curves`, which knows numbers alone, and which has read the text before: what is wrong
with it has been said. Breaks are where straight lines meet; of what else a maximum is taken, this room does not know.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key, reduce
from itertools import pairwise

from sympy import (
    Abs,
    Add,
    Expr,
    Integer,
    Mul,
    Poly,
    PolynomialError,
    Rational,
    asinh,
    atan,
    cos,
    cosh,
    erf,
    erfc,
    exp,
    log,
    pi,
    sin,
    sinh,
    sqrt,
    tanh,
)

from meanfield.activations.algebra import COMPARISONS, Number, exact, order
from meanfield.activations.expression import parse_exactly
from meanfield.activations.grammar import COMPARISONS as SIGNS
from meanfield.activations.syntax import one_line, tree
from meanfield.errors import ActivationError
from meanfield.symbolic.functions import Phi
from meanfield.symbolic.gaussian_terms import X
from meanfield.symbolic.parameters import Parameters

__all__ = ["Curve", "NoCrossing", "parse_curve"]


class NoCrossing(Exception):
    """Where two functions cross is not known with symbols."""


@dataclass(frozen=True)
class Curve:
    """A function of `X` between each two knots; a knot at which nothing changes is dropped."""

    knots: tuple[Number, ...]
    pieces: tuple[Expr, ...]

    def __post_init__(self) -> None:
        busy = [i for i, (left, right) in enumerate(pairwise(self.pieces)) if left != right]
        object.__setattr__(self, "knots", tuple(self.knots[i] for i in busy))
        object.__setattr__(self, "pieces", (self.pieces[0], *(self.pieces[i + 1] for i in busy)))


def parse_curve(text: str, parameters: Parameters) -> Curve:
    """The function that an expression stands for.

    Raises:
        NoCrossing: where two of its functions cross is not known with symbols.
        UndecidedOrder: the order of two breaks does not follow from what is assumed.
    """
    flat = one_line(text)
    return _Reader(flat, parameters).read(tree(flat))


#: The functions of one variable that are analytic.
_ANALYTIC: dict[str, Callable[[Expr], Expr]] = {
    "tanh": tanh,
    "sigmoid": lambda u: 1 / (1 + exp(-u)),
    "softplus": lambda u: log(1 + exp(u)),
    "logsigmoid": lambda u: -log(1 + exp(-u)),
    "tanhshrink": lambda u: u - tanh(u),
    "exp": exp,
    "expm1": lambda u: exp(u) - 1,
    "log": log,
    "log1p": lambda u: log(1 + u),
    "sqrt": sqrt,
    "sin": sin,
    "cos": cos,
    "atan": atan,
    "asinh": asinh,
    "sinh": sinh,
    "cosh": cosh,
    "logcosh": lambda u: log(cosh(u)),
    "squareplus": lambda u: (u + sqrt(u**2 + 4)) / 2,
    "erf": erf,
    "erfc": erfc,
    "Phi": Phi,
}

_ZERO, _ONE = Integer(0), Integer(1)
#: What is made of straight pieces alone.
_STEPPED = ("round", "floor", "ceil")
#: Of u and v, where u < v, u = v and u > v.
_Choice = Callable[[Expr, Expr], tuple[Expr, Expr, Expr]]


class _Reader:
    def __init__(self, text: str, parameters: Parameters) -> None:
        self.text, self.parameters = text.strip(), parameters

    def read(self, node: ast.expr) -> Curve:
        """The function a node stands for."""
        match node:
            case ast.Constant(value=value):
                number = Fraction(value) if isinstance(value, int) else exact(float(str(value)))
                return _constant(Rational(number.numerator, number.denominator))
            case ast.Name(id=name):
                return _constant({"x": X, "pi": pi}.get(name, self.parameters.symbols.get(name, X)))
            case ast.UnaryOp(op=ast.USub(), operand=u):
                return self.made(lambda f: -f, u)
            case ast.UnaryOp(op=ast.UAdd(), operand=u):
                return self.read(u)
            case ast.UnaryOp(operand=u):
                return self.made(lambda f: 1 - f, u)
            case ast.BinOp(left=u, op=ast.BitAnd(), right=v):
                return self.made(Mul, u, v)
            case ast.BinOp(left=u, op=ast.BitOr(), right=v):
                return self.made(lambda f, g: f + g - f * g, u, v)
            case ast.BinOp(left=u, op=op, right=v):
                return self.made(_ARITHMETIC[type(op)], u, v)
            case ast.BoolOp(op=ast.And(), values=operands):
                return self.made(Mul, *operands)
            case ast.BoolOp(values=operands):
                return self.made(lambda *fs: 1 - Mul(*(1 - f for f in fs)), *operands)
            case ast.Compare(left=left, ops=ops, comparators=right):
                links = zip(pairwise([left, *right]), ops, strict=True)
                return _combined(Mul, *(self.compared(u, v, SIGNS[type(op)]) for (u, v), op in links))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.call(node, name, arguments)
        raise ActivationError(f"{self.text!r} has no formula")

    def made(self, operation: Callable[..., Expr], *operands: ast.expr) -> Curve:
        """An operation on functions, at each x."""
        return _combined(operation, *map(self.read, operands))

    def call(self, node: ast.expr, name: str, arguments: list[ast.expr]) -> Curve:
        """A function of the grammar, applied."""
        if name in _ANALYTIC:
            return self.made(_ANALYTIC[name], *arguments)
        if name in _STEPPED:
            straight = parse_exactly(ast.unparse(node), self.parameters.numbers)
            number = self.parameters.expression
            return Curve(straight.knots, tuple(number(a) * X + number(c) for a, c in straight.lines))
        read = [self.read(argument) for argument in arguments]
        zero = _constant(_ZERO)
        match name:
            case "max":
                return reduce(self.larger, read)
            case "min":
                return reduce(self.smaller, read)
            case "relu":
                return self.larger(read[0], zero)
            case "abs":
                return self.chosen(read[0], zero, lambda f, _: (-f, f, f))
            case "sign":
                return self.chosen(read[0], zero, lambda *_: (-_ONE, _ZERO, _ONE))
            case "step":
                return self.chosen(read[0], zero, lambda *_: (_ZERO, _ZERO, _ONE))
            case "clip":
                return self.smaller(self.larger(read[0], read[1]), read[2])
        return _combined(lambda c, f, g: f if c else g, *read)

    def larger(self, f: Curve, g: Curve) -> Curve:
        return self.chosen(f, g, lambda u, v: (v, u, u))

    def smaller(self, f: Curve, g: Curve) -> Curve:
        return self.chosen(f, g, lambda u, v: (u, u, v))

    def compared(self, left: ast.expr, right: ast.expr, sign: str) -> Curve:
        """1 where left `sign` right holds, else 0."""
        signs = COMPARISONS[sign]
        truth = tuple(Integer(int(s in signs)) for s in (-1, 0, 1))
        return self.chosen(self.read(left), self.read(right), lambda *_: truth)

    def chosen(self, f: Curve, g: Curve, choice: _Choice) -> Curve:
        """At each x what is chosen, as f is below, on or above g."""
        ends = _sorted([*f.knots, *g.knots])
        knots: list[Number] = []
        pieces: list[Expr] = []
        for left, right in pairwise((None, *ends, None)):
            knots += [] if left is None else [left]
            u, v = (_at(h, left) for h in (f, g))
            inner, signs = self.signs(u - v, left, right)
            knots += inner
            pieces += [choice(u, v)[sign + 1] for sign in signs]
        return Curve(tuple(knots), tuple(pieces))

    def signs(self, f: Expr, left: Number | None, right: Number | None) -> tuple[list[Number], list[int]]:
        """Where a line crosses 0 between left and right, and its signs."""
        try:
            coefficients = Poly(f, X).all_coeffs()[::-1] if f.has(X) else [f]
        except PolynomialError:
            raise NoCrossing(str(f)) from None
        if len(coefficients) > 2:
            raise NoCrossing(str(f))
        c, a = (self.number(value) for value in (*coefficients, _ZERO)[:2])
        rising = order(a, Fraction(0))
        if not rising:
            return [], [order(c, Fraction(0))]
        t = -c / a
        if left is not None and order(t, left) <= 0:
            return [], [rising]
        if right is not None and order(t, right) >= 0:
            return [], [-rising]
        return [t], [-rising, rising]

    def number(self, value: Expr) -> Number:
        """A rational function of the parameters as an exact number."""
        field = self.parameters.field
        try:
            over, under = value.as_numer_denom()
            return self.parameters.number(field.from_expr(over) / field.from_expr(under))
        except (ValueError, ZeroDivisionError):
            raise NoCrossing(str(value)) from None


def _power(base: Expr, exponent: Expr) -> Expr:
    return base**exponent


_ARITHMETIC: dict[type[ast.operator], Callable[..., Expr]] = {
    ast.Add: Add,
    ast.Sub: lambda f, g: f - g,
    ast.Mult: Mul,
    ast.Div: lambda f, g: f / g,
    ast.Pow: _power,
}


def _constant(value: Expr) -> Curve:
    return Curve((), (value,))


def _sorted(knots: Sequence[Number]) -> list[Number]:
    return sorted(set(knots), key=cmp_to_key(order))


def _at(f: Curve, left: Number | None) -> Expr:
    """The piece of f that begins at `left` or before it."""
    return f.pieces[0 if left is None else sum(order(t, left) <= 0 for t in f.knots)]


def _combined(operation: Callable[..., Expr], *curves: Curve) -> Curve:
    ends = _sorted([t for f in curves for t in f.knots])
    pieces = tuple(operation(*(_at(f, left) for f in curves)) for left in (None, *ends))
    if any(piece.has(Abs) for piece in pieces):
        raise NoCrossing("a root of a square")
    return Curve(tuple(ends), pieces)
