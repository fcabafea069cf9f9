"""`derive`: the maps of an activation as formulas, proved and checked before they are returned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from sympy import Expr, Mul, Rational, Symbol, erf, erfc, exp, oo, pi, sqrt

from meanfield.activations.activation import Activation
from meanfield.errors import DerivationError, DomainError, NoEdgeOfChaos, NoFormula
from meanfield.infinite_width.mean_field import layer_map
from meanfield.quantities import FORMULAS, FormulaQuantity
from meanfield.symbolic.analytic_maps import AnalyticMaps
from meanfield.symbolic.check import check
from meanfield.symbolic.combination import ONE, Combination
from meanfield.symbolic.formula import SYMBOLS, VARIANCE_MAP, Formula, in_order
from meanfield.symbolic.functions import Phi, phi
from meanfield.symbolic.latex import display
from meanfield.symbolic.one_variable import OneVariable
from meanfield.symbolic.reading import AnalyticActivation, StraightActivation, SymbolicActivation, read_symbolic
from meanfield.symbolic.stability import obstacle
from meanfield.symbolic.two_variables import TwoVariables

__all__ = ["NOTATIONS", "Derivation", "derivation_of", "derive"]

#: Φ and ϕ, or erf and exp.
NOTATIONS = ("Phi", "erf")

_q, _q_star, _sigma_w, _sigma_b, _rho = SYMBOLS.values()

#: A correlation map has a term for each pair of knots; with more of them nobody reads it.
_MOST_KNOTS = 16


@dataclass(frozen=True, eq=False, repr=False)
class Derivation(Mapping[str, Expr]):
    """Formulas of one activation: a mapping from the name of a quantity to a sympy expression.

    A notebook shows it, and each of its expressions, as LaTeX. On the edge of chaos σ_w stands in an expression for the
    value that `sigma_w2` gives.

    Attributes:
        activation: the activation, its parameters and what is assumed of them.
        notation: "Phi" or "erf".
        formulas: by the name of the quantity, how each is printed.
        missing: why a quantity asked for as one of all has no formula, by name.
    """

    activation: SymbolicActivation
    notation: str
    formulas: Mapping[str, Formula]
    missing: Mapping[str, str]

    @property
    def symbols(self) -> dict[str, Symbol]:
        """Every symbol that may occur, by name."""
        return {**SYMBOLS, **self.activation.parameters.symbols}

    def __getitem__(self, name: str) -> Expr:
        return self.formulas[name].expression

    def __iter__(self) -> Iterator[str]:
        return iter(self.formulas)

    def __repr__(self) -> str:
        return f"<Derivation of {self.activation.label}: {', '.join(self.formulas)}>"

    def __len__(self) -> int:
        return len(self.formulas)

    def displays(self) -> dict[str, str]:
        """Each formula as it stands inside \\[ \\], by name, each definition below the first that needs it."""
        return {formula.quantity.name: display(formula, below) for formula, below in in_order(self.formulas.values())}

    def _repr_latex_(self) -> str:
        return "\n".join(f"\\[{latex}\\]" for latex in self.displays().values())


def derive(
    activation: str | Activation | Callable[[Any], Any],
    quantities: str | Iterable[str] = "V",
    /,
    *,
    assume: Sequence[str] = (),
    notation: Literal["Phi", "erf"] = "Phi",
    **parameters: object,
) -> Derivation:
    """Formulas of an activation, every name without a value left as a symbol.

    Args:
        activation: as for `meanfield.activation`; "clipped-relu(tau, m)", "clip(x - tau, 0, 1/2)".
        quantities: names out of `meanfield.quantities.FORMULAS`, or "all" that exist.
        assume: inequalities such as "tau > m", where the order of knots depends on them. Names are positive (but for
            the slope of leaky-relu, which is any number).
        notation: "Phi" for Φ and ϕ, "erf" for erf, erfc and exp.
        parameters: values of parameters, numbers or text such as "1/2"; decimals are taken as typed.

    Every formula is compared with the numeric core at 50 random points, to 1e-10, and R with Price's theorem.

    Raises:
        ActivationError: no activation, or one whose pieces depend on an order that is not assumed.
        NoEdgeOfChaos: a quantity on the edge of chaos of an activation that has none.
        NoFormula: a correlation map of more knots than a formula can hold.
        DomainError: an unknown quantity or notation.
        DerivationError: a formula failed its check; nothing is returned.

    Source: docs/theory.md, section 7.
    """
    return derivation_of(activation, quantities, parameters, assume, notation)


def derivation_of(
    activation: str | Activation | Callable[[Any], Any],
    quantities: str | Iterable[str],
    parameters: Mapping[str, object],
    assume: Sequence[str],
    notation: str,
) -> Derivation:
    """As `derive`, the parameters as a mapping, so that any may have any name."""
    if notation not in NOTATIONS:
        raise DomainError(f"notation {notation!a} is unknown: give one of {', '.join(NOTATIONS)}")
    for name, given in (("quantities", quantities), ("assume", assume)):
        if not isinstance(given, Iterable):
            raise DomainError(f"{name} = {given!r:.40} is no text: give one, or a list of them")
    names = [quantities] if isinstance(quantities, str) else list(quantities)
    wanted = _chosen(names)
    subject = read_symbolic(activation, [assume] if isinstance(assume, str) else assume, parameters)
    deriver = _deriver(subject)
    formulas: dict[str, Formula] = {}
    missing: dict[str, str] = {}
    for quantity in wanted:
        try:
            formulas[quantity.name] = deriver.formula(quantity)
        except (NoEdgeOfChaos, NoFormula) as refusal:
            if "all" not in names:
                raise
            missing[quantity.name] = str(refusal)
    if notation == "erf":
        formulas = {name: _in_erf(formula) for name, formula in formulas.items()}
    check(subject, formulas.values())
    return Derivation(subject, notation, formulas, missing)


def _chosen(names: Sequence[str]) -> list[FormulaQuantity]:
    """The quantities of those names, each once; "all" is every one."""
    for name in names:
        if name != "all" and name not in FORMULAS:
            raise DomainError(f"{name!a} has no formula: give one of {', '.join(FORMULAS)}, or all")
    if "all" in names:
        return list(FORMULAS.values())
    return [FORMULAS[name] for name in dict.fromkeys(names)]


def _deriver(subject: SymbolicActivation) -> _Deriver | AnalyticMaps:
    if isinstance(subject, StraightActivation):
        return _Deriver(subject)
    assert isinstance(subject, AnalyticActivation)
    return AnalyticMaps(subject)


class _Deriver:
    """The formulas of one activation, by the names of `FORMULAS`, and what they are made of, each worked out once."""

    def __init__(self, activation: StraightActivation) -> None:
        self.activation = activation
        self.one = OneVariable(activation.parameters, activation.pieces)

    def formula(self, quantity: FormulaQuantity) -> Formula:
        """The formula of a quantity, unchecked."""
        if quantity.on_edge and (found := obstacle(self.activation, self.one)):
            raise NoEdgeOfChaos(found.message)
        short: Expr = getattr(self, quantity.name)
        candidates = {VARIANCE_MAP: self.V} | (self._scaled() if short.has(_rho) else {})
        definitions = {name: value for name, value in candidates.items() if short.has(name)}
        edge = self.sigma_w2 if short.has(_q_star) and short.has(_sigma_w) else None
        arguments = (*quantity.arguments, *self.activation.parameters.symbols)
        return Formula(quantity, arguments, short, definitions, edge)

    @cached_property
    def V(self) -> Expr:
        """σ_w² E φ² + σ_b²."""
        return self._layer(self.one.expression(self.one.square))

    @cached_property
    def dV(self) -> Expr:
        """σ_w² d/dq E φ²."""
        return self._weighted(self.one.square_d1)

    @cached_property
    def d2V(self) -> Expr:
        """σ_w² d²/dq² E φ²."""
        return self._weighted(self.one.square_d2)

    @cached_property
    def chi1(self) -> Expr:
        """σ_w² E φ'², infinite where φ jumps."""
        return self._weighted(self.one.slope_square) if not self.activation.jumps else oo

    @cached_property
    def sparsity(self) -> Expr:
        """P(φ = 0)."""
        return self.one.expression(self.one.sparsity)

    @cached_property
    def mean(self) -> Expr:
        """E φ."""
        return self.one.expression(self.one.power(1))

    @cached_property
    def fourth(self) -> Expr:
        """E φ⁴."""
        return self.one.expression(self.one.power(4))

    @cached_property
    def sigma_w2(self) -> Expr:
        """1/E φ'²."""
        return 1 / self.one.expression(self.one.slope_square, _q_star)

    @cached_property
    def sigma_b2(self) -> Expr:
        """(q* E φ'² − E φ²)/E φ'²."""
        above, below = self.one.bias, self.one.slope_square
        if len(below.terms) > 1:
            return self.one.expression(above, _q_star) / self.one.expression(below, _q_star)
        # One divisor divides each term.
        ((atom, c),) = below.terms.items()
        ratios = dict(above.scaled(1 / c).terms)
        own = self.one.expression(Combination({ONE: ratios.pop(atom, 0)}), _q_star)
        divisor = self.one.expression(Combination({atom: self.one.field.one}), _q_star)
        return own + self.one.expression(Combination(ratios), _q_star) / divisor

    @cached_property
    def dV_eoc(self) -> Expr:
        """1 + V' − χ₁ at q*, χ₁ being 1 there."""
        return 1 + self._weighted(self.one.square_d1 - self.one.slope_square, _q_star)

    @cached_property
    def d2V_eoc(self) -> Expr:
        """V''(q*)."""
        return self._weighted(self.one.square_d2, _q_star)

    @cached_property
    def R(self) -> Expr:
        """(σ_w² C(ρ) + σ_b²)/V(q)."""
        return self._layer(self.two.expression(self.covariances[0])) / VARIANCE_MAP

    @cached_property
    def dR(self) -> Expr:
        """σ_w² C'(ρ)/V(q)."""
        return Mul(_sigma_w**2, self.two.expression(self.covariances[1]), 1 / VARIANCE_MAP)

    @cached_property
    def d2R(self) -> Expr:
        """σ_w² C''(ρ)/V(q)."""
        return Mul(_sigma_w**2, self.two.expression(self.covariances[2]), 1 / VARIANCE_MAP)

    @cached_property
    def kappa(self) -> Expr:
        """2q σ_w² Σ dᵢ² ϕ(hᵢ)/(3√π V(q))."""
        kinks = self.one.expression(self.one.kink_squares)
        return Mul(Rational(2, 3), _q, _sigma_w**2, kinks, 1 / (sqrt(pi) * VARIANCE_MAP))

    @cached_property
    def two(self) -> TwoVariables:
        """The two-variable theory, in the form with fewer terms."""
        pieces = self.activation.pieces
        if len(pieces.knots) > _MOST_KNOTS:
            raise NoFormula(
                f"{self.activation.label} has {len(pieces.knots)} knots, and R a term for each pair: its formula is "
                f"not derived for more than {_MOST_KNOTS} (MeanField.R computes it for any)"
            )
        forms = [TwoVariables(self.activation.parameters, pieces, _q, _rho, folded) for folded in (False, True)]
        return min(forms, key=lambda form: len(form.covariance.terms))

    @cached_property
    def covariances(self) -> tuple[Combination, Combination, Combination]:
        """C, C' and C'', the last one met by Price's theorem."""
        two = self.two
        c = two.covariance
        d1 = two.derivative(c)
        d2 = two.derivative(d1)
        if d2 - two.price():
            raise DerivationError(
                f"{self.activation.label}: the second derivative of C is not the one that Price's theorem gives; "
                "this is a fault in meanfield, please report it"
            )
        return c, d1, d2

    def _layer(self, products: Expr) -> Expr:
        return layer_map(products, _sigma_w**2, _sigma_b**2)

    def _weighted(self, combination: Combination, q: Symbol = _q) -> Expr:
        return Mul(_sigma_w**2, self.one.expression(combination, q))

    def _scaled(self) -> dict[Expr, Expr]:
        """What each hᵢ stands for."""
        return {h: self.one.scaled(t) for h, t in zip(self.two.scaled, self.two.thresholds, strict=True)}


def _in_erf(formula: Formula) -> Formula:
    """The formula in erf, erfc and exp, whichever of erf and erfc makes it shorter."""

    def shorter(expression: Expr) -> Expr:
        normal = expression.rewrite(phi, exp)
        return min((normal.rewrite(Phi, form) for form in (erf, erfc)), key=Expr.count_ops)

    return replace(
        formula,
        short=shorter(formula.short),
        definitions={name: shorter(value) for name, value in formula.definitions.items()},
        edge=formula.edge if formula.edge is None else shorter(formula.edge),
    )
