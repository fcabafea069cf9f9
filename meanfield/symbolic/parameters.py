"""Parameters left as symbols: exact numbers made of them, what is assumed of them, and which of two is larger.

A number such as τ + m is a rational function with integer coefficients (sympy's `FracField`), in lowest terms, so equal
numbers are equal objects. Its sign follows from the signs of its irreducible factors. A factor is positive when all its
coefficients are, or when it is a sum of such a one and of assumptions, each times a monomial in positive parameters (a
certificate, found by linear programming and checked exactly). What does not follow is asked for, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import combinations_with_replacement
from math import lcm, prod
from typing import Any

import numpy as np
from sympy import ZZ, Expr, Symbol
from sympy.polys.fields import FracField

from meanfield.activations.expression import free_names, parse_exactly
from meanfield.errors import ActivationError, UndecidedOrder

__all__ = ["Element", "Parameters", "Parametric", "Polynomial", "field"]

#: An element of a `FracField`, and a polynomial: its numerator or denominator.
Element = Any
Polynomial = Any

_SIDES = re.compile(r"(<=|>=|<|>)")

#: Values of parameters are drawn within a factor 2 to this power of 1, further where too few satisfy the assumptions.
_RANGES = (2.0, 8.0)

#: Draws from each range, where there are assumptions to satisfy.
_DRAWS = 50_000

#: Bounds of the parameters where assumptions leave little room, such as a < 1.0001*b and a > 300.
_SIZES = (8.0, 1e3, 1e6)

#: Of the terms of a number that is assumed to be positive, it is at least so much: clear of 0, where knots would meet.
_CLEAR = 1e-6


def field(symbols: Sequence[Symbol]) -> FracField:
    """The rational functions of some symbols, or of an idle one where there are none."""
    return FracField(list(symbols) or [Symbol("idle")], ZZ)


class Parameters:
    """The parameters of an activation that are left as symbols.

    Args:
        names: their names.
        unsigned: those of them that may be negative; every other is positive.
        assume: inequalities between expressions in them, such as "tau > 2*m" or "0 < a < b"; >= is read as >.

    Attributes: `positive` and `unsigned`, the names of either kind; `symbols`, their symbols by name; `assumptions`, as
    given.

    Raises:
        ActivationError: an assumption that is no inequality, names something else, or contradicts the others.
    """

    def __init__(self, names: Sequence[str], unsigned: Sequence[str] = (), assume: Sequence[str] = ()) -> None:
        self.positive = [name for name in names if name not in unsigned]
        self.unsigned = [name for name in names if name in unsigned]
        self.symbols = {
            name: Symbol(name, real=True) if name in unsigned else Symbol(name, positive=True) for name in names
        }
        self.field = field(list(self.symbols.values()))
        self._unsigned_at = [i for i, name in enumerate(names) if name in unsigned]
        self._known: list[Polynomial] = []
        self.assumptions = tuple(" ".join(text.split()) for text in assume)
        for text in self.assumptions:
            for difference in self._differences(text):
                self._assume(difference, text)

    @cached_property
    def numbers(self) -> dict[str, Any]:
        """Each parameter as an exact number."""
        generators = self.field.gens
        return {name: self.number(generator) for name, generator in zip(self.symbols, generators, strict=False)}

    def number(self, element: Element) -> Any:
        """An element of the field as a number: a Fraction where no parameter is left in it."""
        if element.numer.is_ground and element.denom.is_ground:
            return Fraction(int(element.numer.LC), int(element.denom.LC))
        return Parametric(self, element)

    def element(self, number: Any) -> Element:
        """A Fraction or a number of these parameters as an element of the field."""
        if isinstance(number, Parametric):
            return number.element
        return self.field(number.numerator) / self.field(number.denominator)

    def lifted(self, number: Any, to: FracField) -> Element:
        """A number as an element of a field with more generators."""
        element = self.element(number)
        if not self.symbols:
            return to(int(element.numer.LC)) / to(int(element.denom.LC))
        return element.set_field(to)

    def expression(self, number: Any) -> Expr:
        """A number as a sympy expression."""
        return self.element(number).as_expr(*self.symbols.values())

    def sign(self, element: Element) -> int:
        """−1, 0 or 1.

        Raises:
            UndecidedOrder: it does not follow from the assumptions.
        """
        sign = 1
        for polynomial in (element.numer, element.denom):
            if not polynomial:
                return 0
            content, factors = polynomial.factor_list()
            sign *= 1 if content > 0 else -1
            for factor, power in factors:
                if power % 2:
                    sign *= self._factor_sign(factor)
        return sign

    def points(self, count: int, random: np.random.Generator) -> list[dict[str, Fraction]]:
        """Random values of the parameters that satisfy the assumptions.

        Raises:
            ActivationError: none were found.
        """
        found: list[dict[str, Fraction]] = []
        for draws in self._draws(count, random):
            kept = draws.T[self._satisfied(draws)][: count - len(found)]
            found += [{name: Fraction(float(x)) for name, x in zip(self.symbols, row, strict=True)} for row in kept]
            if len(found) == count:
                return found
        raise ActivationError(
            f"no values of {', '.join(self.symbols)} were found that satisfy {' and '.join(self.assumptions)}: "
            "if they do not contradict each other, measure x in other units"
        )

    def _draws(self, count: int, random: np.random.Generator) -> Iterator[np.ndarray[Any, Any]]:
        """Candidates, a column each: near 1 at first, then in the corners that linear assumptions leave."""
        shape = (len(self.symbols), _DRAWS if self._known else count)
        for reach in _RANGES:
            # Multiples of 2⁻²⁰, which doubles add without rounding.
            draws = np.round(2 ** (20 + random.uniform(-reach, reach, shape))) / 2**20
            draws[self._unsigned_at] *= random.choice([-1, 1], (len(self._unsigned_at), shape[1]))
            yield draws
        for size in _SIZES:
            corners = self._corners(size, random)
            if corners.size:
                weights = random.dirichlet(np.ones(corners.shape[1]), 4 * count)
                yield corners @ weights.T

    def _corners(self, size: float, random: np.random.Generator) -> np.ndarray[Any, Any]:
        """Corners, a column each, of where the linear assumptions hold and no parameter exceeds a size."""
        from scipy.optimize import linprog

        linear = [p for p in self._known if _total_degree(p) == 1]
        generators = self.field.ring.gens
        slopes = np.array([[-float(p.coeff(g)) for g in generators] for p in linear]).reshape(-1, len(generators))
        constants = np.array([float(p.coeff(1)) for p in linear])
        bounds = [(-size if i in self._unsigned_at else 0, size) for i in range(len(generators))]
        corners = []
        for _ in range(4 * len(generators)):
            found = linprog(random.normal(size=len(generators)), slopes, constants, bounds=bounds)
            if found.success and found.x is not None:
                corners.append(found.x)
        return np.array(corners).T

    def _differences(self, text: str) -> Iterator[Polynomial]:
        """The numbers that an assumption says are positive, as polynomials."""
        sides = _SIDES.split(text)
        if len(sides) < 3 or not all(map(str.strip, sides)) or "=" in "".join(sides[::2]) or "!" in text:
            raise ActivationError(
                f"{text!r} is not an assumption: write an inequality such as 'tau > m' or '0 < a < b' "
                "(for an equality, put the value in)"
            )
        numbers = [self._side(side, text) for side in sides[::2]]
        for left, sign, right in zip(numbers, sides[1::2], numbers[1:], strict=False):
            difference = left - right if ">" in sign else right - left
            yield self._without_positive_factors(difference.numer * difference.denom)

    def _without_positive_factors(self, polynomial: Polynomial) -> Polynomial:
        """One of the same sign: b − a for 1/a − 1/b, a − b for a² − b²."""
        content, factors = polynomial.factor_list()
        odd = (factor for factor, power in factors if power % 2 and not self._is_evident(factor))
        return prod(odd, start=self.field.ring(1 if content > 0 else -1))

    def _side(self, side: str, text: str) -> Element:
        names = [name for name in free_names(side) if name not in self.symbols]
        if names:
            known = ", ".join(self.symbols) or "none"
            raise ActivationError(
                f"assumption {text!r}: {names[0]} is no parameter left as a symbol (those are: {known})"
            )
        pieces = parse_exactly(side, {name: self.numbers[name] for name in free_names(side)})
        if pieces.knots or pieces.slopes[0]:
            raise ActivationError(f"assumption {text!r} is about x: assume something of the parameters")
        return self.element(pieces.intercepts[0])

    def _assume(self, polynomial: Polynomial, text: str) -> None:
        if self._is_positive(-polynomial):
            others = "".join(f"{t!r} or " for t in self.assumptions[: self.assumptions.index(text)])
            raise ActivationError(
                f"assumption {text!r} contradicts {others}that names are positive: leave one out "
                "(write -a for a number below 0)"
            )
        self._known.append(polynomial)

    def _satisfied(self, draws: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        satisfied = np.ones(draws.shape[1], bool)
        for polynomial in self._known:
            terms = [int(c) * np.prod(draws ** np.array(powers)[:, None], axis=0) for powers, c in polynomial.terms()]
            satisfied &= np.sum(terms, axis=0) > _CLEAR * np.sum(np.abs(terms), axis=0)
        satisfied &= np.all(draws != 0, axis=0)
        return satisfied

    def _factor_sign(self, polynomial: Polynomial) -> int:
        if self._is_positive(polynomial):
            return 1
        if self._is_positive(-polynomial):
            return -1
        larger, smaller = self._sides(polynomial)
        raise UndecidedOrder(
            f'the pieces depend on which of {larger} and {smaller} is larger: add --assume "{larger} > {smaller}" or '
            f'--assume "{larger} < {smaller}" (assume=[…] in Python)'
        )

    def _sides(self, polynomial: Polynomial) -> tuple[str, str]:
        """Its positive terms and the rest, so that it is positive where the first exceeds the second."""

        def told(terms: list[tuple[tuple[int, ...], int]]) -> str:
            products = []
            for powers, c in terms:
                factors = [name for name, power in zip(self.symbols, powers, strict=True) for _ in range(power)]
                products.append("*".join([str(c)] * (c != 1 or not factors) + factors))
            return " + ".join(products) or "0"

        terms = [(powers, int(c)) for powers, c in polynomial.terms()]
        return told([(p, c) for p, c in terms if c > 0]), told([(p, -c) for p, c in terms if c < 0])

    def _is_square(self, powers: Sequence[int]) -> bool:
        """Whether a monomial is never negative."""
        return all(powers[i] % 2 == 0 for i in self._unsigned_at)

    def _is_evident(self, polynomial: Polynomial) -> bool:
        return all(c > 0 and self._is_square(powers) for powers, c in polynomial.terms())

    def _is_positive(self, polynomial: Polynomial) -> bool:
        return self._is_evident(polynomial) or self._is_certified(polynomial)

    def _is_certified(self, polynomial: Polynomial) -> bool:
        """Whether non-negative multiples of assumptions, taken away, leave nothing negative of it."""
        known = self._multiples(_total_degree(polynomial))
        for multipliers in self._multipliers(polynomial, known):
            common = lcm(*(multiplier.denominator for multiplier in multipliers))
            rest = polynomial * common
            for number, multiplier in zip(known, multipliers, strict=True):
                rest = rest - number * int(multiplier * common)
            if self._is_evident(rest):
                return True
        return False

    def _multiples(self, degree: int) -> list[Polynomial]:
        """The assumptions, each times the monomials in positive parameters that keep it within a degree."""
        generators = [g for i, g in enumerate(self.field.ring.gens) if i not in self._unsigned_at]
        return [
            number * prod(monomial, start=self.field.ring.one)
            for number in self._known
            for power in range(degree - _total_degree(number) + 1)
            for monomial in combinations_with_replacement(generators, power)
        ]

    def _multipliers(self, polynomial: Polynomial, known: list[Polynomial]) -> Iterator[list[Fraction]]:
        """Candidates for the multipliers of a certificate: the doubles found, as fractions of growing size."""
        from scipy.optimize import linprog

        if not known:
            return
        monomials = sorted({powers for p in (polynomial, *known) for powers in p})
        table = np.array([[float(p.get(powers, 0)) for p in known] for powers in monomials])
        bound = np.array([float(polynomial.get(powers, 0)) for powers in monomials])
        # What may be left over, and what may not, for it has no sign.
        free = np.array([self._is_square(powers) for powers in monomials])
        found = linprog(np.ones(len(known)), table[free], bound[free], table[~free], bound[~free])
        if found.success and found.x is not None:
            for largest in (10**3, 10**6, 10**9):
                yield [Fraction(float(x)).limit_denominator(largest) for x in found.x]


def _total_degree(polynomial: Polynomial) -> int:
    return max((sum(powers) for powers in polynomial), default=0)


class Parametric:
    """An exact number in which a parameter occurs; it mixes with Fractions, and its order follows from assumptions."""

    __slots__ = ("element", "parameters")

    def __init__(self, parameters: Parameters, element: Element) -> None:
        self.parameters, self.element = parameters, element

    def _made(self, element: Element) -> Any:
        return self.parameters.number(element)

    def __add__(self, other: Any) -> Any:
        return self._made(self.element + self.parameters.element(other))

    def __sub__(self, other: Any) -> Any:
        return self._made(self.element - self.parameters.element(other))

    def __rsub__(self, other: Any) -> Any:
        return self._made(self.parameters.element(other) - self.element)

    def __mul__(self, other: Any) -> Any:
        return self._made(self.element * self.parameters.element(other))

    def __truediv__(self, other: Any) -> Any:
        return self._made(self.element / self.parameters.element(other))

    def __rtruediv__(self, other: Any) -> Any:
        return self._made(self.parameters.element(other) / self.element)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Any:
        return self._made(-self.element)

    def __lt__(self, other: Any) -> bool:
        return self._sign_of_difference(other) < 0

    def __gt__(self, other: Any) -> bool:
        return self._sign_of_difference(other) > 0

    def _sign_of_difference(self, other: Any) -> int:
        return self.parameters.sign(self.element - self.parameters.element(other))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parametric) and bool(self.element == other.element)

    def __hash__(self) -> int:
        # Of integers alone: a set of knots, and with it what is asked for first, has one order in every process.
        return hash((frozenset(self.element.numer.items()), frozenset(self.element.denom.items())))

    def __repr__(self) -> str:
        return f"Parametric({self.element})"
