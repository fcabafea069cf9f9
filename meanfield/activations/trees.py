"""Analytic functions of x as trees, with their first two derivatives, in doubles.

A tree is evaluated as f, f' and f'', carried from the leaves upwards by the chain rule: the derivatives are exact, and
as stable as the values. Each is worked out when it is asked for, of what those before it have left. `analytic` makes
trees in forms that keep their digits. docs/theory.md, section 15.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import islice
from operator import add, mul

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.primitives import PRIMITIVES, Derivatives, Jet
from meanfield.errors import ActivationError

__all__ = ["Call", "Number", "Power", "Product", "Quotient", "Sum", "Tree", "X", "leibniz", "with_doubles"]

Array = NDArray[np.float64]

#: Of these exponents a power is a product: of negative numbers others take ten times as long.
_FEW = (1, 2, 3, 4)
#: A fraction with a larger denominator is written as a decimal.
_SHORT = 10**6


class Tree(ABC):
    """A function of x."""

    @abstractmethod
    def derivatives(self, x: Array) -> Derivatives:
        """The function at x, of any shape, then its first two derivatives; NaN or ∞ where they are none.

        What does not vary has no dimensions.
        """

    def jet(self, x: Array) -> Jet:
        """The function and its first two derivatives, each of the shape of x."""
        f, d1, d2 = (_shaped(d, x) for d in self.derivatives(x))
        return f, d1, d2

    def with_slopes(self, x: Array) -> tuple[Array, Array]:
        """The function and its first derivative, the same as in its jet."""
        f, d1 = (_shaped(d, x) for d in islice(self.derivatives(x), 2))
        return f, d1

    def values(self, x: Array) -> Array:
        """The function alone, the same as in its jet."""
        return _shaped(next(self.derivatives(x)), x)

    @abstractmethod
    def size(self, x: Array) -> Array:
        """How large what is added up in it is at x: its rounding is a few units in the last place of that."""

    @abstractmethod
    def __str__(self) -> str:
        """The function as an expression in x."""


def _shaped(d: Array, x: Array) -> Array:
    return d if d.shape == x.shape else np.full(x.shape, d)


def _times(f: Array, g: Array) -> Array:
    """f g, and 0 where f is 0 and g overflows."""
    product: Array = f * g
    return product if not g.ndim and np.isfinite(g) else np.where(f == 0, 0.0, product)


def leibniz(left: Derivatives, right: Derivatives) -> Derivatives:
    """Those of a product, of those of its factors."""
    f, g = next(left), next(right)
    yield f * g
    d1, e1 = next(left), next(right)
    yield _times(g, d1) + _times(e1, f)
    yield _times(g, next(left)) + 2 * _times(e1, d1) + _times(next(right), f)


def _x_times(x: Array, right: Derivatives) -> Derivatives:
    """The same of x g: x is finite."""
    g = next(right)
    yield x * g
    e1 = next(right)
    yield g + x * e1
    yield 2 * e1 + x * next(right)


def _power(u: Array, n: float) -> Array:
    power: Array = reduce(mul, [u] * int(n)) if n in _FEW else np.power(u, n)
    return power


@dataclass(frozen=True)
class _X(Tree):
    def derivatives(self, x: Array) -> Derivatives:
        return iter((x, np.ones(()), np.zeros(())))

    def size(self, x: Array) -> Array:
        return np.abs(x)

    def __str__(self) -> str:
        return "x"


#: x itself.
X: Tree = _X()


@dataclass(frozen=True)
class Number(Tree):
    """A constant, exact.

    Raises:
        ActivationError: it is beyond the doubles.
    """

    value: Fraction

    def __post_init__(self) -> None:
        try:
            float(self.value)
        except OverflowError:
            raise ActivationError("it needs numbers larger than 1.8e308: rescale it") from None

    def derivatives(self, x: Array) -> Derivatives:
        return iter((np.array(float(self.value)), np.zeros(()), np.zeros(())))

    def size(self, x: Array) -> Array:
        return np.full_like(x, abs(float(self.value)))

    def __str__(self) -> str:
        return f"{float(self.value)!r}" if self.value.denominator > _SHORT else str(self.value)


@dataclass(frozen=True)
class Sum(Tree):
    """At least two terms, none of them a sum, the number last if there is one."""

    parts: tuple[Tree, ...]

    def derivatives(self, x: Array) -> Derivatives:
        terms = [part.derivatives(x) for part in self.parts]
        return (reduce(add, map(next, terms)) for _ in range(3))

    def size(self, x: Array) -> Array:
        total: Array = np.sum([part.size(x) for part in self.parts], axis=0)
        return total

    def __str__(self) -> str:
        return " + ".join(map(str, self.parts)).replace("+ -", "- ")


@dataclass(frozen=True)
class Product(Tree):
    """At least two factors, none of them a product, the number first if there is one."""

    parts: tuple[Tree, ...]

    def derivatives(self, x: Array) -> Derivatives:
        first, *others = self.parts
        found = first.derivatives(x)
        if isinstance(first, Number):
            c, (second, *others) = float(first.value), others
            found = (c * d for d in second.derivatives(x))
        elif first == X:
            second, *others = others
            found = _x_times(x, second.derivatives(x))
        return reduce(leibniz, (factor.derivatives(x) for factor in others), found)

    def size(self, x: Array) -> Array:
        product: Array = np.prod([part.size(x) for part in self.parts], axis=0)
        return product

    def __str__(self) -> str:
        if self.parts[0] == Number(Fraction(-1)):
            return f"-{'*'.join(map(_in_product, self.parts[1:]))}"
        return "*".join(map(_in_product, self.parts))


@dataclass(frozen=True)
class Quotient(Tree):
    """One function over another."""

    over: Tree
    under: Tree

    def derivatives(self, x: Array) -> Derivatives:
        over, under = self.over.derivatives(x), self.under.derivatives(x)
        top, g = next(over), next(under)
        f = top / g
        yield f
        # From f g = over, twice differentiated.
        beyond, e1 = np.isinf(g) & np.isfinite(top), next(under)
        first = (next(over) - f * e1) / g
        yield np.where(beyond, 0.0, first)
        yield np.where(beyond, 0.0, (next(over) - 2 * first * e1 - f * next(under)) / g)

    def size(self, x: Array) -> Array:
        g = np.abs(self.under.values(x))
        quotient: Array = self.over.size(x) / g * np.maximum(1.0, self.under.size(x) / g)
        return quotient

    def __str__(self) -> str:
        return f"{_in_product(self.over)}/{_in_power(self.under)}"


@dataclass(frozen=True)
class Power(Tree):
    """A function to a constant power that is neither 0 nor 1."""

    base: Tree
    exponent: Fraction

    def derivatives(self, x: Array) -> Derivatives:
        base, n = self.base.derivatives(x), float(self.exponent)
        u = next(base)
        yield _power(u, n)
        slope, d1 = n * _power(u, n - 1), next(base)
        yield _times(slope, d1)
        bend = n * (n - 1) * _power(u, n - 2) if n != 2 else np.array(2.0)
        yield _times(_times(d1, d1), bend) + _times(slope, next(base))

    def size(self, x: Array) -> Array:
        u, n = np.abs(self.base.values(x)), float(self.exponent)
        power: Array = np.power(u, n) * np.maximum(1.0, abs(n) * self.base.size(x) / u)
        return power if n < 1 else np.where(u == 0, np.power(self.base.size(x), n), power)

    def __str__(self) -> str:
        n = self.exponent
        return f"{_in_power(self.base)}**{n if n.denominator == 1 and n > 0 else f'({Number(n)})'}"


@dataclass(frozen=True)
class Call(Tree):
    """A primitive of a function."""

    name: str
    argument: Tree

    def derivatives(self, x: Array) -> Derivatives:
        return PRIMITIVES[self.name](x) if self.argument == X else self._chained(x)

    def _chained(self, x: Array) -> Derivatives:
        argument = self.argument.derivatives(x)
        outer = PRIMITIVES[self.name](next(argument))
        yield next(outer)
        slope, d1 = next(outer), next(argument)
        yield _times(slope, d1)
        # Of a linear argument its second derivative is 0 also where the slope is ∞.
        yield _times(next(outer), d1 * d1) + _times(next(argument), slope)

    def size(self, x: Array) -> Array:
        f, slope = islice(PRIMITIVES[self.name](self.argument.values(x)), 2)
        return np.abs(f) + _times(np.abs(slope), self.argument.size(x))

    def __str__(self) -> str:
        return f"{self.name}({self.argument})"


def _in_product(tree: Tree) -> str:
    bare = isinstance(tree, Sum | Quotient) or (isinstance(tree, Number) and tree.value.denominator > 1)
    return f"({tree})" if bare else str(tree)


def _in_power(tree: Tree) -> str:
    whole = isinstance(tree, Call | _X) or (
        isinstance(tree, Number) and tree.value >= 0 and tree.value.denominator == 1
    )
    return str(tree) if whole else f"({tree})"


def with_doubles(tree: Tree) -> Tree:
    """The tree with every number as it is written: short fractions as they are, others as the decimals of doubles."""
    match tree:
        case Number(value=value) if value.denominator > _SHORT:
            return Number(Fraction(repr(float(value))))
        case Sum(parts=parts) | Product(parts=parts):
            return type(tree)(tuple(map(with_doubles, parts)))
        case Quotient(over=over, under=under):
            return Quotient(with_doubles(over), with_doubles(under))
        case Power(base=base, exponent=n):
            return Power(with_doubles(base), n)
        case Call(name=name, argument=u):
            return Call(name, with_doubles(u))
    return tree
