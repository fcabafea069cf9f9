"""Gaussian expectations of φ(x), x ~ N(0, q), with symbols in φ: the twin of `meanfield.infinite_width.moments`.

Seen from one of its pieces, the base, a piecewise polynomial is the base's polynomial and, from each knot outwards, the
difference to the next one. Each difference is a polynomial on a half-line, whose moments are known:

    E[xⁿ; x > t] = (n − 1) q E[xⁿ⁻²; x > t] + √q tⁿ⁻¹ ϕ(t/√q),   E[1; x > t] = Φ(−t/√q),   E[x; x > t] = √q ϕ(t/√q).

docs/theory.md, section 7.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import pairwise

from sympy import Expr, Integer, Symbol, sqrt

from meanfield.activations.algebra import Number, Pieces, order
from meanfield.errors import UndecidedOrder
from meanfield.symbolic.combination import ONE, Atom, Combination, collected, expression, total
from meanfield.symbolic.formula import SYMBOLS
from meanfield.symbolic.functions import Phi, phi
from meanfield.symbolic.parameters import Element, Parameters, Polynomial, field

__all__ = ["OneVariable", "base_of", "known_sign"]


def known_sign(number: Number) -> int | None:
    """−1, 0 or 1; None where it does not follow from what is assumed."""
    try:
        return order(number, 0)
    except UndecidedOrder:
        return None


def base_of(pieces: Pieces) -> int:
    """The piece to see the others from: one that is zero, else the one at x = 0."""
    zero = [j for j, line in enumerate(pieces.lines) if line == (0, 0)]
    return zero[0] if zero else sum(known_sign(t) == -1 for t in pieces.knots)


class OneVariable:
    """Expectations as combinations of 1, Φ(−t/√q) (kind "tail") and ϕ(t/√q) (kind "density")."""

    def __init__(self, parameters: Parameters, pieces: Pieces) -> None:
        self.parameters, self.pieces = parameters, pieces
        self.field = field([*parameters.symbols.values(), Symbol("s")])
        self.root = self.field.gens[-1]

    def element(self, number: Number) -> Element:
        """An exact number as a coefficient."""
        return self.parameters.lifted(number, self.field)

    def power(self, n: int) -> Combination:
        """E φⁿ."""

        def coefficients(slope: Element, intercept: Element) -> list[Element]:
            polynomial = [self.field.one]
            for _ in range(n):
                shifted = zip([*polynomial, self.field.zero], [self.field.zero, *polynomial], strict=True)
                polynomial = [intercept * same + slope * lower for same, lower in shifted]
            return polynomial

        return self.expectation(coefficients)

    @cached_property
    def square(self) -> Combination:
        """E φ²."""
        return self.power(2)

    @cached_property
    def square_d1(self) -> Combination:
        """d/dq E φ²."""
        return self.derivative(self.square)

    @cached_property
    def square_d2(self) -> Combination:
        """d²/dq² E φ²."""
        return self.derivative(self.square_d1)

    @cached_property
    def slope_square(self) -> Combination:
        """E φ'² of the slopes alone."""
        return self.expectation(lambda slope, intercept: [slope * slope])

    @cached_property
    def bias(self) -> Combination:
        """q E φ'² − E φ², which is σ_b² E φ'² on the edge of chaos."""
        return self.slope_square.scaled(self.root**2) - self.square

    @cached_property
    def sparsity(self) -> Combination:
        """P(φ = 0)."""
        return self.expectation(lambda slope, intercept: [self.field(int(not slope and not intercept))])

    @cached_property
    def kink_squares(self) -> Combination:
        """Σ dᵢ² ϕ(tᵢ/√q) over the kinks."""
        slopes = self.pieces.slopes
        return total(
            Combination({self._density(t): self.element((b - a) * (b - a))})
            for t, (a, b) in zip(self.pieces.knots, pairwise(slopes), strict=True)
        )

    def expectation(self, coefficients: Callable[[Element, Element], list[Element]]) -> Combination:
        """E f for the f that is Σ coefficients(slope, intercept)[n]·xⁿ on each piece."""
        polynomials = [coefficients(*map(self.element, line)) for line in self.pieces.lines]
        base = base_of(self.pieces)
        result = total(self._moment(n).scaled(c) for n, c in enumerate(polynomials[base]))
        for i, (t, (left, right)) in enumerate(zip(self.pieces.knots, pairwise(polynomials), strict=True)):
            side = 1 if i >= base else -1
            for n, (a, b) in enumerate(zip(left, right, strict=True)):
                result += self._half_moment(n, t, side).scaled((b - a) * side)
        return self._shortened(result)

    def derivative(self, combination: Combination) -> Combination:
        """d/dq."""
        return total(self._derivative(atom, c) for atom, c in combination.terms.items())

    def sign(self, combination: Combination) -> int | None:
        """The sign of a sum at every q, where that can be told: its functions are positive, and Φ(−t/√q) < 1/2."""
        if not combination:
            return 0
        for sign in (1, -1):
            if self._is_positive(combination.scaled(sign)):
                return sign
        return None

    def _is_positive(self, combination: Combination) -> bool:
        constant, others = combination.terms.get(ONE, self.field.zero), []
        for atom, c in combination.terms.items():
            if atom.kind == "tail" and self._coefficient_sign(c) == -1 and known_sign(atom.arguments[0]) == 1:
                constant += c / 2
            elif atom != ONE:
                others.append(c)
        return all(self._coefficient_sign(c) == 1 for c in [*others, *([constant] if constant else [])])

    def _coefficient_sign(self, coefficient: Element) -> int | None:
        """The sign of a coefficient at every q, where each power of √q in it has the same."""
        sign = 1
        for polynomial in (coefficient.numer, coefficient.denom):
            signs = {self._sign_at_power(polynomial, n) for n in {powers[-1] for powers in polynomial}}
            if len(signs) != 1 or None in signs:
                return None
            sign *= signs.pop() or 0
        return sign

    def _sign_at_power(self, polynomial: Polynomial, n: int) -> int | None:
        terms = {powers[:-1] or (0,): c for powers, c in polynomial.terms() if powers[-1] == n}
        parameters = self.parameters
        return known_sign(parameters.number(parameters.field(parameters.field.ring.from_dict(terms))))

    def expression(self, combination: Combination, q: Symbol = SYMBOLS["q"]) -> Expr:
        """A combination in Φ and ϕ, common factors out."""
        return collected({self._function(atom, q): c for atom, c in combination.terms.items()}, self._values(q))

    def scaled(self, number: Number, q: Symbol = SYMBOLS["q"]) -> Expr:
        """A number over √q."""
        return expression(self.element(number) / self.root, self._values(q))

    def _values(self, q: Symbol) -> list[Expr]:
        """What the generators of the field stand for."""
        return [*self.parameters.symbols.values(), sqrt(q)]

    def _derivative(self, atom: Atom, c: Element) -> Combination:
        s = self.root
        terms = {atom: c.diff(s) / (2 * s)}
        if atom.kind == "tail":
            (t,) = atom.arguments
            terms[self._density(t)] = c * self.element(t) / (2 * s**3)
        elif atom.kind == "density":
            t = self.element(atom.arguments[0])
            terms[atom] += c * t * t / (2 * s**4)
        return Combination(terms)

    def _moment(self, n: int) -> Combination:
        """E xⁿ = (n − 1)!! qⁿᐟ²."""
        if n % 2:
            return Combination()
        moment = self.field.one
        for k in range(1, n, 2):
            moment = moment * k * self.root**2
        return Combination({ONE: moment})

    def _half_moment(self, n: int, t: Number, side: int) -> Combination:
        """E[xⁿ; x > t] for side 1, E[xⁿ; x < t] for side −1."""
        if n == 0:
            return self._tail(t * side)
        # sympy knows no 0⁰.
        end = Combination({self._density(t): side * self.root * (self.element(t) ** (n - 1) if n > 1 else 1)})
        return end + self._half_moment(n - 2, t, side).scaled((n - 1) * self.root**2) if n > 1 else end

    def _tail(self, t: Number) -> Combination:
        """Φ(−t/√q), as 1 − Φ(t/√q) where t < 0."""
        sign = known_sign(t)
        if sign == 0:
            return Combination({ONE: self.field.one / 2})
        if sign == -1:
            return Combination({ONE: self.field.one, Atom("tail", (-t,)): -self.field.one})
        return Combination({Atom("tail", (t,)): self.field.one})

    def _density(self, t: Number) -> Atom:
        return Atom("density", (-t,) if known_sign(t) == -1 else (t,))

    def _shortened(self, combination: Combination) -> Combination:
        """The same with c − c·Φ(−t/√q) written as c·Φ(t/√q)."""
        terms = dict(combination.terms)
        for atom, c in combination.terms.items():
            if atom.kind == "tail" and terms.get(ONE) == -c:
                del terms[ONE], terms[atom]
                terms[Atom("tail", (-atom.arguments[0],))] = -c
        return Combination(terms)

    def _function(self, atom: Atom, q: Symbol) -> Expr:
        if atom == ONE:
            return Integer(1)
        h = self.scaled(atom.arguments[0], q)
        return Phi(-h) if atom.kind == "tail" else phi(h)
