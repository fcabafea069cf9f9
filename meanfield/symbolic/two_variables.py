"""The covariance C(ρ) = E φ(u)φ(v) in closed form, with symbols in φ: the twin of `covariance`.

Seen from a base line, φ(x) = ax + c + N(x), where N is a sum of ramps dᵢ(±(x − tᵢ))₊ and steps ±Jᵢ 1(±(x − tᵢ) > 0),
one of each a knot, pointing away from the base. The covariances of ramps and steps are known in Φ₂, and the line's
share follows from E uN(v) = ρq E N'. With X, Y standard normal of correlation ρ (docs/theory.md, section 7):

    E (X − h)₊(Y − k)₊   = (ρ + hk) Φ₂(−h, −k; ρ) − k ϕ(h) Φ((ρh − k)/√(1 − ρ²)) − h ϕ(k) Φ((ρk − h)/√(1 − ρ²))
                           + √(1 − ρ²) exp(−(h² − 2ρhk + k²)/2(1 − ρ²))/2π,
    E (X − h)₊ 1(Y > k)  = ϕ(h) Φ((ρh − k)/√(1 − ρ²)) + ρ ϕ(k) Φ((ρk − h)/√(1 − ρ²)) − h Φ₂(−h, −k; ρ).

C' and C'' are derivatives of that, term by term. Price's theorem gives C'' a second time, as a sum of densities.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, cmp_to_key
from itertools import combinations, count as count_from, pairwise
from typing import NamedTuple

from sympy import Add, Expr, Integer, Mul, Rational, Symbol, asin, exp, pi, sqrt

from meanfield.activations.algebra import Number, Pieces, order
from meanfield.errors import UndecidedOrder
from meanfield.symbolic.combination import ONE, Atom, Combination, collected, expression, lowest_power, total
from meanfield.symbolic.functions import Phi, Phi2, phi
from meanfield.symbolic.one_variable import base_of, known_sign
from meanfield.symbolic.parameters import Element, Parameters, field

__all__ = ["TwoVariables"]

#: arcsin ρ. The other atoms, with H a signed threshold (±hᵢ or 0) and ε = ±1: "tail" Φ(−H), "density" ϕ(H), "both"
#: Φ₂(−H, −K; ερ), "beside" ϕ(h)Φ((ερh − K)/√(1 − ρ²)), "joint" exp(−(h² − 2ερhk + k²)/2(1 − ρ²)).
_ASIN = Atom("asin")


class _Knot(NamedTuple):
    """A knot, as its threshold seen from the base and from 0; `side` is 1 right of the base, −1 left of it."""

    threshold: int
    signed: int
    side: int
    kink: Element
    jump: Element


class TwoVariables:
    """C, C' and C'' as combinations of functions of ρ and of the scaled thresholds hᵢ = |tᵢ|/√q.

    A threshold is written as a signed number: ±i stands for ±hᵢ, i = 1, 2, …, and 0 for 0.

    Attributes:
        thresholds: the |tᵢ| apart from 0, each once, as exact numbers.
        scaled: the symbols of the hᵢ.
    """

    def __init__(self, parameters: Parameters, pieces: Pieces, q: Symbol, rho: Symbol, folded: bool) -> None:
        self.parameters, self.pieces, self.folded = parameters, pieces, folded
        self.thresholds = _thresholds(pieces)
        self.scaled = _symbols(len(self.thresholds), set(parameters.symbols))
        names = [*parameters.symbols.values(), *self.scaled]
        self.values: list[Expr] = [*names, sqrt(q), sqrt(2 * pi), sqrt(1 - rho**2), rho]
        self.field = field([*names, *map(Symbol, ("s", "p", "w", "r"))])
        *_, self.s, self.p, self.w, self.rho = self.field.gens
        self.h = self.field.gens[len(parameters.symbols) : len(names)]
        base = base_of(pieces)
        self.line = [self.element(number) for number in pieces.lines[base]]
        self.knots = [self._knot(i, 1 if i >= base else -1) for i in range(len(pieces.knots))]

    def element(self, number: Number) -> Element:
        """An exact number as a coefficient."""
        return self.parameters.lifted(number, self.field)

    @cached_property
    def covariance(self) -> Combination:
        """C(ρ)."""
        slope, intercept = self.line
        ramps = total(self._tail(k.threshold).scaled(k.side * k.kink) for k in self.knots)
        steps = total(self._density(k.threshold).scaled(k.jump / self.s) for k in self.knots)
        parallel = Combination({ONE: intercept**2 + slope**2 * self.rho * self.s**2})
        crossed = self._mean().scaled(2 * intercept) + (ramps + steps).scaled(2 * slope * self.rho * self.s**2)
        same = total(self._pair(knot, knot) for knot in self.knots)
        different = total(self._pair(j, k) for j, k in combinations(self.knots, 2))
        return self._reduced(parallel + crossed + same + different.scaled(2))

    def derivative(self, combination: Combination) -> Combination:
        """d/dρ."""
        return self._reduced(total(self._derivative(atom, c) for atom, c in combination.terms.items()))

    def price(self) -> Combination:
        """C'' from Price's theorem: the kinks' densities, and the derivative of what the jumps add to C'."""
        result = Combination()
        r, s, w = self.rho, self.s, self.w
        for j in self.knots:
            for k in self.knots:
                a, b = self._scaled(j.signed), self._scaled(k.signed)
                growth = r / w**2 + (a + b) ** 2 / (4 * (1 + r) ** 2) - (a - b) ** 2 / (4 * (1 - r) ** 2)
                mixed = 2 * s * j.jump * k.kink * (a - r * b) / w**2
                weight = s**2 * j.kink * k.kink + j.jump * k.jump * growth + mixed
                result += self._joint(j.signed, k.signed, 1).scaled(weight / (w * self.p**2))
        return self._reduced(result)

    def expression(self, combination: Combination) -> Expr:
        """A combination as a formula in ρ, the hᵢ and the parameters."""
        terms = {
            (self._function(atom), power): part
            for atom, c in combination.terms.items()
            for power, part in self._by_root(c)
        }
        if not terms:
            return Integer(0)
        # √q to the power that every term has.
        position = self.field.gens.index(self.s)
        common = self.s ** min(lowest_power(c, position) for c in terms.values())
        groups: dict[Element, dict[tuple[Expr, int], Element]] = {}
        for key, c in terms.items():
            groups.setdefault(self._shared(c / common), {})[key] = c / common
        return Mul(expression(common, self.values), Add(*map(self._group, groups.values())))

    def _group(self, terms: dict[tuple[Expr, int], Element]) -> Expr:
        """A sum with the power of √(1 − ρ²) that every term has outside, and other powers where they are."""
        root, powers = self.values[-2], {power for _, power in terms}
        outside = powers.pop() if len(powers) == 1 else 0
        inside = {function * root ** (power - outside): c for (function, power), c in terms.items()}
        return root**outside * collected(inside, self.values)

    def _mean(self) -> Combination:
        """E N."""
        return total(
            (self._density(k.threshold) + self._tail(k.threshold).scaled(-self._scaled(k.threshold))).scaled(
                k.kink * self.s
            )
            + self._tail(k.threshold).scaled(k.side * k.jump)
            for k in self.knots
        )

    def _pair(self, j: _Knot, k: _Knot) -> Combination:
        """E of what knot j adds to φ(u) times what knot k adds to φ(v)."""
        a, b, sign = j.threshold, k.threshold, j.side * k.side
        h, g, r = self._scaled(a), self._scaled(b), sign * self.rho
        both, first, second = self._both(a, b, sign), self._beside(a, b, sign), self._beside(b, a, sign)
        ramps = both.scaled(r + h * g) + first.scaled(-g) + second.scaled(-h)
        ramps += self._joint(a, b, sign).scaled(self.w / self.p**2)
        ramp_step = first + second.scaled(r) + both.scaled(-h)
        step_ramp = second + first.scaled(r) + both.scaled(-g)
        return (
            ramps.scaled(j.kink * k.kink * self.s**2)
            + ramp_step.scaled(j.kink * k.side * k.jump * self.s)
            + step_ramp.scaled(j.side * j.jump * k.kink * self.s)
            + both.scaled(sign * j.jump * k.jump)
        )

    def _derivative(self, atom: Atom, c: Element) -> Combination:
        result = Combination({atom: c.diff(self.rho) - c.diff(self.w) * self.rho / self.w})
        if atom == _ASIN:
            return result + Combination({ONE: c / self.w})
        if atom.kind == "both":
            a, b, sign = atom.arguments
            return result + self._joint(a, b, sign).scaled(c * sign / (self.p**2 * self.w))
        if atom.kind == "beside":
            a, b, sign = atom.arguments
            slope = (sign * self._scaled(a) - self.rho * self._scaled(b)) / self.w**3
            return result + self._joint(a, b, sign).scaled(c * slope / self.p**2)
        if atom.kind == "joint":
            a, b, sign = atom.arguments
            h, g = self._scaled(a), self._scaled(b)
            square = h**2 - 2 * sign * self.rho * h * g + g**2
            return result + Combination({atom: c * (sign * h * g * self.w**2 - self.rho * square) / self.w**4})
        return result

    def _knot(self, i: int, side: int) -> _Knot:
        t, (before, after) = self.pieces.knots[i], list(pairwise(self.pieces.lines))[i]
        kink = after[0] - before[0]
        sign = known_sign(t)
        size = -t if sign == -1 else t
        signed = 0 if sign == 0 else (-1 if sign == -1 else 1) * (1 + self.thresholds.index(size))
        step = after[1] - before[1]
        jump = self.element(step)
        if step == 0:
            # In units of √q, as everything else is.
            jump = self.element(kink) * self._scaled(signed) * self.s
        elif kink:
            jump = self.element(kink * t + step)
        return _Knot(side * signed, signed, side, self.element(kink), jump)

    def _scaled(self, threshold: int) -> Element:
        """The threshold itself, in units of √q."""
        if not threshold:
            return self.field.zero
        return self.h[abs(threshold) - 1] * (1 if threshold > 0 else -1)

    def _constant(self, value: Element) -> Combination:
        return Combination({ONE: self.field(1) * value})

    def _of(self, kind: str, *arguments: int) -> Combination:
        return Combination({Atom(kind, arguments): self.field.one})

    def _tail(self, a: int) -> Combination:
        """P(X > H)."""
        if a < 0 and self.folded:
            return self._constant(1) - self._tail(-a)
        return self._of("tail", a) if a else self._constant(self.field.one / 2)

    def _density(self, a: int) -> Combination:
        """ϕ(H)."""
        return self._of("density", abs(a)) if a else self._constant(1 / self.p)

    def _both(self, a: int, b: int, sign: int) -> Combination:
        """P(X > H, Y > K) at correlation ±ρ."""
        if not a and not b:
            return Combination({ONE: self.field.one / 4, _ASIN: sign / self.p**2})
        a, b = sorted((a, b), key=lambda i: (abs(i), i))
        if (not a and sign < 0) or (a < 0 and self.folded):
            return self._tail(b) - self._both(-a, b, -sign)
        if b < 0 and self.folded:
            return self._tail(a) - self._both(a, -b, -sign)
        return self._of("both", a, b, sign)

    def _beside(self, a: int, b: int, sign: int) -> Combination:
        """ϕ(H) P(Y > K | X = H) at correlation ±ρ."""
        if a < 0:
            a, sign = -a, -sign
        if not a:
            sign = 1
        if not a and not b:
            return self._constant(1 / (2 * self.p))
        if (not b and sign < 0) or (b < 0 and self.folded):
            return self._density(a) - self._beside(a, -b, -sign)
        return self._of("beside", a, b, sign)

    def _joint(self, a: int, b: int, sign: int) -> Combination:
        """2π√(1 − ρ²) times the density of (X, Y) at (H, K)."""
        if not a and not b:
            return self._constant(1)
        sign = sign * (1 if a > 0 else -1) * (1 if b > 0 else -1) if a and b else 1
        low, high = sorted((abs(a), abs(b)))
        return self._of("joint", low, high, sign)

    def _reduced(self, combination: Combination) -> Combination:
        """The same, each coefficient as A + B√(1 − ρ²) with A and B rational in ρ: equal functions become equal."""
        return Combination({atom: self._rationalised(c) for atom, c in combination.terms.items()})

    def _rationalised(self, c: Element) -> Element:
        above, above_root = self._split(c.numer)
        below, below_root = self._split(c.denom)
        w2 = 1 - self.rho**2
        norm = below**2 - below_root**2 * w2
        even = above * below - above_root * below_root * w2
        return (even + (above_root * below - above * below_root) * self.w) / norm

    def _split(self, polynomial: object) -> tuple[Element, Element]:
        """A and B in A + B√(1 − ρ²)."""
        parts = [self.field.zero, self.field.zero]
        position = self.field.gens.index(self.w)
        for powers, c in polynomial.terms():  # type: ignore[attr-defined]
            half, odd = divmod(powers[position], 2)
            rest = self.field.ring.from_dict({(*powers[:position], 0, *powers[position + 1 :]): c})
            parts[odd] += self.field(rest) * (1 - self.rho**2) ** half if half else self.field(rest)
        return parts[0], parts[1]

    def _by_root(self, c: Element) -> Iterator[tuple[int, Element]]:
        """A coefficient by powers of √(1 − ρ²), none of 1 − ρ² left in a denominator."""
        for odd, part in enumerate(self._split(c.numer)):
            power, part, w2 = odd, part / c.denom, self.field.ring(1) - self.rho.numer**2
            while part and not part.denom.rem(w2):
                power, part = power - 2, part * self.field(w2)
            if part:
                yield power, part

    def _shared(self, c: Element) -> Element:
        """The factors of a coefficient made of parameters and π alone, by which terms are grouped."""
        own = [*range(len(self.parameters.symbols)), self.field.gens.index(self.p)]
        result = self.field.one
        for polynomial, sign in ((c.numer, 1), (c.denom, -1)):
            for factor, power in polynomial.factor_list()[1]:
                if all(not n or i in own for powers in factor for i, n in enumerate(powers)):
                    result *= self.field(factor) ** (sign * power)
        return result

    def _function(self, atom: Atom) -> Expr:
        rho = self.values[-1]
        if atom == ONE:
            return Integer(1)
        if atom == _ASIN:
            return asin(rho)
        if atom.kind == "tail":
            return Phi(-self._symbol(atom.arguments[0]))
        if atom.kind == "density":
            return phi(self._symbol(atom.arguments[0]))
        a, b, sign = atom.arguments
        h, k, r = self._symbol(a), self._symbol(b), sign * rho
        if atom.kind == "both":
            return Phi2(-h, -k, r)
        if atom.kind == "beside":
            if abs(a) == abs(b):
                opposite = 1 if a == b else -1
                return phi(h) * Phi(-opposite * h * sqrt((1 - opposite * r) / (1 + opposite * r)))
            return phi(h) * Phi((r * h - k) / sqrt(1 - rho**2))
        if a == b:
            return exp(-(h**2) / (1 + r))
        return exp(Mul(Rational(-1, 2), h**2 - 2 * r * h * k + k**2, 1 / (1 - rho**2)))

    def _symbol(self, threshold: int) -> Expr:
        if not threshold:
            return Integer(0)
        return self.scaled[abs(threshold) - 1] * (1 if threshold > 0 else -1)


def _thresholds(pieces: Pieces) -> list[Number]:
    sizes = [-t if known_sign(t) == -1 else t for t in pieces.knots]
    sizes = list(dict.fromkeys(size for size in sizes if size != 0))
    try:
        return sorted(sizes, key=cmp_to_key(order))
    except UndecidedOrder:
        return sizes


def _symbols(count: int, taken: set[str]) -> list[Symbol]:
    """h, or h1, h2, … where there are several, under a letter that no parameter has."""
    for letter in (letter * n for n in count_from(1) for letter in "hgkuvd"):
        names = [letter] if count == 1 else [f"{letter}{i + 1}" for i in range(count)]
        if not taken.intersection(names) and not taken.intersection(f"{letter}_{i + 1}" for i in range(count)):
            return [Symbol(name, real=True) for name in names]
    raise AssertionError("there are infinitely many names")
