"""`meanfield plot`: figures for papers, a kind each. Only here is matplotlib loaded, and only when it draws."""

from __future__ import annotations

from meanfield.cli.lazy_group import LazyGroup
from meanfield.cli.plot.page import FigureCommand

__all__ = ["plot"]


class _Kinds(LazyGroup):
    package = __name__
    names = ("variance", "correlation", "slope", "phase", "design", "trajectory", "activation", "summary")
    kind = FigureCommand


plot = _Kinds(
    name="plot", help="Draw a figure for a paper: maps, slopes, phases, designs, trajectories.", rich_markup_mode=None
)
