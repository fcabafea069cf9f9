"""`meanfield plot`: figures for papers, a kind each. Only here is matplotlib loaded, and only when it draws."""

from __future__ import annotations

import typer

from meanfield.cli.plot import activation, correlation, design, phase, slope, summary, trajectory, variance
from meanfield.cli.plot.page import pictured

__all__ = ["app"]

app = typer.Typer(
    help="Draw a figure for a paper: maps, slopes, phases, designs, trajectories.",
    add_completion=False,
    rich_markup_mode=None,
)

for _kind in (
    variance.variance,
    correlation.correlation,
    slope.slope,
    phase.phase,
    design.design,
    trajectory.trajectory,
    activation.activation,
    summary.summary,
):
    app.command(_kind.__name__)(pictured(_kind))
