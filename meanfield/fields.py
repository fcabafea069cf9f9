"""What every quantity is called: in a table, in a paper, in a figure. Loads nothing.

The keys are those of records, the names of columns in CSV and JSON.
"""

from __future__ import annotations

from dataclasses import dataclass

from meanfield.symbolic.quantities import QUANTITIES

__all__ = ["FIELDS", "Field", "field", "latex_text"]

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


@dataclass(frozen=True)
class Field:
    """How a quantity is called: `symbol` in a table, `latex` in a paper, `meaning` beside a single result."""

    symbol: str
    latex: str
    meaning: str = ""


#: The columns of `meanfield maps`, which have formulas too.
_MAPS = ("V", "dV", "d2V", "chi1", "R", "dR")

FIELDS = {
    "activation": Field("activation", r"$\phi$", "the activation as given"),
    "formula": Field("φ(x)", r"$\phi(x)$"),
    "q_star": Field("q*", r"$q^*$", "variance of a pre-activation, V(q*) = q*"),
    "sigma_w": Field("σ_w", r"$\sigma_w$", "W_ij ~ N(0, σ_w²/N)"),
    "sigma_b": Field("σ_b", r"$\sigma_b$", "b_i ~ N(0, σ_b²)"),
    "sigma_w_squared": Field("σ_w²", r"$\sigma_w^2$"),
    "sigma_b_squared": Field("σ_b²", r"$\sigma_b^2$"),
    "sparsity": Field("sparsity", "sparsity", "fraction of activations exactly 0"),
    "chi_1": Field("χ₁(q*)", r"$\chi_1(q^*)$", "gain of a squared gradient per layer"),
    "V_prime": Field("V'(q*)", r"$V'(q^*)$", "slope of the variance map"),
    "V_double_prime": Field("V''(q*)", r"$V''(q^*)$", "curvature of the variance map"),
    "width": Field("width N", r"$N$", "units in a layer"),
    "depth": Field("depth L", r"$L$", "layers"),
    "basin": Field("basin", "basin", "variances that tend to q*"),
    "sd": Field("sd of q", r"$\mathrm{sd}\,q^L$", "at layer L, predicted"),
    "stationary_mean": Field("mean, settled", r"$\overline{q^\infty}$", "of q after many layers"),
    "stationary_sd": Field("sd, settled", r"$\mathrm{sd}\,q^\infty$", "of q after many layers"),
    "margin": Field("margin", "margin", "q* to the end of its basin, in sd"),
    "escape_probability": Field("escape", "escape", "share of networks that lose q*"),
    "escape_interval": Field("95 % interval", r"95\,\% interval", "of the share (Wilson)"),
    "xi_q": Field("ξ_q", r"$\xi_q$", "layers to return by a factor e"),
    "xi_c": Field("ξ_c", r"$\xi_c$", "the same for correlations"),
    "q_chi_1_prime": Field("q*χ₁'", r"$q^*\chi_1'(q^*)$", "relative change of χ₁ with q"),
    "log_gain_mean": Field("mean ln Πχ₁", r"mean $\ln\prod\chi_1$", "gain of a gradient, all layers"),
    "log_gain_sd": Field("sd ln Πχ₁", r"sd $\ln\prod\chi_1$", "over random networks"),
    "jacobian_mean": Field("mean s²", r"$\overline{s^2}$", "squared singular values, Jacobian"),
    "jacobian_variance_gaussian": Field(
        "s² Gaussian", r"$\mathrm{var}\,s^2$, Gaussian", "variance with Gaussian weights"
    ),
    "jacobian_variance_orthogonal": Field(
        "s² orthogonal", r"$\mathrm{var}\,s^2$, orthogonal", "variance with orthogonal weights"
    ),
    "tau": Field("τ", r"$\tau$", "threshold"),
    "m": Field("m", r"$m$", "clip level"),
    "q_V_double_prime": Field("q*V''", r"$q^*V''(q^*)$"),
    "relative_basin": Field("basin/q*", r"basin$/q^*$"),
    "relative_sigma_b": Field("σ_b/√q*", r"$\sigma_b/\sqrt{q^*}$"),
    "layer": Field("layer", r"$l$"),
    "mean": Field("mean q", r"$\overline{q^l}$"),
    "layer_sd": Field("sd q", r"$\mathrm{sd}\,q^l$"),
    "networks_mean": Field("mean, networks", "mean, networks"),
    "networks_sd": Field("sd, networks", "sd, networks"),
    "escaped": Field("escaped", "escaped"),
    "quantity": Field("of", "of"),
    "ensemble_mean": Field("mean", "mean"),
    "ensemble_sd": Field("sd", "sd"),
    "q05": Field("5 %", r"5\,\%"),
    "q25": Field("25 %", r"25\,\%"),
    "q50": Field("median", "median"),
    "q75": Field("75 %", r"75\,\%"),
    "q95": Field("95 %", r"95\,\%"),
    "infinite_width": Field("N → ∞", r"$N \to \infty$"),
    "theory_mean": Field("theory", "theory"),
    "theory_sd": Field("± sd", r"$\pm$ sd"),
    "z": Field("z", "$z$"),
    "count": Field("networks", "networks"),
    "overflowed": Field("overflowed", "overflowed"),
    "log_gradient": Field("ln |g|²", r"$\ln|g^l|^2$"),
    "worst_z_mean": Field("z of mean", "$z$ of the mean"),
    "worst_layer_mean": Field("at layer", "at layer"),
    "worst_z_sd": Field("z of sd", "$z$ of the sd"),
    "worst_layer_sd": Field("at layer", "at layer"),
    "follows": Field("follows", "follows"),
    "rho_star": Field("ρ*", r"$\rho^*$"),
    "active_share": Field("active", "active", "fraction of units not 0"),
    "sloping_share": Field("sloping", "sloping", "fraction that pass a gradient"),
    "active_mean": Field("mean count", "mean count", "of active units, a binomial number"),
    "active_sd": Field("sd of count", "sd of count"),
    "active_bound": Field("k", r"$k$", "99.9 % of layers have no more active"),
    "capacity_ratio": Field("√(k/s)", r"$\sqrt{k/s}$", "ratio of the Rademacher bounds, sparse to dense"),
    "samples_ratio": Field("k/s", r"$k/s$", "ratio of the samples for equal bounds"),
    "phase": Field("phase", "phase", "what correlations and gradients do"),
    "verdict": Field("verdict", "verdict", "what the variance does"),
    "explanation": Field("why", "explanation"),
    "fixed_points": Field("fixed points", "fixed points"),
    "q": Field("q", r"$q$"),
    **{name: Field(q.symbol, f"${q.latex}$") for name, q in QUANTITIES.items() if name in _MAPS},
    "rho": Field("ρ", r"$\rho$"),
    "slope": Field("slope V'", r"$V'(q)$"),
    "curvature": Field("curvature V''", r"$V''(q)$"),
    "kind": Field("kind", "kind"),
    "name": Field("name", "name"),
    "aliases": Field("also", "aliases"),
    "parameters": Field("parameters", "parameters"),
    "description": Field("what it is", "description"),
}


def field(key: str) -> Field:
    """How the column `key` is called; the name of a user's parameter is called as it is."""
    return FIELDS.get(key) or Field(key, latex_text(key))


def latex_text(text: str) -> str:
    """A text as LaTeX sets it, special characters and Greek letters included."""
    return "".join(_SPECIAL.get(c, c) for c in text)
