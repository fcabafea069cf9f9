"""What every quantity and parameter is called: in a table, a file, a formula, a figure, a paper. Loads nothing.

The keys are those of records, the names of columns in CSV and JSON; docs/quantities.md lists them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from meanfield.lettering import latex_name, latex_text

__all__ = [
    "CHAINS",
    "DECISIVE",
    "FORMULAS",
    "GRADIENT_WITHIN",
    "QUANTITIES",
    "RISK",
    "WITHIN",
    "FormulaQuantity",
    "Quantity",
    "parameter_latex",
    "quantity",
]

#: Where nothing else is asked for: f of [q*/f, f q*], the share of networks that may leave it, how many are drawn.
WITHIN, RISK, CHAINS = 2.0, 0.01, 2048
#: Factor by which the square of a gradient may grow or shrink over all layers, 30 in its norm.
GRADIENT_WITHIN = 1000.0
#: The verdict, and what decides it, one number each.
DECISIVE = ("verdict", "share_lost", "share_interval", "signal_lost", "gradient_lost", "one_minus_rho")


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
    "phi": Quantity("φ", r"$\phi$", "the activation as a file of one holds it"),
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
    # The outputs of a layer, and the gains.
    "phi_mean": Quantity("E φ", r"$\mathbb{E}\,\phi$", "mean of an output φ(√q z)"),
    "phi_variance": Quantity("Var φ", r"$\mathrm{Var}\,\phi$", "its variance"),
    "phi_rms": Quantity("rms φ", r"$\sqrt{\mathbb{E}\,\phi^2}$", "root of its mean square"),
    "slope_rms": Quantity("rms φ'", r"$\sqrt{\mathbb{E}\,\phi'^2}$", "the same of the slope"),
    "gain_rms": Quantity("1/rms φ", r"$1/\sqrt{\mathbb{E}\,\phi^2}$", "gain that keeps the mean square (He)"),
    "gain_sd": Quantity("1/sd φ", r"$1/\sqrt{\mathrm{Var}\,\phi}$", "gain that keeps the variance (normaliser-free)"),
    "gain_slope": Quantity("1/rms φ'", r"$1/\sqrt{\mathbb{E}\,\phi'^2}$", "gain that keeps a squared gradient"),
    "sigma_w_edge": Quantity("σ_w edge", r"$\sigma_w$, edge", "σ_w of the edge of chaos at q"),
    "sigma_b_edge": Quantity("σ_b edge", r"$\sigma_b$, edge", "σ_b of the edge of chaos at q"),
    "gains": Quantity("gains", "gains", "each with its σ_w and how it is written"),
    "gain": Quantity("gain", "gain", "what it is called"),
    "keeps": Quantity("keeps", "keeps", "what stays constant from layer to layer"),
    "g": Quantity("g", "$g$", "gain that a framework is told, Var W = g²/fan"),
    "weight_sd": Quantity("sd of W", r"$\mathrm{sd}\,W_{ij}$", "of a weight, σ_w/√fan_in"),
    "pytorch": Quantity("PyTorch", "PyTorch", "how it is written there"),
    "keras": Quantity("Keras", "Keras", "how it is written there"),
    "jax": Quantity("JAX", "JAX", "how it is written there"),
    "weight": Quantity("weight", "weight", "code of the weights"),
    "bias": Quantity("bias", "bias", "code of the biases"),
    "phi_product": Quantity("E φ(u)φ(v)", r"$\mathbb{E}\,\phi(u)\phi(v)$", "of inputs of correlation ρ"),
    "phi_covariance": Quantity("Cov φ", r"$\mathrm{Cov}(\phi(u), \phi(v))$", "the same about the mean"),
    "phi_correlation": Quantity("Corr φ", r"$\mathrm{Corr}(\phi(u), \phi(v))$", "the same in units of Var φ"),
    # At a fixed point.
    "sparsity": Quantity("sparsity", "sparsity", "fraction of activations exactly 0"),
    "chi_1": Quantity("χ₁(q*)", r"$\chi_1(q^*)$", _chi1.meaning),
    "V_prime": Quantity("V'(q*)", "$V'(q^*)$", _dV.meaning),
    "V_double_prime": Quantity("V''(q*)", "$V''(q^*)$", _d2V.meaning),
    "R_double_prime": Quantity("R''(1)", "$R''(1)$", "1 - ρ tends to 2/(R''(1) l) over l layers"),
    "kappa": Quantity("κ(q*)", r"$\kappa(q^*)$", "1 - ρ tends to 4/(κ l)² over l layers"),
    "q_V_double_prime": Quantity("q*V''", "$q^*V''(q^*)$", "relative change of V' with q"),
    "q_chi_1_prime": Quantity("q*χ₁'", r"$q^*\chi_1'(q^*)$", "relative change of χ₁ with q"),
    "slope": Quantity("slope V'", _dV.latex, _dV.meaning),
    "curvature": Quantity("curvature V''", _d2V.latex, _d2V.meaning),
    "slope_of_R": Quantity("slope R'", r"$R'(\rho^*)$", _dR.meaning),
    "curvature_of_R": Quantity("curvature R''", r"$R''(\rho^*)$", "curvature of the correlation map"),
    "kind": Quantity("kind", "kind", "whether a fixed point attracts or repels"),
    "fixed_points": Quantity("fixed points", "fixed points", "of V"),
    "phase": Quantity("phase", "phase", "what correlations and gradients do"),
    "rho_star": Quantity("ρ*", r"$\rho^*$", "where the correlation of two inputs settles"),
    "xi_q": Quantity("ξ_q", r"$\xi_q$", "layers to return by a factor e", "layers"),
    "xi_c": Quantity("ξ_c", r"$\xi_c$", "layers to settle by a factor e, of correlations", "layers"),
    "basin": Quantity("basin", "basin", "variances that tend to q*"),
    "verdict": Quantity("verdict", "verdict", "the worst of signal, gradient and inputs"),
    "signal": Quantity("signal", "signal", "what the variance does"),
    "gradient": Quantity("gradient", "gradient", "what its square does over all layers"),
    "inputs": Quantity("inputs", "inputs", "what differences between them do"),
    "explanation": Quantity("why", "explanation", "of the verdict, in words"),
    "remedies": Quantity("remedies", "remedies", "changes that are each enough"),
    "what": Quantity("change", "change", "inputs, initialisation, weights, clip, width or depth"),
    "instead_of": Quantity("instead of", "instead of", "the q* judged, where that is the trouble"),
    "weights": Quantity("weights", "weights", "gaussian or orthogonal"),
    "share_lost": Quantity("lost", "lost", "share of networks that lose signal or gradient"),
    "interval": Quantity("95 % interval", r"95\,\% interval", "of a share (Wilson)"),
    "gradient_within": Quantity("f_g", "$f_g$", "factor by which a squared gradient may change"),
    "foretold": Quantity("foretold", "foretold", "the verdict before any network is drawn"),
    "share_interval": Quantity("95 % of lost", r"95\,\% of lost", "its interval (Wilson)"),
    "signal_lost": Quantity("signal lost", "signal lost", "share with q outside [q*/f, f q*] at layer L"),
    "m_range": Quantity("safe m", "safe $m$", "clip levels at which at most half the risk is lost"),
    "gradient_lost": Quantity("gradient lost", "gradient lost", "share with |ln G| > ln f_g over L layers"),
    # At a width and depth.
    "sd": Quantity("sd of q", r"$\mathrm{sd}\,q^L$", "at layer L, predicted"),
    "stationary_mean": Quantity("mean, settled", r"$\overline{q^\infty}$", "of q after many layers"),
    "stationary_sd": Quantity("sd, settled", r"$\mathrm{sd}\,q^\infty$", "of q after many layers"),
    "margin": Quantity("margin", "margin", "q* to the end of its basin, in sd"),
    "escape_probability": Quantity("escape", "escape", "share of networks that lose q*"),
    "escape_interval": Quantity("95 % interval", r"95\,\% interval", "of the share (Wilson)"),
    "log_gain_mean": Quantity("mean ln G", r"mean $\ln G$", "of a squared gradient over all layers, to order 1/N"),
    "log_gain_sd": Quantity("sd ln G", r"sd $\ln G$", "over random networks, to order 1/N"),
    "log_gain_correlation": Quantity("with q", r"corr$(\ln G, q^L)$", "correlation of ln G with q at layer L"),
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
    "layers": Quantity("layers", "layers", "the rows by layer"),
    # Of random networks beside theory.
    "knots": Quantity("knots", "knots", "where φ changes its slope or jumps"),
    "slopes": Quantity("slopes", "slopes", "of the pieces of φ, from left to right"),
    "intercepts": Quantity("intercepts", "intercepts", "at x = 0, of the lines that the pieces lie on"),
    "start": Quantity("q0", "$q^0$", "variance of the inputs at layer 0"),
    "kernel": Quantity("kernel", "kernel", "k, weights reach over k×k positions", "positions"),
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
    "follows": Quantity("follows", "follows", "whether networks do what theory says; null if none was compared"),
    "comparisons": Quantity("comparisons", "comparisons", "of means and sds with theory", "comparisons"),
    "threshold": Quantity("threshold", "threshold", "largest z of a mean, unless theory is wrong"),
    "visible_mean": Quantity("seen from", "seen from", "how far from theory's a mean has to be to count, last layer"),
    "visible_sd": Quantity("sd from", "sd from", "by which factor an sd has to be larger, likewise"),
    "quantities": Quantity("quantities", "quantities", "a row each"),
    "departures": Quantity("departures", "departures", "where networks and theory part, the farthest first"),
    "moment": Quantity("moment", "moment", "what departs, mean or sd"),
    "seen": Quantity("seen", "seen", "the moment over the networks"),
    "predicted": Quantity("predicted", "predicted", "the moment in theory"),
    # Of a model.
    "module": Quantity("module", "module", "name of a layer in the model"),
    "layer_kind": Quantity("kind", "kind", "linear, or a convolution with its kernel"),
    "fan_in": Quantity("fan_in", r"fan\_in", "weights that an output sums over", "weights"),
    "left": Quantity("left alone", "left alone", "why a layer was left as it was"),
    "notes": Quantity("notes", "notes", "what the theory does not cover at a layer"),
    "warnings": Quantity("warnings", "warnings", "the same, with the layers concerned"),
    "units": Quantity("units", "units", "outputs of a layer, channels of a convolution", "units"),
    "q_theory": Quantity("theory", "theory", "q that random weights make of what was measured before"),
    "q_sd": Quantity("sd", "sd", "its standard deviation at this width"),
    "q_z": Quantity("z", "$z$", "distance of q from it in standard deviations"),
    "from_inputs": Quantity("from inputs", "from inputs", "whether theory's q rests on what the layer receives alone"),
    "rho_theory": Quantity("R", "$R$", "correlation map of the ρ measured before"),
    "rho_sd": Quantity("sd", "sd", "standard deviation of ρ at this width"),
    "rho_z": Quantity("z of ρ", r"$z$ of $\rho$", "distance of ρ from what such layers have, in standard deviations"),
    "sparsity_theory": Quantity("in theory", "in theory", "sparsity at the q measured"),
    "dead": Quantity("dead", "dead", "share of units that are 0 for every example"),
    "log_gradient_theory": Quantity("in theory", "in theory", "from the gradient measured one layer on"),
    "log_gradient_sd": Quantity("sd", "sd", "standard deviation of that at this width, of one example"),
    "log_gradient_z": Quantity("z of ln |g|²", r"$z$ of $\ln|g|^2$", "distance from that in standard deviations"),
    "gradient_is": Quantity("|g|² is", "$|g|^2$ is", "exactly 0 or not finite, where its ln is no number"),
    "examples": Quantity("examples", "examples", "in a batch", "examples"),
    "level": Quantity("level", "level", "probability of a departure, were theory right"),
    "departs": Quantity("departs", "departs", "the first layer that does not do what theory says"),
    "before": Quantity("before", "before", "what was found before the model was initialised"),
    "initialised": Quantity("initialised", "initialised", "what every layer was drawn with"),
    # Designs, and sparse layers.
    "near_zero_share": Quantity("near 0", "near 0", "fraction of activations up to --below rms φ in size"),
    "R_zero": Quantity("R(0)", "$R(0)$", "correlation of two inputs without any, one layer on"),
    "R_prime": Quantity("R'(1)", "$R'(1)$", "slope of the correlation map at 1"),
    "method": Quantity("method", "method", "whose conditions a reshaped activation meets"),
    "input_scale": Quantity("α", r"$\alpha$", "of a reshaped activation, γ(φ(αx + β) + δ)"),
    "input_shift": Quantity("β", r"$\beta$", "likewise"),
    "output_scale": Quantity("γ", r"$\gamma$", "likewise"),
    "output_shift": Quantity("δ", r"$\delta$", "likewise"),
    "network_zero": Quantity("R(0), all layers", "$R^L(0)$", "correlation of two inputs without any, after all layers"),
    "network_slope": Quantity("R'(1), all layers", r"$R'(1)^L$", "slope of the correlation map of all layers at 1"),
    "network_curvature": Quantity("R''(1), all layers", "$R''(1)$ of all layers", "its curvature there"),
    "relative_basin": Quantity("basin/q*", "basin$/q^*$", "basin in units of q*"),
    "relative_sigma_b": Quantity("σ_b/√q*", r"$\sigma_b/\sqrt{q^*}$", "σ_b in units of √q*"),
    "active_share": Quantity("active", "active", "fraction of units not 0"),
    "sloping_share": Quantity("sloping", "sloping", "fraction that pass a gradient"),
    "active_mean": Quantity("mean count", "mean count", "of active units, a binomial number", "units"),
    "active_sd": Quantity("sd of count", "sd of count", "", "units"),
    "active_bound": Quantity("k", "$k$", "99.9 % of layers have no more active", "units"),
    "capacity_ratio": Quantity("√(k/s)", r"$\sqrt{k/s}$", "ratio of the Rademacher bounds, sparse to dense"),
    "samples_ratio": Quantity("k/s", "$k/s$", "ratio of the samples for equal bounds"),
    "forward": Quantity("forward", "forward", "multiplications forward", "multiplications"),
    "forward_dense": Quantity("forward, dense", "forward, dense", "the same with all units", "multiplications"),
    "backward": Quantity("backward", "backward", "multiplications backward", "multiplications"),
    "backward_dense": Quantity("backward, dense", "backward, dense", "the same with all units", "multiplications"),
    "memory": Quantity("memory", "memory", "bytes kept for backward", "bytes"),
    "memory_dense": Quantity("memory, dense", "memory, dense", "the same with all units", "bytes"),
    "bound_with_inputs": Quantity("bound with inputs", r"$\sqrt{snk/M}$", "bound √(s n k/M)"),
    "bound_with_inputs_dense": Quantity("bound with inputs, dense", r"$s\sqrt{n/M}$", "the same with k = s"),
    "bound": Quantity("bound", r"$\sqrt{sk/M}$", "bound √(s k/M)"),
    "bound_dense": Quantity("bound, dense", r"$s/\sqrt{M}$", "the same with k = s"),
    # The catalogue.
    "name": Quantity("name", "name", "of an activation"),
    "aliases": Quantity("also", "aliases", "other names"),
    "parameters": Quantity("parameters", "parameters", "with their bounds"),
    "description": Quantity("what it is", "description", "in words"),
    # Of formulas.
    "symbol": Quantity("symbol", "symbol", "what a quantity is called"),
    "meaning": Quantity("meaning", "meaning", "of a quantity, in a line"),
    "closed_form": Quantity("closed form", "closed form", "whether a formula is none of integrals"),
    "arguments": Quantity("arguments", "arguments", "what a formula is a function of, in order"),
    "text": Quantity("text", "text", "a formula in Unicode"),
    "where": Quantity("where", "where", "what stands in a formula for what"),
    "latex": Quantity("latex", "latex", "a formula in LaTeX, inside mathematics"),
    "sympy": Quantity("sympy", "sympy", "a formula that sympy reads"),
    "mathematica": Quantity("mathematica", "mathematica", "a formula that Mathematica reads"),
    "assumptions": Quantity("assumptions", "assumptions", "inequalities between parameters"),
    "without_formula": Quantity("without_formula", r"without\_formula", "quantities that have none, and why"),
    # Of numbers drawn.
    "curve": Quantity("curve", "curve", "the label of a curve"),
    "series": Quantity("series", "series", "what a row is of"),
    "panel": Quantity("panel", "panel", "what a row is drawn in"),
    "word": Quantity("word", "word", "the phase; on the edge of chaos, the stability"),
    "network": Quantity("network", "network", "which sample, counted from 0; empty for all"),
    "value": Quantity("value", "value", "of the quantity that a row is about"),
    "x": Quantity("x", "$x$", "input of φ"),
    "y": Quantity("y", "$y$", "φ(x), or the density of x at q*"),
    "one_minus_rho": Quantity("1 − ρ", r"$1 - \rho$", "how far two inputs are from alike"),
    "one_minus_R": Quantity("1 − R", "$1 - R$", "the same one layer on"),
    "gained": Quantity("|R − ρ|", r"$|R - \rho|$", "change of the correlation in a layer"),
    # Of training.
    "data": Quantity("data", "data", "that was trained on"),
    "outcome": Quantity("outcome", "outcome", "finished or diverged"),
    "train_accuracy": Quantity("train", "train", "accuracy on training examples"),
    "test_accuracy": Quantity("test", "test", "accuracy on examples not trained on"),
    "train_loss": Quantity("loss, train", "loss, train", "mean cross-entropy on training examples"),
    "test_loss": Quantity("loss, test", "loss, test", "the same on examples not trained on"),
    "train_sparsity": Quantity("zeros, train", "zeros, train", "share of hidden activations exactly 0"),
    "test_sparsity": Quantity("zeros", "zeros", "the same on examples not trained on"),
    "test_on": Quantity("tested on", "tested on", "test, or validation"),
    "step": Quantity("step", "step", "of the optimiser, counted from 0", "steps"),
    "steps": Quantity("steps", "steps", "of the optimiser", "steps"),
    "first_layer": Quantity("layer", "layer", "where a run that diverged ran away first"),
    "gradient_norm": Quantity(
        "|∂loss/∂h|", r"$|\partial\mathrm{loss}/\partial h^l|$", "norm of the gradient of a layer"
    ),
    "loss": Quantity("loss", "loss", "mean cross-entropy over the latest steps"),
    "epochs": Quantity("epochs", "epochs", "passes over the training set"),
    "batch": Quantity("batch", "batch", "examples a step"),
    "learning_rate": Quantity("rate", "rate", "of learning, the largest of the schedule"),
    "model": Quantity("model", "model", "dense, or conv for convolutions of 3×3 weights"),
    "optimizer": Quantity("optimiser", "optimiser", "adam, adamw or sgd"),
    "schedule": Quantity("schedule", "schedule", "of the learning rate"),
    "warmup": Quantity("warm-up", "warm-up", "steps over which the rate rises", "steps"),
    "clip_gradient": Quantity("|g| ≤", r"$|g|\le$", "largest norm of a gradient"),
    "validation": Quantity("held out", "held out", "training examples tested on", "examples"),
    "test_accuracy_sd": Quantity("± sd", "± sd", "of the accuracy over seeds"),
    "validation_accuracy": Quantity("tuned", "tuned", "accuracy of the best candidate on examples held out"),
    "chi_1_for_training": Quantity("foretold χ₁", r"foretold $\chi_1$", "gain for training, of the largest contrast"),
    "nearness_rank": Quantity("Spearman", "Spearman", "of nearness to the χ₁ foretold with the accuracy"),
    "contrast_rank": Quantity("Spearman", "Spearman", "of a small contrast on the edge with the accuracy gained"),
    "contrast": Quantity("contrast", "contrast", "what inputs alike teach each other more than others do"),
    "contrast_on_edge": Quantity("on the edge", "on the edge", "the same at χ₁ = 1"),
    "is_best": Quantity("best", "best", "whether it is that of the best χ₁"),
    "accuracy_gained": Quantity("better by", "better by", "accuracy gained over the edge of chaos"),
    "gained_interval": Quantity("95 % interval", r"95\,\% interval", "of what is gained (Welch)"),
    "accuracy_lost": Quantity("worse by", "worse by", "accuracy lost against ReLU of the same shape"),
    "clipped_share": Quantity("clipped", "clipped", "share of active units that pass no gradient"),
    "rank_correlation": Quantity(
        "Spearman", "Spearman", "correlation of ranks of the share lost with the accuracy lost"
    ),
    "rank_in_shape": Quantity("in shape", "in shape", "mean of those within one width and depth"),
    "rank_of_V_prime": Quantity("of V'", "of $V'$", "of V'(q*) alone"),
    "with_clipped_share": Quantity("& clipped", "\\& clipped", "of the share lost and the share clipped together"),
    "with_one_minus_rho": Quantity("& 1 − ρ", r"\& $1 - \rho$", "of the share lost and 1 − ρ together"),
    "runs": Quantity("runs", "runs", "of different seeds"),
    "diverged": Quantity("diverged", "diverged", "share of the runs"),
    "seconds": Quantity("seconds", "seconds", "that training took", "seconds"),
    "machine": Quantity("machine", "machine", "that trained"),
    # Where what is exported comes from.
    "version": Quantity("version", "version", "of meanfield"),
    "command": Quantity("command", "command", "that was given"),
    "papers": Quantity("papers", "papers", "whose theory it is"),
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


#: What figures call by one letter.
_SIGNS = {"sparsity": "s", "slope": "a", "q_star": QUANTITIES["q_star"].mathematics}


def parameter_latex(name: str) -> str:
    """A parameter, or q_star, as it stands inside the mathematics of a figure."""
    return _SIGNS.get(name) or latex_name(name)
