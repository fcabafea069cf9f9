"""`derive`: the maps of an activation as formulas, proved and checked before they are returned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from sympy import Expr, Function, Mul, Rational, Symbol, erf, erfc, exp, oo, pi, sqrt

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DerivationError, DomainError, NoEdgeOfChaos, NoFormula
from meanfield.quantities import FORMULAS, FormulaQuantity
from meanfield.symbolic.combination import ONE, Combination
from meanfield.symbolic.functions import Phi, phi
from meanfield.symbolic.one_variable import OneVariable
from meanfield.symbolic.reading import SymbolicActivation, read_symbolic
from meanfield.symbolic.two_variables import TwoVariables

__all__ = ["NOTATIONS", "SYMBOLS", "Derivation", "Formula", "derivation_of", "derive"]

#: Φ and ϕ, or erf and exp.
NOTATIONS = ("Phi", "erf")

#: The symbols that every formula may hold besides the activation's parameters, by name.
SYMBOLS: dict[str, Symbol] = {
    "q": Symbol("q", positive=True),
    "q_star": Symbol("q_star", positive=True),
    "sigma_w": Symbol("sigma_w", positive=True),
    "sigma_b": Symbol("sigma_b", nonnegative=True),
    "rho": Symbol("rho", real=True),
}

_q, _q_star, _sigma_w, _sigma_b, _rho = SYMBOLS.values()
_V = Function("V")(_q)

#: A correlation map has a term for each pair of knots; with more of them nobody reads it.
_MOST_KNOTS = 16


@dataclass(frozen=True)
class Formula:
    """A quantity and its formula.

    Attributes:
        quantity: what it is.
        short: the formula as printed, in terms of `definitions`.
        definitions: what stands in it for what, V(q) and h = τ/√q; none refers to another.
        edge: on the edge of chaos, σ_w² as a function of q*, where σ_w occurs.
    """

    quantity: FormulaQuantity
    short: Expr
    definitions: Mapping[Expr, Expr]
    edge: Expr | None = None

    @property
    def where(self) -> dict[Expr, Expr]:
        """What is printed below the formula: its definitions, and σ_w² on the edge of chaos."""
        return {**self.definitions, **({} if self.edge is None else {_sigma_w**2: self.edge})}

    @cached_property
    def expression(self) -> Expr:
        """The formula with its definitions put in."""
        return self.short.xreplace(dict(self.definitions))


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

    def in_order(self) -> Iterator[tuple[str, Formula, set[Expr]]]:
        """Name and formula, with what an earlier one has said already of what would stand below it."""
        known: set[Expr] = set()
        for name, formula in self.formulas.items():
            yield name, formula, set(known)
            known |= {*formula.where, *{"V": [_V], "sigma_w2": [_sigma_w**2]}.get(name, [])}

    def _repr_latex_(self) -> str:
        from meanfield.symbolic.latex import displays

        return "\n".join(f"\\[{latex}\\]" for latex in displays(self).values())


def derive(
    activation: str | PiecewiseLinear | Callable[[Any], Any],
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
    activation: str | PiecewiseLinear | Callable[[Any], Any],
    quantities: str | Iterable[str],
    parameters: Mapping[str, object],
    assume: Sequence[str],
    notation: str,
) -> Derivation:
    """As `derive`, the parameters as a mapping, so that any may have any name."""
    from meanfield.symbolic.check import check

    if notation not in NOTATIONS:
        raise DomainError(f"notation {notation!a} is unknown: give one of {', '.join(NOTATIONS)}")
    names = [quantities] if isinstance(quantities, str) else list(quantities)
    wanted = _chosen(names)
    subject = read_symbolic(activation, [assume] if isinstance(assume, str) else assume, parameters)
    deriver = _Deriver(subject)
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
    printed = [(name, formula.expression) for name, formula in formulas.items()]
    check(subject, [*printed, *(("sigma_w2", formula.edge) for formula in formulas.values() if formula.edge)])
    return Derivation(subject, notation, formulas, missing)


def _chosen(names: Sequence[str]) -> list[FormulaQuantity]:
    """The quantities of those names, each once; "all" is every one."""
    for name in names:
        if name != "all" and name not in FORMULAS:
            raise DomainError(f"{name!a} has no formula: give one of {', '.join(FORMULAS)}, or all")
    if "all" in names:
        return list(FORMULAS.values())
    return [FORMULAS[name] for name in dict.fromkeys(names)]


class _Deriver:
    """The formulas of one activation, by the names of `FORMULAS`, and what they are made of, each worked out once."""

    def __init__(self, activation: SymbolicActivation) -> None:
        self.activation = activation
        self.on = {symbol: OneVariable(activation.parameters, activation.pieces, symbol) for symbol in (_q, _q_star)}

    def formula(self, quantity: FormulaQuantity) -> Formula:
        """The formula of a quantity, unchecked."""
        if quantity.on_edge:
            self._require_edge()
        short: Expr = getattr(self, quantity.name)
        candidates = {_V: self.V} | (dict(self._scaled()) if short.has(_rho) else {})
        definitions = {name: value for name, value in candidates.items() if short.has(name)}
        edge = self.sigma_w2 if short.has(_q_star) and short.has(_sigma_w) else None
        return Formula(quantity, short, definitions, edge)

    @cached_property
    def V(self) -> Expr:
        """σ_w² E φ² + σ_b²."""
        return self._weighted(self.square) + _sigma_b**2

    @cached_property
    def dV(self) -> Expr:
        """σ_w² d/dq E φ²."""
        return self._weighted(self.square_d1)

    @cached_property
    def d2V(self) -> Expr:
        """σ_w² d²/dq² E φ²."""
        return self._weighted(self.square_d2)

    @cached_property
    def chi1(self) -> Expr:
        """σ_w² E φ'², infinite where φ jumps."""
        return self._weighted(self.slope_square) if self.activation.is_continuous else oo

    @cached_property
    def sparsity(self) -> Expr:
        """P(φ = 0)."""
        return self._plain(self.on[_q].sparsity())

    @cached_property
    def mean(self) -> Expr:
        """E φ."""
        return self._plain(self.on[_q].power(1))

    @cached_property
    def fourth(self) -> Expr:
        """E φ⁴."""
        return self._plain(self.on[_q].power(4))

    @cached_property
    def sigma_w2(self) -> Expr:
        """1/E φ'²."""
        return 1 / self._plain(self.slope_square, _q_star)

    @cached_property
    def sigma_b2(self) -> Expr:
        """(q* E φ'² − E φ²)/E φ'²."""
        core = self.on[_q]
        above = self.bias
        below = self.slope_square
        if len(below.terms) == 1:
            # One divisor divides each term.
            ((atom, c),) = below.terms.items()
            ratios = above.scaled(1 / c)
            own = Combination({ONE: ratios.terms.get(atom, core.field.zero)})
            rest = Combination({a: r for a, r in ratios.terms.items() if a != atom})
            return self._plain(own, _q_star) + self._plain(rest, _q_star) / self._plain(
                Combination({atom: core.field.one}), _q_star
            )
        return self._plain(above, _q_star) / self._plain(below, _q_star)

    @cached_property
    def dV_eoc(self) -> Expr:
        """1 + V' − χ₁ at q*, χ₁ being 1 there."""
        return 1 + self._weighted(self.square_d1 - self.slope_square, _q_star)

    @cached_property
    def d2V_eoc(self) -> Expr:
        """V''(q*)."""
        return self._weighted(self.square_d2, _q_star)

    @cached_property
    def R(self) -> Expr:
        """(σ_w² C(ρ) + σ_b²)/V(q)."""
        return (Mul(_sigma_w**2, self.two.expression(self.covariances[0])) + _sigma_b**2) / _V

    @cached_property
    def dR(self) -> Expr:
        """σ_w² C'(ρ)/V(q)."""
        return Mul(_sigma_w**2, self.two.expression(self.covariances[1]), 1 / _V)

    @cached_property
    def d2R(self) -> Expr:
        """σ_w² C''(ρ)/V(q)."""
        return Mul(_sigma_w**2, self.two.expression(self.covariances[2]), 1 / _V)

    @cached_property
    def kappa(self) -> Expr:
        """2q σ_w² Σ dᵢ² ϕ(hᵢ)/(3√π V(q))."""
        return Mul(Rational(2, 3), _q, _sigma_w**2, self._plain(self.on[_q].kink_squares()), 1 / (sqrt(pi) * _V))

    @cached_property
    def square(self) -> Combination:
        """E φ²."""
        return self.on[_q].power(2)

    @cached_property
    def square_d1(self) -> Combination:
        """d/dq E φ²."""
        return self.on[_q].derivative(self.square)

    @cached_property
    def square_d2(self) -> Combination:
        """d²/dq² E φ²."""
        return self.on[_q].derivative(self.square_d1)

    @cached_property
    def slope_square(self) -> Combination:
        """E φ'²."""
        return self.on[_q].slope_square()

    @cached_property
    def bias(self) -> Combination:
        """q E φ'² − E φ², σ_b² E φ'² on the edge of chaos."""
        return self.slope_square.scaled(self.on[_q].root ** 2) - self.square

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
        if not two.same(d2, two.price()):
            raise DerivationError(
                f"{self.activation.label}: the second derivative of C is not the one that Price's theorem gives; "
                "this is a fault in meanfield, please report it"
            )
        return c, d1, d2

    def _weighted(self, combination: Combination, q: Symbol = _q) -> Expr:
        return Mul(_sigma_w**2, self._plain(combination, q))

    def _plain(self, combination: Combination, q: Symbol = _q) -> Expr:
        return self.on[q].expression(combination)

    def _scaled(self) -> Iterator[tuple[Symbol, Expr]]:
        for h, threshold in zip(self.two.scaled, self.two.thresholds, strict=True):
            yield h, self.on[_q].scaled(threshold)

    def _require_edge(self) -> None:
        label = self.activation.label
        if not self.activation.is_continuous:
            jumps = [str(self.activation.parameters.expression(t)) for t in self.activation.jumps]
            raise NoEdgeOfChaos(
                f"{label} jumps at x = {', '.join(jumps)}, so χ₁ = ∞ whatever σ_w: what holds on the edge of chaos "
                "needs a continuous activation (replace the jump by a steep slope)"
            )
        if not any(self.activation.pieces.slopes):
            raise NoEdgeOfChaos(f"{label} is constant, so χ₁ = 0 whatever σ_w: give it a slope somewhere")
        if self.on[_q].sign(self.bias) == -1:
            raise NoEdgeOfChaos(
                f"{label} would need σ_b² < 0 at every q*: it is too far from 0 at 0 (subtract φ(0) from it)"
            )


def _in_erf(formula: Formula) -> Formula:
    """The formula in erf, erfc and exp, whichever of erf and erfc makes it shorter."""

    def shorter(expression: Expr) -> Expr:
        normal = expression.rewrite(phi, exp)
        return min((normal.rewrite(Phi, form) for form in (erf, erfc)), key=Expr.count_ops)

    definitions = {name: shorter(value) for name, value in formula.definitions.items()}
    edge = formula.edge if formula.edge is None else shorter(formula.edge)
    return Formula(formula.quantity, shorter(formula.short), definitions, edge)
