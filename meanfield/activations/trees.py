"""Analytic functions of x as trees, with their first two derivatives, in doubles.

A tree is evaluated as a jet (f, f', f''), carried from the leaves upwards by the chain rule: the derivatives are exact,
and as stable as the values. `analytic` makes trees in forms that keep their digits. docs/theory.md, section 15.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.primitives import PRIMITIVES, VALUES, Jet
from meanfield.errors import ActivationError

__all__ = ["Call", "Number", "Power", "Product", "Quotient", "Sum", "Tree", "X", "with_doubles"]

Array = NDArray[np.float64]

#: A fraction with a larger denominator is written as a decimal.
_SHORT = 10**6


class Tree(ABC):
    """A function of x."""

    @abstractmethod
    def jet(self, x: Array) -> Jet:
        """The function and its first two derivatives at x, of any shape; NaN or ∞ where they are none."""

    @abstractmethod
    def values(self, x: Array) -> Array:
        """The function alone, the same as in its jet."""

    @abstractmethod
    def size(self, x: Array) -> Array:
        """How large what is added up in it is at x: its rounding is a few units in the last place of that."""

    @abstractmethod
    def __str__(self) -> str:
        """The function as an expression in x."""


def _times(f: Array, g: Array) -> Array:
    """f g, and 0 where f is 0 and g overflows."""
    product: Array = np.where(f == 0, 0.0, f * g)
    return product


@dataclass(frozen=True)
class _X(Tree):
    def jet(self, x: Array) -> Jet:
        return x, np.ones_like(x), np.zeros_like(x)

    def values(self, x: Array) -> Array:
        return x

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

    def jet(self, x: Array) -> Jet:
        return np.full_like(x, float(self.value)), np.zeros_like(x), np.zeros_like(x)

    def values(self, x: Array) -> Array:
        return np.full_like(x, float(self.value))

    def size(self, x: Array) -> Array:
        return np.full_like(x, abs(float(self.value)))

    def __str__(self) -> str:
        return f"{float(self.value)!r}" if self.value.denominator > _SHORT else str(self.value)


@dataclass(frozen=True)
class Sum(Tree):
    """At least two terms, none of them a sum, the number last if there is one."""

    parts: tuple[Tree, ...]

    def jet(self, x: Array) -> Jet:
        f, d1, d2 = self.parts[0].jet(x)
        for term in self.parts[1:]:
            g, e1, e2 = term.jet(x)
            f, d1, d2 = f + g, d1 + e1, d2 + e2
        return f, d1, d2

    def values(self, x: Array) -> Array:
        f = self.parts[0].values(x)
        for term in self.parts[1:]:
            f = f + (float(term.value) if isinstance(term, Number) else term.values(x))
        return f

    def size(self, x: Array) -> Array:
        total: Array = np.sum([part.size(x) for part in self.parts], axis=0)
        return total

    def __str__(self) -> str:
        return " + ".join(map(str, self.parts)).replace("+ -", "- ")


@dataclass(frozen=True)
class Product(Tree):
    """At least two factors, none of them a product, the number first if there is one."""

    parts: tuple[Tree, ...]

    def jet(self, x: Array) -> Jet:
        first, *others = self.parts
        if isinstance(first, Number):
            c, (second, *others) = float(first.value), others
            f, d1, d2 = second.jet(x)
            f, d1, d2 = c * f, c * d1, c * d2
        elif first == X:
            second, *others = others
            g, e1, e2 = second.jet(x)
            f, d1, d2 = x * g, g + x * e1, 2 * e1 + x * e2
        else:
            f, d1, d2 = first.jet(x)
        for factor in others:
            g, e1, e2 = factor.jet(x)
            f, d1, d2 = (
                f * g,
                _times(g, d1) + _times(e1, f),
                _times(g, d2) + 2 * _times(e1, d1) + _times(e2, f),
            )
        return f, d1, d2

    def values(self, x: Array) -> Array:
        first, *others = self.parts
        f: Array | float = float(first.value) if isinstance(first, Number) else first.values(x)
        for factor in others:
            f = f * factor.values(x)
        return np.asarray(f)

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

    def jet(self, x: Array) -> Jet:
        g, e1, e2 = self.under.jet(x)
        f, d1, d2 = self.over.jet(x)
        beyond = np.isinf(g) & np.isfinite(f)
        f = f / g
        # From f g = over, twice differentiated.
        first = (d1 - f * e1) / g
        second = (d2 - 2 * first * e1 - f * e2) / g
        return f, np.where(beyond, 0.0, first), np.where(beyond, 0.0, second)

    def values(self, x: Array) -> Array:
        return self.over.values(x) / self.under.values(x)

    def size(self, x: Array) -> Array:
        g = np.abs(self.under.jet(x)[0])
        quotient: Array = self.over.size(x) / g * np.maximum(1.0, self.under.size(x) / g)
        return quotient

    def __str__(self) -> str:
        return f"{_in_product(self.over)}/{_in_power(self.under)}"


@dataclass(frozen=True)
class Power(Tree):
    """A function to a constant power that is neither 0 nor 1."""

    base: Tree
    exponent: Fraction

    def jet(self, x: Array) -> Jet:
        u, d1, d2 = self.base.jet(x)
        n = float(self.exponent)
        slope = n * np.power(u, n - 1)
        bend = n * (n - 1) * np.power(u, n - 2) if n != 2 else np.full_like(u, 2.0)
        return np.power(u, n), _times(slope, d1), _times(_times(d1, d1), bend) + _times(slope, d2)

    def values(self, x: Array) -> Array:
        power: Array = np.power(self.base.values(x), float(self.exponent))
        return power

    def size(self, x: Array) -> Array:
        u, n = np.abs(self.base.jet(x)[0]), float(self.exponent)
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

    def jet(self, x: Array) -> Jet:
        if self.argument == X:
            return PRIMITIVES[self.name](x)
        u, d1, d2 = self.argument.jet(x)
        f, slope, bend = PRIMITIVES[self.name](u)
        # Of a linear argument d2 is 0 also where the slope is ∞.
        return f, _times(slope, d1), _times(bend, d1 * d1) + _times(d2, slope)

    def values(self, x: Array) -> Array:
        return VALUES[self.name](self.argument.values(x))

    def size(self, x: Array) -> Array:
        f, slope, _ = PRIMITIVES[self.name](self.argument.jet(x)[0])
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
