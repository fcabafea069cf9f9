"""`meanfield phase`: the edge of chaos as a curve, or the phases over a grid of initialisations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import options
from meanfield.cli.output import Record, emit, grid, heading
from meanfield.errors import DomainError

if TYPE_CHECKING:
    from meanfield.activations.piecewise_linear import PiecewiseLinear

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
#: A table of more rows than this is not for people.
_MOST_ROWS = 1000


def phase(
    act: options.Acts,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    q_star: QStar = None,
    sigma_w: SigmaW = None,
    sigma_b: SigmaB = None,
    q0: Q0 = None,
    format: options.Formats = options.Format.table,
    digits: options.Digits = None,
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
    if format is options.Format.table and count > _MOST_ROWS:
        raise DomainError(f"{count} rows are too many for a table: add --format csv or ask for fewer")
    rows: list[Record] = []
    tables = []
    for named in options.read_activations(act, tau, m, slope, param):
        if plane is None:
            records = _curve(named.phi, curve)
            title = f"{named.label}: the edge of chaos"
        else:
            start = 1.0 if q0 is None else q0
            records = _grid(named.phi, *plane, start)
            title = f"{named.label}: where a signal of q = {start:g} settles"
        if format is options.Format.table:
            tables += [heading(title), grid(records, list(records[0]), digits or 4)]
        rows += records if len(act) == 1 else [{"activation": named.label, **record} for record in records]
    emit(rows, tables, format, digits, output)


def _curve(phi: PiecewiseLinear, q_star: list[float]) -> list[Record]:
    from meanfield.infinite_width.edge import edge_curve

    curve = edge_curve(phi, q_star)
    keys = ("q_star", "sigma_w", "sigma_b", "sparsity", "V_prime", "V_double_prime")
    columns = [getattr(curve, key).tolist() for key in keys]
    return [{key: _known(value) for key, value in zip(keys, row, strict=True)} for row in zip(*columns, strict=True)]


def _grid(phi: PiecewiseLinear, sigma_w: list[float], sigma_b: list[float], q0: float) -> list[Record]:
    from meanfield.infinite_width.phase_diagram import phase_diagram

    found = phase_diagram(phi, sigma_w, sigma_b, q0)
    keys = ("phase", "fixed_points", "q_star", "chi_1", "rho_star", "xi_c")
    arrays = [getattr(found, key).tolist() for key in keys]
    return [
        {"sigma_w": w, "sigma_b": b, **{key: _known(array[i][j]) for key, array in zip(keys, arrays, strict=True)}}
        for i, b in enumerate(sigma_b)
        for j, w in enumerate(sigma_w)
    ]


def _known(value: float | str) -> float | str | None:
    return None if isinstance(value, float) and math.isnan(value) else value
