"""Algebra of piecewise analytic functions: sums, products, quotients, extremes, comparisons.

What `algebra` is to straight pieces this is to trees. Breaks are found where two functions cross, exactly or to the
last digit. A function may be defined on a part of the line alone, as what stands in a branch of where(…) is: only there
its poles and the ends of log and √ count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from meanfield.activations import algebra
from meanfield.activations.activation import Activation
from meanfield.activations.algebra import COMPARISONS, Pieces, in_halves
from meanfield.activations.analytic import call, negative, number, power, product, quotient, summed
from meanfield.activations.crossings import End, Endless, crossings, sign_between, vanishes
from meanfield.activations.piecewise_linear import require_knots
from meanfield.activations.polynomials import degree, polynomial
from meanfield.activations.smooth import Smooth
from meanfield.activations.trees import Number, Power, Product, Quotient, Sum, Tree, X

__all__ = ["EVERYWHERE", "Curve", "NotAnalytic", "both", "called", "lifted", "lowered", "within"]

_ZERO, _ONE = number(0), number(1)
#: The least that the argument of a function may be, for those with a least.
_LEAST = {"log": 0, "sqrt": 0, "log1p": -1}
#: Powers with larger exponents overflow where it matters.
_LARGEST_POWER = 64


class NotAnalytic(Exception):
    """The result is no function that an activation can be; the message says why, and where on the line."""


@dataclass(frozen=True)
class Curve:
    """A tree between each two breaks, None where the function is not defined.

    A break at which nothing changes is dropped.

    Raises:
        ActivationError: too many breaks.
    """

    breaks: tuple[Fraction, ...]
    trees: tuple[Tree | None, ...]

    def __post_init__(self) -> None:
        busy = [i for i, (left, right) in enumerate(pairwise(self.trees)) if left != right]
        require_knots(len(busy))
        object.__setattr__(self, "breaks", tuple(self.breaks[i] for i in busy))
        object.__setattr__(self, "trees", (self.trees[0], *(self.trees[i + 1] for i in busy)))

    @classmethod
    def of(cls, phi: Smooth) -> Curve:
        """The function that φ is."""
        return cls(tuple(map(algebra.exact, phi.breaks)), phi.pieces)

    @property
    def pieces(self) -> list[tuple[Tree | None, End, End]]:
        """Each tree, and between which numbers it holds."""
        ends = pairwise((None, *self.breaks, None))
        return [(tree, left, right) for tree, (left, right) in zip(self.trees, ends, strict=True)]

    def rounded(self) -> Activation:
        """The activation, breaks rounded to doubles.

        Raises:
            ActivationError: a function that is zero everywhere.
        """
        trees = tuple(_ZERO if tree is None else tree for tree in self.trees)
        knots = [float(t) for t in self.breaks]
        kept = [0, *(i + 1 for i, t in enumerate(knots) if i + 1 == len(knots) or t < knots[i + 1])]
        return Smooth(tuple(knots[i - 1] for i in kept[1:]), tuple(trees[i] for i in kept))

    def __add__(self, other: Curve) -> Curve:
        return _by_tree(lambda f, g: summed([f, g]), self, other)

    def __neg__(self) -> Curve:
        return _by_tree(negative, self)

    def __sub__(self, other: Curve) -> Curve:
        return self + -other

    def __mul__(self, other: Curve) -> Curve:
        return _by_tree(lambda f, g: product([f, g]), self, other)

    def __truediv__(self, other: Curve) -> Curve:
        return _combined(_quotient, self, other)

    def __pow__(self, exponent: Curve) -> Curve:
        return _combined(_power, self, exponent)


Segments = tuple[Sequence[Fraction], Sequence[Tree | None]]

#: The whole line.
EVERYWHERE = Curve((), (_ONE,))


def lifted(f: Pieces | Curve, domain: Curve = EVERYWHERE) -> Curve:
    """f as a curve, defined where the domain is 1."""
    if isinstance(f, Curve):
        return f
    trees = tuple(summed([product([number(a), X]), number(c)]) for a, c in f.lines)
    return within(domain, Curve(f.knots, trees))


def lowered(f: Curve) -> Pieces | Curve:
    """f as straight pieces, if that is what it is made of, all over the line."""
    lines = []
    for tree in f.trees:
        coefficients = None if tree is None else polynomial(tree)
        if coefficients is None or degree(coefficients) > 1:
            return f
        c, a, *_ = (*coefficients, Fraction(0), Fraction(0))
        lines.append((a, c))
    return Pieces(f.breaks, tuple(a for a, _ in lines), tuple(c for _, c in lines))


def within(domain: Curve, f: Curve) -> Curve:
    """f where the domain is 1."""
    return _combined(lambda c, g, *_: ((), (g if c == _ONE else None,)), domain, f)


def both(domain: Curve, condition: Curve, truth: int) -> Curve:
    """1 where the domain is 1 and the condition is true, or false; 0 elsewhere."""

    def kept(c: Tree | None, d: Tree | None, *_: End) -> Segments:
        return (), (_ONE if c == _ONE and d is not None and (d != _ZERO) == bool(truth) else _ZERO,)

    return _combined(kept, domain, condition)


def called(name: str, f: Curve) -> Curve:
    """A primitive of f.

    Raises:
        NotAnalytic: f leaves the numbers that the primitive is defined for.
    """
    if name == "sqrt" and any(_square(tree) for tree in f.trees):
        return _combined(_root, f)
    return _combined(lambda u, left, right: _call(name, u, left, right), f)


def comparison(operator: str, f: Curve, g: Curve) -> Curve:
    """1 where `f operator g` holds, else 0, for an operator of `COMPARISONS`."""
    true = COMPARISONS[operator]
    return _combined(lambda f, g, *ends: _chosen(f, g, lambda s: number(s in true), *ends), f, g)


def where(condition: Curve, f: Curve, g: Curve) -> Curve:
    """f where the condition is not 0, g where it is."""
    return _combined(lambda c, f, g, *_: ((), (None if c is None else g if c == _ZERO else f,)), condition, f, g)


def maximum(f: Curve, *others: Curve) -> Curve:
    """The largest at each point."""
    return in_halves(lambda a, b: _combined(_larger, a, b), [f, *others])


def minimum(f: Curve, *others: Curve) -> Curve:
    """The smallest at each point."""
    return -maximum(-f, *(-g for g in others))


def absolute(f: Curve) -> Curve:
    """|f|."""
    return maximum(f, -f)


def clip(f: Curve, low: Curve, high: Curve) -> Curve:
    """min(max(f, low), high)."""
    if any(tree == _ONE for tree in comparison(">", low, high).trees):
        raise NotAnalytic("clip(u, lo, hi) with lo > hi: swap the bounds")
    return minimum(maximum(f, low), high)


def relu(f: Curve) -> Curve:
    """max(f, 0)."""
    return maximum(f, Curve((), (_ZERO,)))


def sign(f: Curve) -> Curve:
    """−1, 0 or 1 as f is below, on or above zero."""
    return _combined(lambda g, *ends: _chosen(g, _ZERO, lambda s: number(s), *ends), f)


def step(f: Curve) -> Curve:
    """1 where f > 0, else 0."""
    return comparison(">", f, Curve((), (_ZERO,)))


def stepped(f: Curve) -> Curve:
    """Refused: only straight pieces are rounded."""
    raise NotAnalytic("only what is made of straight pieces is rounded here")


def _combined(operation: Callable[..., Segments], *curves: Curve) -> Curve:
    """The operation on the trees of the curves, between each two breaks of any; it may add breaks of its own."""
    ends = sorted({t for f in curves for t in f.breaks})
    at = [0] * len(curves)
    breaks: list[Fraction] = []
    trees: list[Tree | None] = []
    for left, right in pairwise((None, *ends, None)):
        if left is not None:
            breaks.append(left)
            at = [i + (i < len(f.breaks) and f.breaks[i] <= left) for i, f in zip(at, curves, strict=True)]
        inner, found = operation(*(f.trees[i] for f, i in zip(curves, at, strict=True)), left, right)
        breaks += inner
        trees += found
    return Curve(tuple(breaks), tuple(trees))


def _by_tree(operation: Callable[..., Tree], *curves: Curve) -> Curve:
    return _combined(
        lambda *trees_and_ends: (
            (),
            (None if None in trees_and_ends[:-2] else operation(*trees_and_ends[:-2]),),
        ),
        *curves,
    )


def _chosen(f: Tree | None, g: Tree | None, value: Callable[[int], Tree | None], left: End, right: End) -> Segments:
    """What the sign of f − g tells, between each two points where they cross."""
    if f is None or g is None:
        return (), (None,)
    difference = summed([f, negative(g)])
    try:
        inner = crossings(difference, left, right)
    except Endless as endless:
        raise NotAnalytic(
            f"this has no end of breaks, one of them at x = {endless.at:.6g}: clip x first, as in clip(x, -5, 5)"
        ) from None
    signs = [sign_between(difference, a, b) for a, b in pairwise((left, *inner, right))]
    return inner, [value(s) for s in _filled(signs, inner)]


def _filled(signs: list[int], between: Sequence[Fraction]) -> list[int]:
    """The signs, where both functions are equal to rounding those of the neighbour nearer 0."""
    inwards = sorted(range(len(signs)), key=lambda i: min((abs(t) for t in between[max(i - 1, 0) : i + 1]), default=0))
    filled = list(signs)
    for i in inwards:
        if not filled[i]:
            beside = (i - 1, i + 1) if i and between[i - 1] >= 0 else (i + 1, i - 1)
            filled[i] = next((filled[j] for j in beside if 0 <= j < len(filled) and filled[j]), 0)
    return filled


def _larger(f: Tree | None, g: Tree | None, left: End, right: End) -> Segments:
    return _chosen(f, g, lambda s: f if s >= 0 else g, left, right)


def _quotient(over: Tree | None, under: Tree | None, left: End, right: End) -> Segments:
    if over is None or under is None:
        return (), (None,)
    if under == _ZERO:
        raise NotAnalytic("a division by zero")
    whole = quotient(over, under)
    if isinstance(under, Number):
        return (), (whole,)
    try:
        inner = crossings(under, left, right)
    except Endless as endless:
        inner = [algebra.exact(endless.at)]
    for t in [*inner, *(end for end in (left, right) if end is not None and vanishes(under, float(end)))]:
        if _divides_at(whole, float(t)):
            with np.errstate(all="ignore"):
                kind = "0/0" if vanishes(over, float(t)) else "a pole"
            raise NotAnalytic(f"{kind} at x = {float(t):.6g}: the divisor is 0 there")
    return (), (whole,)


def _divides_at(tree: Tree, t: float) -> bool:
    """Whether a divisor in the tree is 0 at t."""
    match tree:
        case Quotient(over=over, under=under):
            return vanishes(under, t) or _divides_at(over, t) or _divides_at(under, t)
        case Sum(parts=parts) | Product(parts=parts):
            return any(_divides_at(part, t) for part in parts)
        case Power(base=base):
            return _divides_at(base, t)
    return False


def _power(base: Tree | None, exponent: Tree | None, left: End, right: End) -> Segments:
    if base is None or exponent is None:
        return (), (None,)
    if not isinstance(exponent, Number):
        if not isinstance(base, Number):
            _require(base, 0, "a power whose exponent varies", left, right)
        elif base.value <= 0:
            raise NotAnalytic("a power whose exponent varies needs a positive base")
        return (), (power(base, exponent),)
    n = exponent.value
    if n.denominator == 1 and abs(n) > _LARGEST_POWER:
        raise NotAnalytic(f"the exponent of ** is no whole number from 0 to {_LARGEST_POWER}")
    if n.denominator > 1:
        if isinstance(base, Number) and base.value < 0:
            raise NotAnalytic("a power of a negative number: the exponent has to be a whole number")
        _require(base, 0, f"the power {float(n):.6g}", left, right, touching=n >= 1)
        return (), (power(base, exponent),)
    return _quotient(_ONE, power(base, Number(-n)), left, right) if n < 0 else ((), (power(base, exponent),))


def _call(name: str, u: Tree | None, left: End, right: End) -> Segments:
    if u is None:
        return (), (None,)
    tree = call(name, u)
    if isinstance(u, Number) and not isinstance(tree, Number):
        raise NotAnalytic(f"{name} of {float(u.value):.6g} is no number")
    if name in _LEAST and not isinstance(u, Number):
        _require(u, _LEAST[name], name, left, right)
    return (), (tree,)


def _require(u: Tree, least: int, name: str, left: End, right: End, touching: bool = False) -> None:
    """Refuse a u that falls below `least`, or unless `touching` down to it, between left and right."""
    above = summed([u, number(-least)])
    try:
        inner = crossings(above, left, right)
    except Endless as endless:
        raise NotAnalytic(f"the argument of {name} is {least} at x = {endless.at:.6g}, and endlessly often") from None
    for a, b in pairwise((left, *inner, right)):
        if sign_between(above, a, b) < 0:
            x = _inside(a, b)
            with np.errstate(all="ignore"):
                value = float(u.values(np.array([x]))[0])
            raise NotAnalytic(f"{name} has no value at x = {x:.6g}, where its argument is {value:.6g}")
    ends = [end for end in (left, right) if end is not None and vanishes(above, float(end))]
    if touching or not (inner or ends):
        return
    t = float((inner or ends)[0])
    if name == "sqrt" or name.startswith("the power"):
        raise NotAnalytic(
            f"{name} is infinitely steep at x = {t:.6g}, where its argument is 0: the square of the slope has no mean; "
            "write u**1.5 for u*sqrt(u)"
        )
    raise NotAnalytic(f"{name} is -inf at x = {t:.6g}, where its argument is {least}")


def _inside(left: End, right: End) -> float:
    """A point between two ends, a round one if there is one."""
    if left is None:
        return float(right - 1) if right is not None else -1.0
    return float((left + right) / 2 if right is not None else left + 1)


def _square(tree: Tree | None) -> Tree | None:
    """u where the tree is u², if it is one."""
    match tree:
        case Power(base=base, exponent=n) if n.denominator == 1 and n % 2 == 0 and n > 0:
            return power(base, Number(n / 2))
        case Product(parts=(f, g)) if f == g:
            return f
        case Product(parts=(Number(value=c), *rest)) if c > 0 and (root := _square(product(rest))) is not None:
            return product([call("sqrt", Number(c)), root])
    return None


def _root(u: Tree | None, left: End, right: End) -> Segments:
    root = _square(u)
    if root is None:
        return _call("sqrt", u, left, right)
    return _larger(root, negative(root), left, right)
