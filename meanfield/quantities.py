"""What every quantity is called: in a table, a file, a formula, a figure, a paper. Loads nothing.

The keys are those of records, the names of columns in CSV and JSON; docs/quantities.md lists them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["FORMULAS", "QUANTITIES", "FormulaQuantity", "Quantity", "latex_text", "parameter_latex", "quantity"]


@dataclass(frozen=True)
class Quantity:
    """How a quantity is called.

    Attributes:
        symbol: in a table.
        latex: in a paper and in a figure, mathematics between dollars.
        meaning: in a line.
        unit: what it counts; empty for a pure number.
    """

    symbol: str
    latex: str
    meaning: str = ""
    unit: str = ""

    @property
    def mathematics(self) -> str:
        """Its LaTeX as it stands inside mathematics."""
        return self.latex.strip("$")


_V = Quantity("V(q)", "$V(q)$", "variance map, the variance one layer on")
_dV = Quantity("V'(q)", "$V'(q)$", "slope of the variance map")
_d2V = Quantity("V''(q)", "$V''(q)$", "curvature of the variance map")
_chi1 = Quantity("χ₁(q)", r"$\chi_1(q)$", "gain of a squared gradient per layer")
_R = Quantity("R(ρ)", r"$R(\rho)$", "correlation map, the correlation one layer on")
_dR = Quantity("R'(ρ)", r"$R'(\rho)$", "slope of the correlation map")

QUANTITIES = {
    # An activation and a network.
    "activation": Quantity("activation", r"$\phi$", "the activation as given"),
    "formula": Quantity("φ(x)", r"$\phi(x)$", "the activation as an expression in x"),
    "tau": Quantity("τ", r"$\tau$", "threshold"),
    "m": Quantity("m", "$m$", "clip level"),
    "q_star": Quantity("q*", "$q^*$", "variance of a pre-activation, V(q*) = q*"),
    "sigma_w": Quantity("σ_w", r"$\sigma_w$", "W_ij ~ N(0, σ_w²/N)"),
    "sigma_b": Quantity("σ_b", r"$\sigma_b$", "b_i ~ N(0, σ_b²)"),
    "sigma_w_squared": Quantity("σ_w²", r"$\sigma_w^2$"),
    "sigma_b_squared": Quantity("σ_b²", r"$\sigma_b^2$"),
    "width": Quantity("width N", "$N$", "units in a layer", "units"),
    "depth": Quantity("depth L", "$L$", "layers", "layers"),
    # The maps.
    "q": Quantity("q", "$q$", "variance of a pre-activation"),
    "V": _V,
    "dV": _dV,
    "d2V": _d2V,
    "chi1": _chi1,
    "rho": Quantity("ρ", r"$\rho$", "correlation of two inputs"),
    "R": _R,
    "dR": _dR,
    # At a fixed point.
    "sparsity": Quantity("sparsity", "sparsity", "fraction of activations exactly 0"),
    "chi_1": Quantity("χ₁(q*)", r"$\chi_1(q^*)$", _chi1.meaning),
    "V_prime": Quantity("V'(q*)", "$V'(q^*)$", _dV.meaning),
    "V_double_prime": Quantity("V''(q*)", "$V''(q^*)$", _d2V.meaning),
    "q_V_double_prime": Quantity("q*V''", "$q^*V''(q^*)$", "relative change of V' with q"),
    "q_chi_1_prime": Quantity("q*χ₁'", r"$q^*\chi_1'(q^*)$", "relative change of χ₁ with q"),
    "slope": Quantity("slope V'", _dV.latex, _dV.meaning),
    "curvature": Quantity("curvature V''", _d2V.latex, _d2V.meaning),
    "kind": Quantity("kind", "kind", "whether a fixed point attracts or repels"),
    "fixed_points": Quantity("fixed points", "fixed points", "of V"),
    "phase": Quantity("phase", "phase", "what correlations and gradients do"),
    "rho_star": Quantity("ρ*", r"$\rho^*$", "where the correlation of two inputs settles"),
    "xi_q": Quantity("ξ_q", r"$\xi_q$", "layers to return by a factor e", "layers"),
    "xi_c": Quantity("ξ_c", r"$\xi_c$", "the same for correlations", "layers"),
    "basin": Quantity("basin", "basin", "variances that tend to q*"),
    "verdict": Quantity("verdict", "verdict", "what the variance does"),
    "explanation": Quantity("why", "explanation", "of the verdict, in words"),
    # At a width and depth.
    "sd": Quantity("sd of q", r"$\mathrm{sd}\,q^L$", "at layer L, predicted"),
    "stationary_mean": Quantity("mean, settled", r"$\overline{q^\infty}$", "of q after many layers"),
    "stationary_sd": Quantity("sd, settled", r"$\mathrm{sd}\,q^\infty$", "of q after many layers"),
    "margin": Quantity("margin", "margin", "q* to the end of its basin, in sd"),
    "escape_probability": Quantity("escape", "escape", "share of networks that lose q*"),
    "escape_interval": Quantity("95 % interval", r"95\,\% interval", "of the share (Wilson)"),
    "log_gain_mean": Quantity("mean ln Πχ₁", r"mean $\ln\prod\chi_1$", "gain of a gradient, all layers"),
    "log_gain_sd": Quantity("sd ln Πχ₁", r"sd $\ln\prod\chi_1$", "over random networks"),
    "jacobian_mean": Quantity("mean s²", r"$\overline{s^2}$", "squared singular values, Jacobian"),
    "jacobian_variance_gaussian": Quantity(
        "s² Gaussian", r"$\mathrm{var}\,s^2$, Gaussian", "variance with Gaussian weights"
    ),
    "jacobian_variance_orthogonal": Quantity(
        "s² orthogonal", r"$\mathrm{var}\,s^2$, orthogonal", "variance with orthogonal weights"
    ),
    # By layer.
    "layer": Quantity("layer", "$l$", "counted from the input's pre-activations, 0", "layers"),
    "mean": Quantity("mean q", r"$\overline{q^l}$", "predicted"),
    "layer_sd": Quantity("sd q", r"$\mathrm{sd}\,q^l$", "predicted"),
    "networks_mean": Quantity("mean, networks", "mean, networks", "of q over random networks"),
    "networks_sd": Quantity("sd, networks", "sd, networks", "of q over random networks"),
    "escaped": Quantity("escaped", "escaped", "share of networks that have lost q*"),
    # Of random networks beside theory.
    "log_gradient": Quantity("ln |g|²/|g^L|²", r"$\ln|g^l|^2/|g^L|^2$", "gradient carried back from the last layer"),
    "quantity": Quantity("of", "of", "the quantity that a row is about"),
    "ensemble_mean": Quantity("mean", "mean", "over the networks"),
    "ensemble_sd": Quantity("sd", "sd", "over the networks"),
    "q05": Quantity("5 %", r"5\,\%", "quantile over the networks"),
    "q25": Quantity("25 %", r"25\,\%", "quantile over the networks"),
    "q50": Quantity("median", "median", "over the networks"),
    "q75": Quantity("75 %", r"75\,\%", "quantile over the networks"),
    "q95": Quantity("95 %", r"95\,\%", "quantile over the networks"),
    "infinite_width": Quantity("N → ∞", r"$N \to \infty$", "theory at infinite width"),
    "theory_mean": Quantity("theory", "theory", "mean at this width, to order 1/N"),
    "theory_sd": Quantity("± sd", r"$\pm$ sd", "standard deviation at this width, in theory"),
    "z": Quantity("z", "$z$", "distance of the means in standard errors"),
    "count": Quantity("networks", "networks", "in which the quantity is defined", "networks"),
    "overflowed": Quantity("overflowed", "overflowed", "share of networks with q > 1e200"),
    "worst_z_mean": Quantity("z of mean", "$z$ of the mean", "where it is largest"),
    "worst_layer_mean": Quantity("at layer", "at layer", "of the largest z of the mean", "layers"),
    "worst_z_sd": Quantity("z of sd", "$z$ of the sd", "where it is largest"),
    "worst_layer_sd": Quantity("at layer", "at layer", "of the largest z of the sd", "layers"),
    "follows": Quantity("follows", "follows", "whether networks do what theory says"),
    # Designs, and sparse layers.
    "relative_basin": Quantity("basin/q*", "basin$/q^*$", "basin in units of q*"),
    "relative_sigma_b": Quantity("σ_b/√q*", r"$\sigma_b/\sqrt{q^*}$", "σ_b in units of √q*"),
    "active_share": Quantity("active", "active", "fraction of units not 0"),
    "sloping_share": Quantity("sloping", "sloping", "fraction that pass a gradient"),
    "active_mean": Quantity("mean count", "mean count", "of active units, a binomial number", "units"),
    "active_sd": Quantity("sd of count", "sd of count", "", "units"),
    "active_bound": Quantity("k", "$k$", "99.9 % of layers have no more active", "units"),
    "capacity_ratio": Quantity("√(k/s)", r"$\sqrt{k/s}$", "ratio of the Rademacher bounds, sparse to dense"),
    "samples_ratio": Quantity("k/s", "$k/s$", "ratio of the samples for equal bounds"),
    # The catalogue.
    "name": Quantity("name", "name", "of an activation"),
    "aliases": Quantity("also", "aliases", "other names"),
    "parameters": Quantity("parameters", "parameters", "with their bounds"),
    "description": Quantity("what it is", "description", "in words"),
}


def quantity(key: str) -> Quantity:
    """How the column `key` is called; the name of a user's parameter is called as it is."""
    return QUANTITIES.get(key) or Quantity(key, latex_text(key))


