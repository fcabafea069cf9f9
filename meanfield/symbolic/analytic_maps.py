"""The maps of an activation of analytic pieces: in closed form where there is one, as integrals where not.

docs/theory.md, section 15.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from sympy import Add, Expr, Integer, Mul, Piecewise, Rational, expand, factor_terms, oo, pi, sqrt

from meanfield.errors import NoEdgeOfChaos, NoFormula
from meanfield.infinite_width.mean_field import layer_map
from meanfield.quantities import FormulaQuantity
from meanfield.symbolic.formula import SYMBOLS, VARIANCE_MAP, Formula
from meanfield.symbolic.functions import phi
from meanfield.symbolic.gaussian_terms import X, covariance_of, mean_of, tidy
from meanfield.symbolic.integrals import ACTIVATION, WEIGHT, Z, expectation, pair_expectation, pulled
from meanfield.symbolic.reading import AnalyticActivation
from meanfield.symbolic.stability import jump_obstacle

__all__ = ["AnalyticMaps", "as_pieces"]

_q, _q_star, _sigma_w, _sigma_b, _rho = SYMBOLS.values()
#: A closed form of more terms says less than the integral.
_MOST_TERMS = 24


def as_pieces(activation: AnalyticActivation, order: int = 0) -> Expr:
    """φ or a derivative of it, as an expression in `X`."""
    knots = [activation.parameters.expression(t) for t in activation.knots]
    pieces = [factor_terms(piece.diff(X, order) if order else piece) for piece in activation.pieces_in_x]
    below = [(piece, X < t) for piece, t in zip(pieces[:-1], knots, strict=True)]
    return Piecewise(*below, (pieces[-1], True))


class AnalyticMaps:
    """The formulas of one activation, by the names of `FORMULAS`, each worked out once."""

    def __init__(self, activation: AnalyticActivation) -> None:
        self.activation = activation
        self.knots = [activation.parameters.expression(t) for t in activation.knots]
        self.pieces = activation.pieces_in_x
        self.slopes = [piece.diff(X) for piece in self.pieces]

    def formula(self, quantity: FormulaQuantity) -> Formula:
        """The formula of a quantity, unchecked."""
        if quantity.on_edge and (found := jump_obstacle(self.activation)):
            raise NoEdgeOfChaos(found.message)
        short: Expr = getattr(self, quantity.name)
        edge = self.sigma_w2 if "q_star" in quantity.arguments and short.has(_sigma_w) else None
        definitions = {VARIANCE_MAP: self.V} if short.has(VARIANCE_MAP) else {}
        used = [short, *definitions.values(), *([] if edge is None else [edge])]
        for order, function in enumerate(ACTIVATION):
            if any(value.has(function) for value in used):
                definitions[function(X)] = as_pieces(self.activation, order)
        arguments = (*quantity.arguments, *self.activation.parameters.symbols)
        return Formula(quantity, arguments, short, definitions, edge)

    # What has a closed form, and None where it has none.

    def _mean(self, pieces: list[Expr]) -> Expr | None:
        return _short(lambda: mean_of(self.knots, pieces, _q))

    @cached_property
    def square(self) -> Expr | None:
        """E φ²."""
        return self._mean([piece**2 for piece in self.pieces])

    @cached_property
    def slope_square(self) -> Expr | None:
        """E φ'²."""
        return self._mean([slope**2 for slope in self.slopes])

    @cached_property
    def covariance(self) -> Expr | None:
        """C(ρ)."""
        return _short(lambda: covariance_of(self.knots, self.pieces, _q, _rho))

    # The quantities.

    @cached_property
    def V(self) -> Expr:
        """σ_w² E φ² + σ_b²."""
        return layer_map(self._square_at(_q), _sigma_w**2, _sigma_b**2)

    @cached_property
    def dV(self) -> Expr:
        """σ_w² d/dq E φ²."""
        return _sigma_w**2 * self._square_d1(_q)

    @cached_property
    def d2V(self) -> Expr:
        """σ_w² d²/dq² E φ²."""
        return _sigma_w**2 * self._square_d2(_q)

    @cached_property
    def chi1(self) -> Expr:
        """σ_w² E φ'², infinite where φ jumps."""
        return oo if self.activation.jumps else _sigma_w**2 * self._slope_square_at(_q)

    @cached_property
    def sparsity(self) -> Expr:
        """P(φ = 0)."""
        return mean_of(self.knots, [Integer(int(piece == 0)) for piece in self.pieces], _q)

    @cached_property
    def mean(self) -> Expr:
        """E φ."""
        closed = self._mean(self.pieces)
        return expectation(pulled(0, _q)) if closed is None else closed

    @cached_property
    def fourth(self) -> Expr:
        """E φ⁴."""
        closed = self._mean([expand(piece**4) for piece in self.pieces])
        return expectation(pulled(0, _q) ** 4) if closed is None else closed

    @cached_property
    def sigma_w2(self) -> Expr:
        """1/E φ'²."""
        return 1 / self._slope_square_at(_q_star)

    @cached_property
    def sigma_b2(self) -> Expr:
        """q* − E φ²/E φ'²."""
        above, below = self._square_at(_q_star), self._slope_square_at(_q_star)
        closed = self.square is not None and self.slope_square is not None and not below.is_Add
        return _q_star - (tidy(above / below) if closed else above / below)

    @cached_property
    def dV_eoc(self) -> Expr:
        """1 + σ_w² E φφ'', the kinks' share included."""
        if self.square is not None and self.slope_square is not None:
            return 1 + _sigma_w**2 * tidy(self.square.diff(_q) - self.slope_square).xreplace({_q: _q_star})
        at_kinks = Add(
            *(
                change * ACTIVATION[0](t) * phi(t / sqrt(_q_star)) / sqrt(_q_star)
                for t, change in zip(self.knots, self.activation.changes(1), strict=True)
            )
        )
        return 1 + _sigma_w**2 * (expectation(pulled(0, _q_star) * pulled(2, _q_star)) + at_kinks)

    @cached_property
    def d2V_eoc(self) -> Expr:
        """V''(q*)."""
        return _sigma_w**2 * self._square_d2(_q_star)

    @cached_property
    def R(self) -> Expr:
        """(σ_w² C(ρ) + σ_b²)/V(q)."""
        products = pair_expectation(0, _q) if self.covariance is None else self.covariance
        return layer_map(products, _sigma_w**2, _sigma_b**2) / VARIANCE_MAP

    @cached_property
    def dR(self) -> Expr:
        """σ_w² C'(ρ)/V(q)."""
        if self.covariance is not None:
            return self._share(tidy(self.covariance.diff(_rho)))
        if self.activation.jumps:
            return self._share(pair_expectation(0, _q, WEIGHT))
        return self._share(_q * pair_expectation(1, _q))

    @cached_property
    def d2R(self) -> Expr:
        """σ_w² C''(ρ)/V(q)."""
        if self.covariance is not None:
            return self._share(tidy(self.covariance.diff(_rho, 2)))
        if self.activation.jumps:
            raise NoFormula(f"{self.activation.label} jumps, and its R'' is no integral over φ and φ'")
        if any(self.activation.changes(1)):
            return self._share(_q * pair_expectation(1, _q, WEIGHT))
        return self._share(_q**2 * pair_expectation(2, _q))

    @cached_property
    def kappa(self) -> Expr:
        """2q σ_w² Σ dᵢ² ϕ(hᵢ)/(3√π V(q)); 0 without kinks."""
        kinks = zip(self.knots, self.activation.changes(1), strict=True)
        total = Add(*(change**2 * phi(t / sqrt(_q)) for t, change in kinks))
        return Mul(Rational(2, 3), _q, _sigma_w**2, total, 1 / (sqrt(pi) * VARIANCE_MAP)) if total else Integer(0)

    def _share(self, products: Expr) -> Expr:
        return Mul(_sigma_w**2, products, 1 / VARIANCE_MAP)

    def _square_at(self, q: Expr) -> Expr:
        return expectation(pulled(0, q) ** 2) if self.square is None else self.square.xreplace({_q: q})

    def _slope_square_at(self, q: Expr) -> Expr:
        return expectation(pulled(1, q) ** 2) if self.slope_square is None else self.slope_square.xreplace({_q: q})

    def _square_d1(self, q: Expr) -> Expr:
        if self.square is not None:
            return tidy(self.square.diff(_q)).xreplace({_q: q})
        return expectation((Z**2 - 1) * pulled(0, q) ** 2) / (2 * q)

    def _square_d2(self, q: Expr) -> Expr:
        if self.square is not None:
            return tidy(self.square.diff(_q, 2)).xreplace({_q: q})
        return expectation((Z**4 - 6 * Z**2 + 3) * pulled(0, q) ** 2) / (4 * q**2)


def _short(closed: Callable[[], Expr]) -> Expr | None:
    try:
        found = closed()
    except NoFormula:
        return None
    return found if len(Add.make_args(found)) <= _MOST_TERMS else None
