"""`meanfield check`: what a network with given weights and biases does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import options
from meanfield.cli.initialisation import Init, Scales, scales
from meanfield.cli.layout import Block, grid, heading, listing
from meanfield.cli.output import emit, printing, require_columns
from meanfield.cli.verdicts import (
    VERDICT,
    Depth,
    Strict,
    Width,
    formula,
    hold,
    judged,
    prose,
    requirement,
    sized,
)
from meanfield.quantities import DECISIVE, GRADIENT_WITHIN, RISK, WITHIN
from meanfield.tables.records import Record

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.finite_width.escape import Requirement
    from meanfield.infinite_width.stability import Diagnosis

__all__ = ["check"]

SigmaW = Annotated[
    float | None, typer.Option("--sigma-w", help="σ_w > 0, with W_ij ~ N(0, σ_w²/N); or --init.", show_default=False)
]
SigmaB = Annotated[
    float | None,
    typer.Option("--sigma-b", help="σ_b ≥ 0, with b_i ~ N(0, σ_b²); default 0, or as --init.", show_default=False),
]
QStar = Annotated[float, typer.Option("--q-star", help="Judge where a signal of this variance goes.")]

_ROW = (
    *("activation", "q_star", "sigma_w", "sigma_b", "sigma_w_squared", "sigma_b_squared", "sparsity"),
    *("chi_1", "V_prime", "V_double_prime", "phase", "fixed_points"),
)
_FITTING = ("activation", "sigma_w", "sigma_b", "q_star", "V_prime", "phase", "verdict")


def check(
    context: typer.Context,
    act: options.Acts,
    sigma_w: SigmaW = None,
    sigma_b: SigmaB = None,
    init: Init = None,
    fan_in: options.FanIn = None,
    fan_out: options.FanOut = None,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    label: options.Labels = None,
    q_star: QStar = 1.0,
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
    """Phase, every fixed point and verdict of a network with given σ_w and σ_b.

    \b
    Examples:
      meanfield check --act relu --sigma-w 1.4142135623730951
      meanfield check --act "clipped-relu(tau=1.0364, m=2)" --sigma-w 2.592286 --sigma-b 0.737097
      meanfield check --act hard-tanh --sigma-w 1.21 --sigma-b 0.494 --strict
      meanfield check --act hard-tanh --sigma-w 1.5 --sigma-b 0.1 --width 300 --depth 30
      meanfield check --act relu --init torch-default --fan-in 256
    """
    from meanfield.infinite_width.gains import GAIN_QUANTITIES
    from meanfield.infinite_width.operating_point import operating_point

    how = printing(format, digits, columns, caption, tex_label, output)
    required = requirement(context, width, depth, within, gradient_within, risk)
    given = scales(init, sigma_w, sigma_b, fan_in, fan_out, width)
    require_columns(how, (*_ROW, *given.record, *GAIN_QUANTITIES, *VERDICT))
    results = []
    for named in options.read_activations(act, tau, m, slope, param, label):
        diagnosis = judged(operating_point(named.phi, q_star, given.sigma_w, given.sigma_b), required)
        results.append((named, diagnosis, _record(diagnosis, given)))
    rows = [record for _, _, record in results]
    tables = [table for result in results for table in _tables(*result, given, required, digits)]
    emit(rows, tables, how, single=len(act) == 1, paper=_FITTING)
    hold(strict, (diagnosis for _, diagnosis, _ in results))


def _record(diagnosis: Diagnosis, given: Scales) -> Record:
    from meanfield.infinite_width.gains import gain_quantities

    found = diagnosis.record()
    said = {key: found.pop(key) for key in ("phase", "fixed_points", *diagnosis.verdict.record())}
    gains = gain_quantities(diagnosis.point.network, diagnosis.point.q_star)
    return {"activation": found.pop("activation"), **given.record, **found, **gains, **said}


def _tables(
    named: NamedActivation,
    diagnosis: Diagnosis,
    record: Record,
    given: Scales,
    required: Requirement | None,
    digits: int | None,
) -> list[Block]:
    keys = ["sigma_w", "sigma_b", "q_star", "sparsity", "chi_1", "V_prime", "V_double_prime", "phase", *DECISIVE]
    title = heading(sized(f"{named.label} with given weights and biases", required))
    tables = [title, formula(named), *given.tables(digits), listing(record, keys, digits)]
    if record["fixed_points"]:
        points = grid(record["fixed_points"], ["q", "slope", "curvature", "kind"], digits)
        tables += [heading("Fixed points of V"), points]
    return [*tables, *prose(diagnosis)]
