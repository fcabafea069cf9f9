"""Figures for papers. The only room that loads matplotlib, and none of its global state is touched.

>>> import meanfield as mf
>>> edge = mf.edge_of_chaos(mf.activation("clipped-relu(tau=1, m=1)"))
>>> ax = mf.plot.variance({"m = 1": edge})
>>> mf.plot.save(ax, "variance.pdf", "variance.png")

Every function draws one kind of figure, into `ax` or into a new figure laid out for a `Page`, and returns its Axes (a
tuple of them where the figure has several panels). Other keyword arguments go to matplotlib's curves.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meanfield.plot.activation_function import activation as activation
    from meanfield.plot.correlation_maps import correlation as correlation
    from meanfield.plot.design_plane import design as design
    from meanfield.plot.edge_slopes import slope as slope
    from meanfield.plot.page import Page as Page
    from meanfield.plot.page import save as save
    from meanfield.plot.phase_plane import phase as phase
    from meanfield.plot.signal_trajectories import trajectory as trajectory
    from meanfield.plot.single_page import summary as summary
    from meanfield.plot.variance_maps import variance as variance

_HOMES = {
    "Page": "page",
    "activation": "activation_function",
    "correlation": "correlation_maps",
    "design": "design_plane",
    "phase": "phase_plane",
    "save": "page",
    "slope": "edge_slopes",
    "summary": "single_page",
    "trajectory": "signal_trajectories",
    "variance": "variance_maps",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'meanfield.plot' has no attribute {name!r}")
    return getattr(import_module(f"meanfield.plot.{_HOMES[name]}"), name)
