"""Sums of known functions with rational coefficients: the one form that every derived quantity has.

A Gaussian expectation of a piecewise polynomial is Σ coefficient·atom, the atoms being functions such as Φ(−τ/√q) and
ϕ(τ/√q), the coefficients rational functions of √q and the parameters. Different atoms are linearly independent over the
coefficients, so that collecting equal atoms *is* the simplification, exact and quick, and 0 is the empty sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import lcm
from typing import Any, NamedTuple

from sympy import Add, Expr, Integer, Mul

from meanfield.symbolic.parameters import Element, Polynomial

__all__ = ["ONE", "Atom", "Combination", "collected", "expression", "lowest_power", "total"]


class Atom(NamedTuple):
    """A function that sums are made of: what it is, and what identifies it."""

    kind: str
    arguments: tuple[Any, ...] = ()


#: The constant function 1.
ONE = Atom("one")


@dataclass(frozen=True)
class Combination:
    """Σ coefficient·atom; terms that vanish are dropped."""

    terms: Mapping[Atom, Element] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", {atom: c for atom, c in self.terms.items() if c})

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __add__(self, other: Combination) -> Combination:
        terms = dict(self.terms)
        for atom, c in other.terms.items():
            terms[atom] = terms[atom] + c if atom in terms else c
        return Combination(terms)

    def __sub__(self, other: Combination) -> Combination:
        return self + other.scaled(-1)

    def scaled(self, factor: Element) -> Combination:
        """The sum times a coefficient."""
        return Combination({atom: c * factor for atom, c in self.terms.items()})


def total(combinations: Iterable[Combination]) -> Combination:
    """The sum of several."""
    return reduce(Combination.__add__, combinations, Combination())


def expression(element: Element, values: Sequence[Expr]) -> Expr:
    """A coefficient as a sympy expression, factored where that is shorter; `values` stand for the generators."""
    return _times(*_factors(element, values)) if element else Integer(0)


def collected(terms: Mapping[Expr, Element], values: Sequence[Expr]) -> Expr:
    """Σ coefficient·function with their common factor taken out, where `terms` maps function to coefficient.

    Of the last generator a common power is taken out only where that is shorter.
    """
    terms = {function: c for function, c in terms.items() if c}
    if not terms:
        return Integer(0)
    common = _common_factor(list(terms.values()))
    last = common.field.gens[-1]
    power = lowest_power(common)
    return min((_with_outside(common * last**-n, terms, values) for n in (power, 0)), key=Expr.count_ops)


def _with_outside(common: Element, terms: Mapping[Expr, Element], values: Sequence[Expr]) -> Expr:
    inner = Add(*(_times(*_factors(c / common, values), function) for function, c in terms.items()))
    return _times(*_factors(common, values), inner)


def _times(*factors: Expr) -> Expr:
    """A product in which a number is not multiplied into a sum, as sympy would by itself."""
    number = Mul(*(factor for factor in factors if factor.is_Number))
    rest = Mul(*(factor for factor in factors if not factor.is_Number))
    return Mul(number, rest, evaluate=False) if rest.is_Add and number != 1 else number * rest


def _common_factor(coefficients: list[Element]) -> Element:
    """What divides every numerator, over what divides every denominator; negative where all coefficients are."""
    field = coefficients[0].field
    denominators = [c.denom for c in coefficients]
    number = lcm(*(int(d.content()) for d in denominators))
    shared = reduce(lambda a, b: a.gcd(b), denominators)
    common = field(shared.primitive()[1]) * number
    common = field(reduce(lambda a, b: a.gcd(b), ((c * common).numer for c in coefficients))) / common
    return -common if all((c / common).numer.LC < 0 for c in coefficients) else common


def lowest_power(element: Element, position: int = -1) -> int:
    """The power of a generator, the last unless told otherwise, that divides a coefficient."""
    above, below = (int(min(powers[position] for powers in p)) for p in (element.numer, element.denom))
    return above - below


def _factors(element: Element, values: Sequence[Expr]) -> list[Expr]:
    numerator, denominator = element.numer, element.denom
    if denominator.const() < 0:
        # 1 − ρ rather than ρ − 1 below the line.
        numerator, denominator = -numerator, -denominator
    return [*_product(numerator, values), *(1 / factor for factor in _product(denominator, values))]


def _product(polynomial: Polynomial, values: Sequence[Expr]) -> list[Expr]:
    """A polynomial as a number and the factors of an expression: itself, or factored where that is shorter."""
    if all(powers[-1] % 2 == 0 for powers in polynomial):
        # In q rather than √q, so that q − τ² stays whole.
        halved = {(*powers[:-1], powers[-1] // 2): c for powers, c in polynomial.terms()}
        polynomial, values = polynomial.ring.from_dict(halved), [*values[:-1], values[-1] ** 2]
    content, primitive = polynomial.primitive()
    factors = primitive.factor_list()[1]
    forms = [[(primitive, 1)], factors]
    written = [_signed(int(content), primitive, form, values) for form in forms]
    return min(written, key=lambda factors: (sum(f.count_ops() for f in factors[1:]), len(factors)))


def _signed(
    content: int, primitive: Polynomial, form: list[tuple[Polynomial, int]], values: Sequence[Expr]
) -> list[Expr]:
    """content·Π pⁿ with the sign put where it is least seen: −(a − b) is better written b − a."""
    product = primitive.ring.one
    for p, power in form:
        product *= p**power
    sign = 1 if product == primitive else -1
    factors = []
    for p, power in form:
        mixed = any(c < 0 for c in p.values())
        if mixed and (sign * content < 0 if power % 2 else p.const() < 0):
            p, sign = -p, sign * (-1) ** power
        factors.append(_factor(p, values) ** power)
    return [Integer(sign * content), *factors]


def _factor(polynomial: Polynomial, values: Sequence[Expr]) -> Expr:
    """A polynomial, ordered by powers of the last generator where that is shorter."""
    by_power: dict[int, Polynomial] = {}
    for powers, c in polynomial.terms():
        term = polynomial.ring.from_dict({(*powers[:-1], 0): c})
        by_power[powers[-1]] = by_power.get(powers[-1], 0) + term
    expanded = polynomial.as_expr(*values)
    if len(by_power) < 2:
        return expanded
    ordered = Add(*(Mul(*_product(p, values), values[-1] ** n) for n, p in by_power.items()))
    return min(expanded, ordered, key=Expr.count_ops)
