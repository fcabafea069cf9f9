"""`meanfield stability`: whether networks of a given width and depth keep signal, gradient and inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import ensembles, options
from meanfield.cli.layout import Block, grid, heading, listing, paragraph
from meanfield.cli.output import emit, printing, progress, refusal, require_columns
from meanfield.cli.verdicts import VERDICT, Strict, explanation, formula, hold, prose, sized
from meanfield.errors import NoEdgeOfChaos
from meanfield.quantities import CHAINS, DECISIVE, GRADIENT_WITHIN, RISK, WITHIN
from meanfield.tables.records import Record

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.finite_width.verdict import FiniteWidth

__all__ = ["stability"]

Verbose = Annotated[bool, typer.Option("--verbose", help="Show what the verdict comes from too, and q by layer.")]

_ROW = (
    *("activation", "q_star", "sigma_w", "sigma_b", "width", "depth", *VERDICT, "V_prime", "basin", "sd", "margin"),
    *("escape_probability", "escape_interval", "xi_q", "xi_c"),
    *("jacobian_variance_gaussian", "jacobian_variance_orthogonal", "jacobian_mean", "V_double_prime"),
    *("stationary_mean", "stationary_sd", "q_chi_1_prime", "log_gain_mean", "log_gain_sd", "log_gain_correlation"),
    *("q0", "within", "gradient_within", "risk", "escapes", "seed", "weights", "layers"),
)
_LISTED = (*DECISIVE, "q_star", "sigma_w", "sigma_b", "V_prime", "chi_1")
_VERBOSE = (
    *("V_double_prime", "basin", "sd", "stationary_mean", "stationary_sd", "margin", "xi_q", "xi_c", "q_chi_1_prime"),
    *("log_gain_mean", "log_gain_sd", "log_gain_correlation"),
    *("jacobian_mean", "jacobian_variance_gaussian", "jacobian_variance_orthogonal"),
)
_COMPARED = ("activation", *(key for key in DECISIVE if key != "share_interval"))


def stability(
    act: options.Acts,
    width: options.Width,
    depth: options.Depth,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    label: options.Labels = None,
    q_star: options.QStar = 1.0,
    chi: options.Chi = 1.0,
    sigma_w: options.SigmaW = None,
    sigma_b: options.SigmaB = 0.0,
    q0: options.Q0 = None,
    rho0: ensembles.Rho0OfFigure = 0.5,
    weights: ensembles.Weights = ensembles.WeightLaw.gaussian,
    within: options.Within = WITHIN,
    gradient_within: options.GradientWithin = GRADIENT_WITHIN,
    risk: options.Risk = RISK,
    escapes: options.Escapes = CHAINS,
    seed: options.Seed = 0,
    strict: Strict = False,
    verbose: Verbose = False,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """Whether random networks of a given width and depth keep signal, gradient and inputs; if not, what would.

    Verdicts: safe, at most --risk of them lose signal or gradient; neutral, V is the identity, so that q drifts and
    nothing else comes of it; fragile, more do though every layer is sound; unstable, more do and q* repels, or χ₁ is
    not 1. A framework's initialiser is judged by check --init, which takes --width and --depth too.

    \b
    Examples:
      meanfield stability --act "clipped-relu(tau=1.28155, m=1.61)" --width 300 --depth 30
      meanfield stability --act "clipped-relu(tau=1, m=1)" --width 100 --depth 30 --q-star 2 --format json
      meanfield stability --act relu --act shifted-relu --tau 0.5 --width 100 --depth 20 --escapes 1024
      meanfield stability --act hard-tanh --sigma-w 1.5 --sigma-b 0.1 --width 100 --depth 30 --q0 4
      meanfield stability --act tanh --width 64 --depth 50 --weights orthogonal --verbose
    """
    from meanfield.finite_width.escape import Requirement
    from meanfield.finite_width.verdict import FiniteWidth, at_width
    from meanfield.infinite_width.operating_point import operating_point
    from meanfield.infinite_width.stability import diagnose

    how = printing(format, digits, columns, caption, tex_label, output)
    require_columns(how, _ROW, nested="layers")
    requirement = Requirement(width, depth, within, risk, escapes, seed, gradient_within, weights.value)
    rows: list[Record] = []
    results, refusals = [], []
    for named in options.read_activations(act, tau, m, slope, param, label):
        try:
            diagnosis = diagnose(operating_point(named.phi, q_star, sigma_w, sigma_b, chi), with_remedies=False)
            with progress("random networks, then what is safe", escapes) as advance:
                found = at_width(diagnosis, requirement, q0, advance, rho=rho0)
        except NoEdgeOfChaos as error:
            rows.append(refusal(named.label, error))
            refusals.append(f"{named.label}: {error}")
            continue
        rows.append(found.record())
        results.append((named, found, rows[-1]))
    # A file holds all that was asked for, or is not written.
    if not refusals or (len(act) > 1 and output is None):
        emit(rows, _tables(results, digits, verbose=verbose), how, single=len(act) == 1, paper=FiniteWidth.paper)
    if refusals:
        raise NoEdgeOfChaos(*refusals)
    hold(strict, (found for _, found, _ in results))


def _tables(
    results: list[tuple[NamedActivation, FiniteWidth, Record]], digits: int | None, *, verbose: bool
) -> list[Block]:
    if not results:
        return []
    rows = [{**record, "chi_1": found.diagnosis.chi_1} for _, found, record in results]
    required = results[0][1].requirement
    if len(results) == 1:
        ((named, found, record),) = results
        told = [heading(sized(named.label, required)), formula(named), listing(rows[0], _LISTED, digits), *prose(found)]
        if not verbose:
            return told
        steps = "a layer is one normal number" if found.escapes.normal else "exact"
        drawn = f"{required.chains} random networks ({steps}, seed {required.seed})"
        title = heading(f"q by layer: to order 1/N², and in {drawn}")
        by_layer = grid(record["layers"], list(record["layers"][0]), digits or 4)
        return [*told, heading("What it comes from"), listing(record, _VERBOSE, digits), title, by_layer]
    notes = [paragraph(f"{named.label}:", explanation(found), found.verdict.word) for named, found, _ in results]
    return [heading(sized("Stability", required)), grid(rows, _COMPARED, digits or 4), *notes]
