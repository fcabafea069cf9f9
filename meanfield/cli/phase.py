"""`meanfield phase`: the edge of chaos as a curve, or the phases over a grid of initialisations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import options
from meanfield.cli.layout import Block, grid, heading
from meanfield.cli.output import emit, printing, refusal, require_columns
from meanfield.errors import NO_ANSWER, DomainError, NoEdgeOfChaos
from meanfield.tables.records import Record

if TYPE_CHECKING:
    from meanfield.activations.activation import Activation

__all__ = ["phase"]

QStar = Annotated[
    str | None, typer.Option("--q-star", help="Points of the curve: a list or START:STOP:COUNT.", show_default=False)
]
SigmaW = Annotated[
    str | None, typer.Option("--sigma-w", help="σ_w of the grid, likewise; with --sigma-b.", show_default=False)
]
SigmaB = Annotated[str | None, typer.Option("--sigma-b", help="σ_b of the grid, likewise.", show_default=False)]
Q0 = Annotated[
    float | None,
    typer.Option("--q0", help="On the grid: variance of the signal that is followed; default 1.", show_default=False),
]

_CURVE = "0.25,0.5,1,2,4,8"
_EDGE = ("activation", "q_star", "sigma_w", "sigma_b", "sparsity", "V_prime", "V_double_prime")
_GRID = ("activation", "sigma_w", "sigma_b", "phase", "fixed_points", "q_star", "chi_1", "rho_star", "xi_c")
_FITTING = ("activation", "sigma_w", "sigma_b", "phase", "q_star", "chi_1", "xi_c")
#: A table of more rows than this is not for people.
_MOST_ROWS = 1000


def phase(
    act: options.Acts,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    label: options.Labels = None,
    q_star: QStar = None,
    sigma_w: SigmaW = None,
    sigma_b: SigmaB = None,
    q0: Q0 = None,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """The edge of chaos as a curve over q*; or, over a grid of σ_w and σ_b, phase, fixed points, χ₁, ρ* and ξ_c.

    \b
    Examples:
      meanfield phase --act hard-tanh
      meanfield phase --act "clipped-relu(tau=1, m=1)" --q-star 0.1:10:100 --format csv
      meanfield phase --act hard-tanh --sigma-w 0.5:2.5:5 --sigma-b 0,0.3
      meanfield phase --act "clipped-relu(tau=1, m=1)" --sigma-w 0.5:4:40 --sigma-b 0:2:40 --format csv
    """
    how = printing(format, digits, columns, caption, tex_label, output)
    require_columns(how, _EDGE if sigma_w is None else _GRID)
    if (sigma_w is None) != (sigma_b is None):
        raise DomainError("a grid needs --sigma-w and --sigma-b: give both, or neither for the edge of chaos")
    if sigma_w is None and q0 is not None:
        raise DomainError("--q0 is the variance of a signal on a grid: give --sigma-w and --sigma-b, or leave it out")
    if sigma_w is not None and q_star is not None:
        raise DomainError("--q-star draws the edge of chaos, --sigma-w and --sigma-b a grid: give one or the other")
    curve = options.numbers("--q-star", _CURVE if q_star is None else q_star)
    plane = None
    if sigma_w is not None and sigma_b is not None:
        plane = options.numbers("--sigma-w", sigma_w), options.numbers("--sigma-b", sigma_b)
    count = len(plane[0]) * len(plane[1]) if plane else len(curve)
    if how.format is options.Format.table and count > _MOST_ROWS:
        raise DomainError(f"{count} rows are too many for a table: add --format csv or ask for fewer")
    rows: list[Record] = []
    tables: list[Block] = []
    refusals = []
    start = 1.0 if q0 is None else q0
    for named in options.read_activations(act, tau, m, slope, param, label):
        try:
            records = _records(named.phi, curve, plane, start)
        except NO_ANSWER as error:
            rows.append(refusal(named.label, error))
            refusals.append(f"{named.label}: {error}" if len(act) > 1 else str(error))
            continue
        asked = "the edge of chaos" if plane is None else f"where a signal of q = {start:g} settles"
        tables += [heading(f"{named.label}: {asked}"), grid(records, list(records[0]), digits or 4)]
        rows += [{"activation": named.label, **record} for record in records]
    if not refusals or (len(act) > 1 and output is None):
        emit(rows, tables, how, paper=_FITTING if plane else ())
    if refusals:
        raise NoEdgeOfChaos(*refusals)


def _records(
    phi: Activation, curve: list[float], plane: tuple[list[float], list[float]] | None, start: float
) -> list[Record]:
    if plane is None:
        from meanfield.infinite_width.edge import edge_curve

        return edge_curve(phi, curve).records()
    from meanfield.infinite_width.phase_diagram import phase_diagram

    return phase_diagram(phi, *plane, start).records()
