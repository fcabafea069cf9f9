"""`meanfield eoc`: the initialisation on the edge of chaos, or with another gain beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import options
from meanfield.cli.layout import Block, grid, heading, listing, paragraph
from meanfield.cli.output import emit, printing, refusal, require_columns
from meanfield.cli.verdicts import (
    VERDICT,
    Depth,
    Strict,
    Width,
    explanation,
    formula,
    hold,
    judged,
    prose,
    requirement,
    sized,
)
from meanfield.errors import DomainError, NoEdgeOfChaos
from meanfield.quantities import DECISIVE, GRADIENT_WITHIN, RISK, WITHIN
from meanfield.tables.records import Record

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.finite_width.escape import Requirement
    from meanfield.infinite_width.stability import Diagnosis

__all__ = ["eoc"]

SigmaW = Annotated[float | None, typer.Option("--sigma-w", help="Given σ_w, every q* on the edge.", show_default=False)]
SigmaB = Annotated[float | None, typer.Option("--sigma-b", help="Given σ_b, every q* on the edge.", show_default=False)]
QStar = Annotated[
    float | None, typer.Option("--q-star", help="Fixed point q* > 0 of the variance; default 1.", show_default=False)
]


def eoc(
    context: typer.Context,
    act: options.Acts,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    label: options.Labels = None,
    q_star: QStar = None,
    chi: options.Chi = 1.0,
    sigma_w: SigmaW = None,
    sigma_b: SigmaB = None,
    width: Width = None,
    depth: Depth = None,
    within: options.Within = WITHIN,
    gradient_within: options.GradientWithin = GRADIENT_WITHIN,
    risk: options.Risk = RISK,
    strict: Strict = False,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """The initialisation (σ_w, σ_b) on the edge of chaos, or by --chi beside it, and whether a deep network survives.

    \b
    Examples:
      meanfield eoc --act soft-threshold --tau 0.5
      meanfield eoc --act "clipped-relu(tau=1, m=1)" --q-star 2 --format json
      meanfield eoc --act relu --act leaky-relu --slope 0.1
      meanfield eoc --act tanh --chi 0.9
      meanfield eoc --act "clipped-relu(tau=1, m=2)" --width 300 --depth 30
      meanfield eoc --act "max(0, x-0.5) - max(0, -x-0.5)" --sigma-b 0.3
    """
    from meanfield.infinite_width.edge import edge_of_chaos, edges_of_chaos
    from meanfield.infinite_width.gains import GAIN_QUANTITIES, gain_quantities

    if sum(option is not None for option in (q_star, sigma_w, sigma_b)) > 1:
        raise DomainError("the edge of chaos is found from one of --q-star, --sigma-w and --sigma-b: give one of them")
    how = printing(format, digits, columns, caption, tex_label, output)
    off_edge = () if chi == 1 else (_OFF_EDGE,)
    require_columns(how, ("activation", *_FROM_EDGE, *_RATES, *off_edge, *GAIN_QUANTITIES, *VERDICT))
    required = requirement(context, width, depth, within, gradient_within, risk)
    rows: list[Record] = []
    records, refusals = [], []
    for named in options.read_activations(act, tau, m, slope, param, label):
        try:
            if sigma_w is None and sigma_b is None:
                edges = [edge_of_chaos(named.phi, 1.0 if q_star is None else q_star, chi)]
            else:
                edges = edges_of_chaos(named.phi, sigma_w=sigma_w, sigma_b=sigma_b)
        except NoEdgeOfChaos as error:
            rows.append(refusal(named.label, error))
            refusals.append(f"{named.label}: {error}")
            continue
        for edge in edges:
            diagnosis = judged(edge, required)
            gains = gain_quantities(edge.mean_field, edge.q_star)
            settling = dict.fromkeys(off_edge, diagnosis.verdict.inputs.xi_c)
            rows.append({**edge.record(), **settling, **gains, **diagnosis.verdict.record()})
            records.append((named, diagnosis, rows[-1]))
    if refusals and output is not None:
        # A file holds all that was asked for, or is not written.
        raise NoEdgeOfChaos(*refusals)
    if records or len(act) > 1:
        single = len(act) == 1 and sigma_w is None and sigma_b is None
        emit(rows, _tables(records, chi, required, digits), how, single=single, paper=_FITTING)
    if refusals:
        raise NoEdgeOfChaos(*refusals)
    hold(strict, (diagnosis for _, diagnosis, _ in records))


_FITTING = ("activation", "q_star", "sigma_w", "sigma_b", "sparsity", "V_prime", "verdict")
#: The columns of a table of several.
_COMPARED = ("activation", "q_star", "sigma_w", "sigma_b", "sparsity", "V_prime", "V_double_prime", "verdict")
_FROM_EDGE = (
    *("q_star", "sigma_w", "sigma_b", "sigma_w_squared", "sigma_b_squared", "sparsity"),
    *("chi_1", "V_prime", "V_double_prime"),
)
#: How fast correlations grow on the edge: by the curvature of R at 1, or by kinks. Off it they settle over layers.
_RATES, _OFF_EDGE = ("R_double_prime", "kappa"), "xi_c"


def _tables(
    records: list[tuple[NamedActivation, Diagnosis, Record]],
    chi: float,
    required: Requirement | None,
    digits: int | None,
) -> list[Block]:
    from meanfield.infinite_width.edge import gain_in_words

    if not records:
        return []
    if len(records) == 1:
        named, diagnosis, record = records[0]
        title = heading(sized(f"{named.label} {gain_in_words(chi)}", required))
        rate = _RATES[bool(record["kappa"])] if chi == 1 else _OFF_EDGE
        return [title, formula(named), listing(record, [*_FROM_EDGE, rate, *DECISIVE], digits), *prose(diagnosis)]
    rows = [record for _, _, record in records]
    notes = [paragraph(f"{named.label}:", explanation(found), found.verdict.word) for named, found, _ in records]
    compared = [*_COMPARED, *(["share_lost"] if required else [])]
    title = heading(sized("Edge of chaos" if chi == 1 else f"Networks {gain_in_words(chi)}", required))
    return [title, grid(rows, compared, digits or 4), *notes]
