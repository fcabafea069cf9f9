"""Analytic functions of x as trees, with their first two derivatives, in doubles.

A tree is evaluated as a jet (f, f', f''), carried from the leaves upwards by the chain rule: the derivatives are exact,
and as stable as the values. What is made by `call`, `quotient` and their like is first brought into a form that neither
overflows nor cancels: log(1 + exp(u)) is softplus(u), 1/(1 + exp(−u)) sigmoid(u), exp(u) − 1 expm1(u). docs/theory.md,
section 15.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.primitives import PRIMITIVES, Jet

__all__ = [
    "Call",
    "Number",
    "Power",
    "Product",
    "Quotient",
    "Sum",
    "Tree",
    "X",
    "call",
    "number",
    "power",
    "product",
    "quotient",
    "summed",
]

Array = NDArray[np.float64]


class Tree(ABC):
    """A function of x."""

    @abstractmethod
    def jet(self, x: Array) -> Jet:
        """The function and its first two derivatives at x, of any shape; NaN or ∞ where they are none."""

    @abstractmethod
    def __str__(self) -> str:
        """The function as an expression in x."""


@dataclass(frozen=True)
class _X(Tree):
    def jet(self, x: Array) -> Jet:
        return x, np.ones_like(x), np.zeros_like(x)

    def __str__(self) -> str:
        return "x"


#: x itself.
X: Tree = _X()


@dataclass(frozen=True)
class Number(Tree):
    """A constant, exact."""

    value: Fraction

    def jet(self, x: Array) -> Jet:
        return np.full_like(x, float(self.value)), np.zeros_like(x), np.zeros_like(x)

    def __str__(self) -> str:
        return f"{float(self.value):.17g}" if self.value.denominator > 10**6 else str(self.value)


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

    def __str__(self) -> str:
        return " + ".join(map(str, self.parts)).replace("+ -", "- ")


@dataclass(frozen=True)
class Product(Tree):
    """At least two factors, none of them a product, the number first if there is one."""

    parts: tuple[Tree, ...]

    def jet(self, x: Array) -> Jet:
        f, d1, d2 = self.parts[0].jet(x)
        for factor in self.parts[1:]:
            g, e1, e2 = factor.jet(x)
            f, d1, d2 = f * g, d1 * g + f * e1, d2 * g + 2 * d1 * e1 + f * e2
        return f, d1, d2

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
        f = f / g
        # From f g = over, twice differentiated.
        first = (d1 - f * e1) / g
        return f, first, (d2 - 2 * first * e1 - f * e2) / g

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
        slope, bend = n * np.power(u, n - 1), n * (n - 1) * np.power(u, n - 2)
        return np.power(u, n), slope * d1, bend * d1 * d1 + slope * d2

    def __str__(self) -> str:
        n = self.exponent
        return f"{_in_power(self.base)}**{n if n.denominator == 1 and n > 0 else f'({n})'}"


@dataclass(frozen=True)
class Call(Tree):
    """A primitive of a function."""

    name: str
    argument: Tree

    def jet(self, x: Array) -> Jet:
        u, d1, d2 = self.argument.jet(x)
        f, slope, bend = PRIMITIVES[self.name](u)
        # Of a linear argument d2 is 0 also where the slope is ∞.
        return f, slope * d1, bend * d1 * d1 + np.where(d2, slope * d2, 0.0)

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


def number(value: Fraction | int) -> Tree:
    """A constant."""
    return Number(Fraction(value))


def summed(terms: Iterable[Tree]) -> Tree:
    """The sum: numbers are added up, and exp(u) − 1 and u − tanh(u) are what keeps their digits near 0."""
    constants, flat = _sorted(Sum, terms)
    constant = sum(constants, Fraction(0))
    for k, part in enumerate(flat):
        if isinstance(part, Call) and part.name == "exp" and constant == -1:
            flat[k], constant = Call("expm1", part.argument), Fraction(0)
    for part in tuple(flat):
        opposite = negative(part)
        if _taken(flat, part, opposite):
            continue
        if isinstance(part, Call) and part.name == "tanh" and _taken(flat, part, negative(part.argument)):
            flat.append(negative(Call("tanhshrink", part.argument)))
        if isinstance(opposite, Call) and opposite.name == "tanh" and _taken(flat, part, opposite.argument):
            flat.append(Call("tanhshrink", opposite.argument))
    if constant or not flat:
        flat.append(Number(constant))
    return flat[0] if len(flat) == 1 else Sum(tuple(flat))


def _sorted(kind: type[Sum] | type[Product], parts: Iterable[Tree]) -> tuple[list[Fraction], list[Tree]]:
    """The numbers among the parts, and all others; what is itself of that kind is taken apart."""
    flat = [part for whole in parts for part in (whole.parts if isinstance(whole, kind) else (whole,))]
    numbers = [part.value for part in flat if isinstance(part, Number)]
    return numbers, [part for part in flat if not isinstance(part, Number)]


def _taken(flat: list[Tree], one: Tree, other: Tree) -> bool:
    """Whether both are there; they are then taken out."""
    if one not in flat or other not in flat:
        return False
    flat.remove(one)
    flat.remove(other)
    return True


def negative(tree: Tree) -> Tree:
    """−f."""
    return product([Number(Fraction(-1)), tree])


def product(factors: Iterable[Tree]) -> Tree:
    """The product: numbers are multiplied, and a number times a sum is a sum."""
    constants, flat = _sorted(Product, factors)
    constant = prod(constants, start=Fraction(1))
    if not constant or not flat:
        return Number(constant)
    if constant != 1 and len(flat) == 1 and isinstance(flat[0], Sum):
        return summed(product([Number(constant), term]) for term in flat[0].parts)
    if constant != 1:
        flat.insert(0, Number(constant))
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def quotient(over: Tree, under: Tree) -> Tree:
    """The quotient; u/(1 + exp(v)) is u sigmoid(−v), and u exp(v)/(1 + exp(v)) is u sigmoid(v).

    Raises:
        ZeroDivisionError: `under` is 0.
    """
    if isinstance(under, Number):
        return product([Number(1 / under.value), over])
    exponent = _one_plus_exp(under)
    if exponent is not None:
        factors = list(over.parts) if isinstance(over, Product) else [over]
        growing = Call("exp", exponent)
        if growing in factors:
            factors.remove(growing)
            return product([*factors, Call("sigmoid", exponent)])
        return product([over, Call("sigmoid", negative(exponent))])
    if isinstance(over, Product) and isinstance(over.parts[0], Number):
        return product([over.parts[0], quotient(product(over.parts[1:]), under)])
    return Quotient(over, under)


def _one_plus_exp(tree: Tree) -> Tree | None:
    """v where the tree is 1 + exp(v)."""
    match tree:
        case Sum(parts=(Call(name="exp", argument=v), Number(value=one))) if one == 1:
            return v
    return None


def power(base: Tree, exponent: Tree) -> Tree:
    """A power: of whole exponents a product's like, of others only where the base is positive.

    Raises:
        ZeroDivisionError: 0 to a negative power.
    """
    if not isinstance(exponent, Number):
        return call("exp", product([exponent, call("log", base)]))
    n = exponent.value
    if isinstance(base, Number) and n.denominator == 1:
        return Number(base.value ** int(n))
    if n in (0, 1):
        return base if n else Number(Fraction(1))
    if n == Fraction(1, 2):
        return call("sqrt", base)
    if n == -1:
        return quotient(Number(Fraction(1)), base)
    if isinstance(base, Power) and n.denominator == 1 == base.exponent.denominator:
        return power(base.base, Number(n * base.exponent))
    return Power(base, n)


def call(name: str, argument: Tree) -> Tree:
    """A primitive of a function; log(1 + exp(u)) is softplus(u), and log(1 + u) log1p(u)."""
    if name == "log1p" and isinstance(argument, Call) and argument.name == "exp":
        return Call("softplus", argument.argument)
    if name == "log":
        exponent = _one_plus_exp(argument)
        if exponent is not None:
            return Call("softplus", exponent)
        if isinstance(argument, Sum) and argument.parts[-1] == Number(Fraction(1)):
            return call("log1p", summed(argument.parts[:-1]))
        if isinstance(argument, Call) and argument.name == "sigmoid":
            return Call("logsigmoid", argument.argument)
    return Call(name, argument)
