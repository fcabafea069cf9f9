"""Analytic functions of x as trees, with their first two derivatives, in doubles.

A tree is evaluated as a jet (f, f', f''), carried from the leaves upwards by the chain rule: the derivatives are exact,
and as stable as the values. What is made by `call`, `quotient` and their like is first brought into a form that neither
overflows nor cancels: log(1 + exp(u)) is softplus(u), 1/(1 + exp(−u)) sigmoid(u), exp(u) − 1 expm1(u). docs/theory.md,
section 15.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PRIMITIVES",
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
#: f, f' and f'' at some points.
Jet = tuple[Array, Array, Array]

_ROOT_2PI = math.sqrt(2 * math.pi)


def _tanh(u: Array) -> Jet:
    t = np.tanh(u)
    # 1 − tanh² has no digits left where tanh is 1.
    slope = 4 * _logistic_slope(2 * u)
    return t, slope, -2 * t * slope


def _logistic(u: Array) -> Array:
    e = np.exp(-np.abs(u))
    value: Array = np.where(u < 0, e, 1.0) / (1 + e)
    return value


def _logistic_slope(u: Array) -> Array:
    e = np.exp(-np.abs(u))
    slope: Array = e / (1 + e) ** 2
    return slope


def _sigmoid(u: Array) -> Jet:
    slope = _logistic_slope(u)
    return _logistic(u), slope, -slope * np.tanh(0.5 * u)


def _softplus(u: Array) -> Jet:
    return np.logaddexp(0, u), _logistic(u), _logistic_slope(u)


def _logsigmoid(u: Array) -> Jet:
    return -np.logaddexp(0, -u), _logistic(-u), -_logistic_slope(u)


#: u − tanh u = Σ cₖ u^(2k + 3), for |u| ≤ 1/4; tests/activations/test_analytic.py derives them.
_TANHSHRINK = (
    3.3333333333333331e-01,
    -1.3333333333333333e-01,
    5.3968253968253971e-02,
    -2.1869488536155203e-02,
    8.8632355299021973e-03,
    -3.5921280365724811e-03,
    1.4558343870513183e-03,
    -5.9002744094558595e-04,
    2.3912911424355248e-04,
    -9.6915379569294509e-05,
    3.9278323883316833e-05,
)
_CLOSE = 0.25


def _tanhshrink(u: Array) -> Jet:
    t, slope, _ = _tanh(u)
    square, series = np.minimum(u * u, _CLOSE**2), np.zeros_like(u)
    for coefficient in _TANHSHRINK[::-1]:
        series = series * square + coefficient
    return np.where(np.abs(u) <= _CLOSE, series * square * u, u - t), t * t, 2 * t * slope


def _exp(u: Array) -> Jet:
    e = np.exp(u)
    return e, e, e


def _expm1(u: Array) -> Jet:
    e = np.exp(u)
    return np.expm1(u), e, e


def _log(u: Array) -> Jet:
    return np.log(u), 1 / u, -1 / (u * u)


def _log1p(u: Array) -> Jet:
    return np.log1p(u), 1 / (1 + u), -1 / (1 + u) ** 2


def _sqrt(u: Array) -> Jet:
    root = np.sqrt(u)
    return root, 0.5 / root, -0.25 / (u * root)


def _sin(u: Array) -> Jet:
    s = np.sin(u)
    return s, np.cos(u), -s


def _cos(u: Array) -> Jet:
    c = np.cos(u)
    return c, -np.sin(u), -c


def _atan(u: Array) -> Jet:
    slope = 1 / (1 + u * u)
    return np.arctan(u), slope, -2 * u * slope * slope


def _asinh(u: Array) -> Jet:
    slope = 1 / np.hypot(1, u)
    return np.arcsinh(u), slope, -u * slope**3


def _sinh(u: Array) -> Jet:
    s = np.sinh(u)
    return s, np.cosh(u), s


def _cosh(u: Array) -> Jet:
    c = np.cosh(u)
    return c, np.sinh(u), c


def _erf(u: Array) -> Jet:
    from scipy.special import erf

    slope = 2 / math.sqrt(math.pi) * np.exp(-u * u)
    return erf(u), slope, -2 * u * slope


def _normal(u: Array) -> Jet:
    from scipy.special import ndtr

    density = np.exp(-0.5 * u * u) / _ROOT_2PI
    return ndtr(u), density, -u * density


#: The functions that a tree may call.
PRIMITIVES: dict[str, Callable[[Array], Jet]] = {
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "logsigmoid": _logsigmoid,
    "tanhshrink": _tanhshrink,
    "exp": _exp,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "sqrt": _sqrt,
    "sin": _sin,
    "cos": _cos,
    "atan": _atan,
    "asinh": _asinh,
    "sinh": _sinh,
    "cosh": _cosh,
    "erf": _erf,
    "Phi": _normal,
}


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

    terms: tuple[Tree, ...]

    def jet(self, x: Array) -> Jet:
        f, d1, d2 = self.terms[0].jet(x)
        for term in self.terms[1:]:
            g, e1, e2 = term.jet(x)
            f, d1, d2 = f + g, d1 + e1, d2 + e2
        return f, d1, d2

    def __str__(self) -> str:
        return " + ".join(map(str, self.terms)).replace("+ -", "- ")


@dataclass(frozen=True)
class Product(Tree):
    """At least two factors, none of them a product, the number first if there is one."""

    factors: tuple[Tree, ...]

    def jet(self, x: Array) -> Jet:
        f, d1, d2 = self.factors[0].jet(x)
        for factor in self.factors[1:]:
            g, e1, e2 = factor.jet(x)
            f, d1, d2 = f * g, d1 * g + f * e1, d2 * g + 2 * d1 * e1 + f * e2
        return f, d1, d2

    def __str__(self) -> str:
        if self.factors[0] == Number(Fraction(-1)):
            return f"-{'*'.join(map(_in_product, self.factors[1:]))}"
        return "*".join(map(_in_product, self.factors))


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
        slope = n * _raised(u, self.exponent - 1)
        return _raised(u, self.exponent), slope * d1, n * (n - 1) * _raised(u, self.exponent - 2) * d1 * d1 + slope * d2

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


def _raised(u: Array, exponent: Fraction) -> Array:
    """uⁿ: 1 for n = 0 and of whole n as numpy has them, of others NaN below 0."""
    n: int | float = int(exponent) if exponent.denominator == 1 else float(exponent)
    raised: Array = np.power(u, float(n)) if n else np.ones_like(u)
    return raised


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
    flat: list[Tree] = []
    constant = Fraction(0)
    for term in terms:
        for part in term.terms if isinstance(term, Sum) else (term,):
            if isinstance(part, Number):
                constant += part.value
            else:
                flat.append(part)
    for k, part in enumerate(flat):
        if isinstance(part, Call) and part.name == "exp" and constant == -1:
            flat[k], constant = Call("expm1", part.argument), Fraction(0)
    for part in list(flat):
        if isinstance(part, Call) and part.name == "tanh" and negative(part.argument) in flat:
            flat.remove(part)
            flat.remove(negative(part.argument))
            flat.append(negative(Call("tanhshrink", part.argument)))
        elif negative(part) in flat and part in flat:
            flat.remove(part)
            flat.remove(negative(part))
    for part in list(flat):
        opposite = negative(part)
        if isinstance(opposite, Call) and opposite.name == "tanh" and opposite.argument in flat:
            flat.remove(part)
            flat.remove(opposite.argument)
            flat.append(Call("tanhshrink", opposite.argument))
    if constant or not flat:
        flat.append(Number(constant))
    return flat[0] if len(flat) == 1 else Sum(tuple(flat))


def negative(tree: Tree) -> Tree:
    """−f."""
    return product([Number(Fraction(-1)), tree])


def product(factors: Iterable[Tree]) -> Tree:
    """The product: numbers are multiplied, and a number times a sum is a sum."""
    flat: list[Tree] = []
    constant = Fraction(1)
    for factor in factors:
        for part in factor.factors if isinstance(factor, Product) else (factor,):
            if isinstance(part, Number):
                constant *= part.value
            else:
                flat.append(part)
    if not constant or not flat:
        return Number(constant)
    if constant != 1 and len(flat) == 1 and isinstance(flat[0], Sum):
        return summed(product([Number(constant), term]) for term in flat[0].terms)
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
        factors = list(over.factors) if isinstance(over, Product) else [over]
        growing = Call("exp", exponent)
        if growing in factors:
            factors.remove(growing)
            return product([*factors, Call("sigmoid", exponent)])
        return product([over, Call("sigmoid", negative(exponent))])
    if isinstance(over, Product) and isinstance(over.factors[0], Number):
        return product([over.factors[0], quotient(product(over.factors[1:]), under)])
    return Quotient(over, under)


def _one_plus_exp(tree: Tree) -> Tree | None:
    """v where the tree is 1 + exp(v)."""
    match tree:
        case Sum(terms=(Call(name="exp", argument=v), Number(value=one))) if one == 1:
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
        if isinstance(argument, Sum) and argument.terms[-1] == Number(Fraction(1)):
            return call("log1p", summed(argument.terms[:-1]))
        if isinstance(argument, Call) and argument.name == "sigmoid":
            return Call("logsigmoid", argument.argument)
    return Call(name, argument)