@dataclass(frozen=True)
class FormulaQuantity:
    """A quantity that has a formula.

    Attributes:
        name: what it is asked for by.
        called: how it is called.
        arguments: what it depends on besides the activation's parameters, in order.
        on_edge: whether it exists only for an activation without jumps, on its edge of chaos.
    """

    name: str
    called: Quantity
    arguments: tuple[str, ...]
    on_edge: bool = False

    @property
    def meaning(self) -> str:
        """In a line."""
        return self.called.meaning


def _on_edge(key: str, meaning: str = "") -> Quantity:
    called = QUANTITIES[key]
    return replace(called, meaning=meaning or f"{called.meaning} on the edge of chaos")


_NETWORK = ("q", "sigma_w", "sigma_b")
_PAIR = ("rho", *_NETWORK)

#: Every quantity that has a formula, by name.
FORMULAS = {
    formula.name: formula
    for formula in (
        FormulaQuantity("V", _V, _NETWORK),
        FormulaQuantity("dV", _dV, ("q", "sigma_w")),
        FormulaQuantity("d2V", _d2V, ("q", "sigma_w")),
        FormulaQuantity("chi1", _chi1, ("q", "sigma_w")),
        FormulaQuantity("sparsity", replace(QUANTITIES["sparsity"], symbol="P(φ = 0)", latex=r"$P(\phi = 0)$"), ("q",)),
        FormulaQuantity("mean", Quantity("E φ", r"$\mathbb{E}\,\phi$", "mean of an activation"), ("q",)),
        FormulaQuantity("fourth", Quantity("E φ⁴", r"$\mathbb{E}\,\phi^4$", "fourth moment of an activation"), ("q",)),
        FormulaQuantity(
            "sigma_w2",
            _on_edge("sigma_w_squared", "N times the variance of a weight, on the edge of chaos"),
            ("q_star",),
            True,
        ),
        FormulaQuantity(
            "sigma_b2", _on_edge("sigma_b_squared", "variance of a bias, on the edge of chaos"), ("q_star",), True
        ),
        FormulaQuantity("dV_eoc", _on_edge("V_prime"), ("q_star",), True),
        FormulaQuantity("d2V_eoc", _on_edge("V_double_prime"), ("q_star",), True),
        FormulaQuantity("R", _R, _PAIR),
        FormulaQuantity("dR", _dR, _PAIR),
        FormulaQuantity("d2R", Quantity("R''(ρ)", r"$R''(\rho)$", "curvature of the correlation map"), _PAIR),
        FormulaQuantity(
            "kappa",
            Quantity("κ(q)", r"$\kappa(q)$", "how fast nearly equal inputs converge on the edge of chaos"),
            _NETWORK,
            True,
        ),
    )
}


#: Parameters whose sign in formulas is not the name of a quantity.
_SIGNS = {"sparsity": "s", "slope": "a"}


def parameter_latex(name: str) -> str:
    """A parameter, or q_star, as it stands inside mathematics: one letter, or a word."""
    if name in ("q_star", "tau"):
        return QUANTITIES[name].mathematics
    if name in _SIGNS or len(name) == 1:
        return _SIGNS.get(name, name)
    word = name.replace("_", r"\_")
    return rf"\mathrm{{{word}}}"


_SPECIAL = {
    **{c: "\\" + c for c in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "σ": r"$\sigma$",
    "χ": r"$\chi$",
    "φ": r"$\phi$",
    "ξ": r"$\xi$",
    "τ": r"$\tau$",
    "≈": r"$\approx$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    "·": r"$\cdot$",
    "²": r"$^2$",
    "₁": r"$_1$",
}


def latex_text(text: str) -> str:
    """A text as LaTeX sets it, special characters and Greek letters included."""
    return "".join(_SPECIAL.get(c, c) for c in text)
