"""Where an analytic function is zero: exactly where its form tells, else to the last digit by looking.

A product is zero where a factor is, tanh(u) where u is, exp(u) nowhere; lines and parabolas are solved. Only for what
is left, such as tanh(x) − x/2, are zeros searched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.analytic import number, summed
from meanfield.activations.chebyshev_pieces import Chebyshev
from meanfield.activations.polynomials import degree, polynomial
from meanfield.activations.trees import Call, Number, Power, Product, Quotient, Sum, Tree
from meanfield.activations.zeros import Endless, zeros

__all__ = ["End", "Endless", "centres", "crossings", "sign_between", "turning_places", "vanishes"]

Array = NDArray[np.float64]
#: Where a piece ends; None stands for ∞.
End = Fraction | None

#: Primitives that are zero only where their argument is, and those that are zero nowhere.
_WITH_ARGUMENT = frozenset({"tanh", "sinh", "asinh", "atan", "erf", "expm1", "tanhshrink", "log1p", "sqrt", "logcosh"})
_NOWHERE = frozenset({"exp", "sigmoid", "softplus", "cosh", "Phi", "logsigmoid", "squareplus"})
#: Rounding of a value, in units of what is added up in it.
_ROUNDING = 4 * np.finfo(float).eps
#: Smaller values have lost digits to underflow.
_TINY = 1e-290
#: √ to so many bits.
_BITS = 256


def crossings(tree: Tree, left: End, right: End) -> list[Fraction]:
    """Every zero strictly between left and right, ascending; those where the function only touches 0 too.

    Raises:
        Endless: there is no end of them.
    """
    inside = {t for t in _zeros(tree, left, right) if (left is None or t > left) and (right is None or t < right)}
    return sorted(inside)


def _zeros(tree: Tree, left: End, right: End) -> Iterator[Fraction]:
    coefficients = polynomial(tree)
    if coefficients is not None and degree(coefficients) <= 2:
        yield from _of_parabola(*coefficients, *[Fraction(0)] * (2 - degree(coefficients)))
        return
    match tree:
        case Product(parts=parts):
            for part in parts:
                yield from _zeros(part, left, right)
        case Quotient(over=over):
            yield from _zeros(over, left, right)
        case Power(base=base, exponent=n):
            if n > 0:
                yield from _zeros(base, left, right)
        case Call(name=name, argument=argument) if name in _WITH_ARGUMENT:
            yield from _zeros(argument, left, right)
        case Call(name=name) if name in _NOWHERE:
            return
        case Call(name="log", argument=argument):
            yield from _zeros(summed([argument, number(-1)]), left, right)
        case Call(name="sin" | "cos" as name, argument=u) if _is_line(u) and (left is None or right is None):
            c, a = polynomial(u) or (0, 0)
            raise Endless(float(((0 if name == "sin" else math.pi / 2) - float(c)) / float(a)))
        case _:
            yield from _searched(tree, left, right)


def _is_line(tree: Tree) -> bool:
    coefficients = polynomial(tree)
    return coefficients is not None and degree(coefficients) == 1


def _of_parabola(c: Fraction, b: Fraction, a: Fraction) -> Iterator[Fraction]:
    """The zeros of a x² + b x + c, to many digits, and exactly where they are rational."""
    if not a:
        if b:
            yield -c / b
        return
    discriminant = b * b - 4 * a * c
    if discriminant < 0:
        return
    root = _root(discriminant)
    if not root:
        yield -b / (2 * a)
        return
    # The larger first, for the smaller would cancel.
    larger = -(b + root if b >= 0 else b - root) / 2
    yield larger / a
    yield c / larger


def _root(value: Fraction) -> Fraction:
    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if Fraction(top, bottom) ** 2 == value:
        return Fraction(top, bottom)
    scaled = (value.numerator << 2 * _BITS) // value.denominator
    # Of a tiny number no bits would be left.
    shift = max(0, _BITS - scaled.bit_length() // 2)
    return Fraction(math.isqrt((value.numerator << 2 * (_BITS + shift)) // value.denominator), 1 << (_BITS + shift))


def _searched(tree: Tree, left: End, right: End) -> Iterator[Fraction]:
    def sample(x: Array) -> tuple[Array, Array, Array]:
        with np.errstate(all="ignore"):
            f, slope = tree.with_slopes(x)
            return f, slope, _ROUNDING * tree.size(x) + _TINY

    low, high = -math.inf if left is None else float(left), math.inf if right is None else float(right)
    for t in zeros(sample, low, high, centres(tree)):
        yield _meant(tree, t)


def _meant(tree: Tree, t: float) -> Fraction:
    """A short fraction beside t, where the function is exactly 0 there."""
    short = Fraction(t).limit_denominator(1000)
    near = abs(float(short) - t) <= 1e-7 * abs(t)
    with np.errstate(all="ignore"):
        if near and tree.values(np.array([float(short)]))[0] == 0 and float(short) != t:
            return short
    return Fraction(short) if float(short) == t else Fraction(repr(t))


def centres(tree: Tree) -> set[float]:
    """The points that a function is centred on: where the lines in it are 0."""
    coefficients = polynomial(tree)
    if coefficients is not None and degree(coefficients) <= 2:
        return set(map(float, _of_parabola(*coefficients, *[Fraction(0)] * (2 - degree(coefficients)))))
    match tree:
        case Sum(parts=parts) | Product(parts=parts):
            inner = parts
        case Quotient(over=over, under=under):
            inner = (over, under)
        case Power(base=u) | Call(argument=u):
            inner = (u,)
        case Chebyshev():
            return set(tree.centres)
        case _:
            inner = ()
    found: set[float] = set()
    for part in inner:
        if not isinstance(part, Number):
            found |= centres(part)
    return found


def turning_places(tree: Tree) -> set[float]:
    """As `centres`, with the zeros of everything that a primitive is taken of: exp(−(eˣ − 7)²) peaks at ln 7."""
    found = centres(tree)
    match tree:
        case Sum(parts=parts) | Product(parts=parts):
            inner: tuple[Tree, ...] = parts
        case Quotient(over=over, under=under):
            inner = (over, under)
        case Power(base=u) | Call(argument=u):
            inner = (u,)
            if polynomial(u) is None:
                with suppress(Endless):
                    found |= set(map(float, crossings(u, None, None)))
        case _:
            inner = ()
    return found.union(*(turning_places(part) for part in inner if not isinstance(part, Number)))


def sign_between(tree: Tree, left: End, right: End) -> int:
    """The sign of a function that is nowhere 0 between left and right; 0 where it is 0 all over."""
    if isinstance(tree, Number):
        return (tree.value > 0) - (tree.value < 0)
    for x in _between(left, right):
        with np.errstate(all="ignore"):
            value = tree.values(np.array([x]))[0]
            rounding = _ROUNDING * tree.size(np.array([x]))[0]
        if value == value and abs(value) > rounding:
            return 1 if value > 0 else -1
    return 0


def _between(left: End, right: End) -> list[float]:
    """Points between left and right, the most telling first."""
    if left is None and right is None:
        return [0.3, -0.3, 3.0, -3.0, 1e-3, 30.0, -30.0]
    if left is None or right is None:
        end, way = (float(right), -1.0) if right is not None else (float(left or 0), 1.0)
        scale = max(abs(end), 1.0)
        return [end + way * scale * r for r in (1.0, 0.1, 0.01, 3.0, 1e-3, 10.0, 30.0, 1e-5, 100.0, 1e3, 1e-8)]
    low, high = float(left), float(right)
    return [low + (high - low) * t for t in (0.5, 0.75, 0.25, 0.9, 0.1, 0.99, 0.01)]


def vanishes(tree: Tree, t: float) -> bool:
    """Whether a function is 0 at t, to the rounding of t and of its terms."""
    x = np.array([t])
    with np.errstate(all="ignore"):
        f, slope = tree.with_slopes(x)
        rounding = 4 * _ROUNDING * tree.size(x) + 4 * np.abs(slope) * math.ulp(t)
    return bool(np.abs(f)[0] <= rounding[0])
