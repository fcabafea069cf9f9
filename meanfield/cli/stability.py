"""`meanfield stability`: whether networks of a given width and depth keep their signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meanfield.cli import options
from meanfield.cli.layout import Block, grid, heading, listing, paragraph
from meanfield.cli.output import emit, printing, progress, refusal
from meanfield.cli.verdicts import Strict, explanation, formula, hold, prose
from meanfield.errors import NoEdgeOfChaos
from meanfield.quantities import CHAINS, RISK, WITHIN
from meanfield.tables.records import Record

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.finite_width.verdict import FiniteWidth

__all__ = ["stability"]

_LISTED = (
    *("q_star", "sigma_w", "sigma_b", "width", "depth", "V_prime", "V_double_prime", "basin", "sd", "stationary_mean"),
    *("stationary_sd", "margin", "escape_probability", "escape_interval", "xi_q", "xi_c", "q_chi_1_prime"),
    *("log_gain_mean", "log_gain_sd", "jacobian_mean", "jacobian_variance_gaussian", "jacobian_variance_orthogonal"),
    "verdict",
)
_COMPARED = (
    *("activation", "q_star", "width", "depth", "V_prime", "basin", "sd", "margin", "escape_probability", "verdict"),
)


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
    sigma_w: options.SigmaW = None,
    sigma_b: options.SigmaB = 0.0,
    q0: options.Q0 = None,
    within: options.Within = WITHIN,
    risk: options.Risk = RISK,
    escapes: options.Escapes = CHAINS,
    seed: options.Seed = 0,
    strict: Strict = False,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """Whether random networks of a given width and depth keep their signal; if not, what would.

    Verdicts: safe, at most --risk of them lose it; fragile, more do although V'(q*) < 1; unstable, more do and q*
    repels; neutral, V is the identity, so that q drifts and nothing else comes of it.

    \b
    Examples:
      meanfield stability --act "clipped-relu(tau=1.0364, m=2)" --width 300 --depth 100
      meanfield stability --act "clipped-relu(tau=1, m=1)" --width 100 --depth 30 --q-star 2 --format json
      meanfield stability --act relu --act shifted-relu --tau 0.5 --width 100 --depth 20 --escapes 1024
      meanfield stability --act hard-tanh --sigma-w 1.5 --sigma-b 0.1 --width 100 --depth 30 --q0 4
    """
    from meanfield.finite_width.escape import Requirement
    from meanfield.finite_width.verdict import FiniteWidth, at_width
    from meanfield.infinite_width.operating_point import operating_point
    from meanfield.infinite_width.stability import diagnose

    how = printing(format, digits, columns, caption, tex_label, output)
    requirement = Requirement(width, depth, within, risk, escapes, seed)
    rows: list[Record] = []
    results, refusals = [], []
    for named in options.read_activations(act, tau, m, slope, param, label):
        try:
            diagnosis = diagnose(operating_point(named.phi, q_star, sigma_w, sigma_b), with_remedies=False)
            with progress("random networks, then what is safe", escapes) as advance:
                found = at_width(diagnosis, requirement, q0, advance)
        except NoEdgeOfChaos as error:
            rows.append(refusal(named.label, error))
            refusals.append(f"{named.label}: {error}")
            continue
        rows.append(found.record())
        results.append((named, found, rows[-1]))
    # A file holds all that was asked for, or is not written.
    if not refusals or (len(act) > 1 and output is None):
        emit(rows, _tables(results, digits), how, single=len(act) == 1, paper=FiniteWidth.paper)
    if refusals:
        raise NoEdgeOfChaos(*refusals)
    hold(strict, (found for _, found, _ in results))


def _tables(results: list[tuple[NamedActivation, FiniteWidth, Record]], digits: int | None) -> list[Block]:
    if not results:
        return []
    if len(results) == 1:
        named, found, record = results[0]
        required = found.requirement
        steps = "a layer is one normal number" if found.escapes.normal else "exact"
        title = f"q by layer: to order 1/N², and in {required.chains} random networks ({steps}, seed {required.seed})"
        by_layer = grid(record["layers"], list(record["layers"][0]), digits or 4)
        return [
            heading(f"{named.label} at width {required.width}, depth {required.depth}"),
            formula(named),
            listing(record, _LISTED, digits),
            heading(title),
            by_layer,
            *prose(found),
        ]
    notes = [paragraph(f"{named.label}:", explanation(found), found.verdict.word) for named, found, _ in results]
    required = results[0][1].requirement
    above = heading(f"Stability at width {required.width}, depth {required.depth}")
    keys = [key for key in _COMPARED if key not in ("width", "depth")]
    return [above, grid([record for *_, record in results], keys, digits or 4), *notes]
