"""`meanfield maps`: the variance map over q, or the correlation map over ρ, as numbers."""

from __future__ import annotations

from typing import Annotated

import typer

from meanfield.cli import options
from meanfield.cli.layout import Block, grid, heading
from meanfield.cli.output import emit, printing, refusal, require_columns
from meanfield.tables.records import Record, keys_of

__all__ = ["maps"]

QStar = Annotated[float, typer.Option("--q-star", help="q* of the edge of chaos; variance at which R is taken.")]
Q = Annotated[
    str | None, typer.Option("--q", help="Variances: a list 0.5,1,2 or START:STOP:COUNT.", show_default=False)
]
Rho = Annotated[
    str | None,
    typer.Option("--rho", help="Correlations, likewise: R, R' and outputs instead of V.", show_default=False),
]

_OVER_Q = ("q", "V", "dV", "d2V", "chi1")
_OVER_RHO = ("rho", "R", "dR", "phi_product", "phi_covariance", "phi_correlation")


def maps(
    act: options.Acts,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    label: options.Labels = None,
    q: Q = None,
    rho: Rho = None,
    q_star: QStar = 1.0,
    chi: options.Chi = 1.0,
    sigma_w: options.SigmaW = None,
    sigma_b: options.SigmaB = 0.0,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """V, V', V'' and χ₁ over a grid of q; or R and R', and the covariance of outputs φ, over a grid of ρ.

    \b
    Examples:
      meanfield maps --act soft-threshold --tau 0.5
      meanfield maps --act "clip(x, -1, 1)" --q 0:4:41 --format csv
      meanfield maps --act relu --rho=-1:1:9
      meanfield maps --act sign --sigma-w 1 --q 0.5,1,2
    """
    from meanfield.domain import require_signal
    from meanfield.errors import NO_ANSWER, DomainError, NoEdgeOfChaos
    from meanfield.infinite_width.covariance import covariance
    from meanfield.infinite_width.operating_point import operating_point
    from meanfield.infinite_width.outputs import output_correlation, output_covariance

    how = printing(format, digits, columns, caption, tex_label, output)
    row = _OVER_Q if rho is None else _OVER_RHO
    require_columns(how, ("activation", *row))
    require_signal(q_star)
    if q is not None and rho is not None:
        raise DomainError("--q and --rho ask for different maps: give one of them")
    grid_of = options.numbers("--rho", rho) if rho is not None else None if q is None else options.numbers("--q", q)
    rows: list[Record] = []
    tables: list[Block] = []
    refusals = []
    for named in options.read_activations(act, tau, m, slope, param, label):
        try:
            network = operating_point(named.phi, q_star, sigma_w, sigma_b, chi).network
        except NO_ANSWER as error:
            rows.append(refusal(named.label, error))
            refusals.append(f"{named.label}: {error}" if len(act) > 1 else str(error))
            continue
        x = [q_star * k / 4 for k in range(17)] if grid_of is None else grid_of
        if rho is None:
            found = [network.V(x), network.dV(x), network.d2V(x), network.chi1(x)]
        else:
            outputs = [of(named.phi, x, q_star) for of in (covariance, output_covariance, output_correlation)]
            found = [network.R(x, q_star), network.dR(x, q_star), *outputs]
        records = [dict(zip(row, map(float, values), strict=True)) for values in zip(x, *found, strict=True)]
        title = f"{named.label} at σ_w = {network.sigma_w:.6g}, σ_b = {network.sigma_b:.6g}"
        tables += [heading(title if rho is None else f"{title}, q = {q_star:g}"), grid(records, row, digits)]
        rows += [{"activation": named.label, **record} for record in records]
    if not refusals or (len(act) > 1 and output is None):
        emit(rows, tables, how, paper=keys_of(rows))
    if refusals:
        raise NoEdgeOfChaos(*refusals)
