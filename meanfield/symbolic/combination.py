"""Sums of known functions with rational coefficients: the one form that every derived quantity has.

A Gaussian expectation of a piecewise polynomial is Σ coefficient·atom, the atoms being functions such as Φ(−τ/√q) and
ϕ(τ/√q), the coefficients rational functions of √q and the parameters. Different atoms are linearly independent over the
coefficients, so that collecting equal atoms *is* the simplification, exact and quick, and 0 is the empty sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import lcm
from typing import Any, NamedTuple

from sympy import Add, Expr, Integer, Mul

from meanfield.symbolic.parameters import Element, Polynomial

__all__ = ["ONE", "Atom", "Combination", "collected", "expression"]


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

    def mapped(self, rule: Callable[[Atom, Element], Combination]) -> Combination:
        """The sum of what the rule makes of each atom and its coefficient."""
        return total(rule(atom, c) for atom, c in self.terms.items())


def total(combinations: Iterable[Combination]) -> Combination:
    """The sum of several."""
    return reduce(Combination.__add__, combinations, Combination())


def expression(element: Element, values: Sequence[Expr]) -> Expr:
    """A coefficient as a sympy expression, factored where that is shorter; `values` stand for the generators."""
    return Mul(*_factors(element, values)) if element else Integer(0)


def collected(terms: Mapping[Expr, Element], values: Sequence[Expr]) -> Expr:
    """Σ coefficient·function with their common factor taken out, where `terms` maps function to coefficient.

    Of the last generator a common power is taken out only where that is shorter.
    """
    terms = {function: c for function, c in terms.items() if c}
    if not terms:
        return Integer(0)
    common = _common_factor(list(terms.values()))
    last = common.field.gens[-1]
    power = _lowest_power(common)
    return min((_with_outside(common * last ** -n, terms, values) for n in (power, 0)), key=Expr.count_ops)


def _with_outside(common: Element, terms: Mapping[Expr, Element], values: Sequence[Expr]) -> Expr:
    inner = Add(*(Mul(*_factors(c / common, values), function) for function, c in terms.items()))
    outer = expression(common, values)
    # sympy would multiply a number back into a sum.
    return Mul(outer, inner, evaluate=False) if outer.is_Number and inner.is_Add and outer != 1 else outer * inner


def _common_factor(coefficients: list[Element]) -> Element:
    """What divides every numerator, over what divides every denominator; negative where all coefficients are."""
    field = coefficients[0].field
    denominators = [c.denom for c in coefficients]
    number = lcm(*(int(d.content()) for d in denominators))
    shared = reduce(lambda a, b: a.gcd(b), denominators)
    common = field(shared.primitive()[1]) * number
    common = field(reduce(lambda a, b: a.gcd(b), ((c * common).numer for c in coefficients))) / common
    return -common if all((c / common).numer.LC < 0 for c in coefficients) else common


def _lowest_power(element: Element) -> int:
    """The power of the last generator that divides it."""
    above, below = (int(min(powers[-1] for powers in p)) for p in (element.numer, element.denom))
    return above - below


def _factors(element: Element, values: Sequence[Expr]) -> list[Expr]:
    return [*_product(element.numer, values), *(1 / f for f in _product(element.denom, values))]


def _product(polynomial: Polynomial, values: Sequence[Expr]) -> list[Expr]:
    """A polynomial as the factors of an expression: itself, or factored where that is shorter."""
    content, factors = polynomial.factor_list()
    expanded = polynomial.as_expr(*values)
    factored = [_factor(p, values) for p, _ in factors]
    if content < 0:
        # −(a − b) is better written b − a.
        for i, (p, power) in enumerate(factors):
            if power % 2 and any(c < 0 for c in p.values()):
                factored[i], content = _factor(-p, values), -content
                break
    powers = [f**power for f, (_, power) in zip(factored, factors, strict=True)]
    product = [Integer(int(content)), *powers]
    return product if sum(map(Expr.count_ops, powers)) <= expanded.count_ops() else [expanded]


def _factor(polynomial: Polynomial, values: Sequence[Expr]) -> Expr:
    """An irreducible polynomial, ordered by powers of the last generator where that is shorter."""
    by_power: dict[int, Polynomial] = {}
    for powers, c in polynomial.terms():
        term = polynomial.ring.from_dict({(*powers[:-1], 0): c})
        by_power[powers[-1]] = by_power.get(powers[-1], 0) + term
    expanded = polynomial.as_expr(*values)
    if len(by_power) < 2:
        return expanded
    ordered = Add(*(Mul(*_product(p, values), values[-1] ** n) for n, p in by_power.items()))
    return min(expanded, ordered, key=Expr.count_ops)
