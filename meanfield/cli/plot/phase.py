"""`meanfield plot phase`: the plane of initialisations."""

from __future__ import annotations

from typing import Annotated

import typer

from meanfield.cli import options
from meanfield.cli.plot.page import Drawing
from meanfield.errors import DomainError

__all__ = ["phase"]

QStar = Annotated[float, typer.Option("--q-star", help="Variance of the signal followed; q* of the point marked.")]
SigmaW = Annotated[float | None, typer.Option("--sigma-w", help="σ_w of the point to mark.", show_default=False)]
SigmaB = Annotated[float | None, typer.Option("--sigma-b", help="σ_b of the point to mark.", show_default=False)]
Ends = Annotated[str | None, typer.Option("--range-w", help="Ends of the axis of σ_w: LOW,HIGH.", show_default=False)]
EndsB = Annotated[str | None, typer.Option("--range-b", help="Ends of the axis of σ_b: LOW,HIGH.", show_default=False)]


def phase(
    act: options.OneAct,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    label: options.Labels = None,
    q_star: QStar = 1.0,
    sigma_w: SigmaW = None,
    sigma_b: SigmaB = None,
    range_w: Ends = None,
    range_b: EndsB = None,
) -> Drawing:
    """Ordered and chaotic initialisations (σ_w, σ_b), the edge of chaos with its stable part, and a point marked.

    \b
    Examples:
      meanfield plot phase --act hard-tanh
      meanfield plot phase --act "clipped-relu(tau=1, m=1)" --sigma-w 3 --sigma-b 0.5
    """
    from meanfield.plot.phase_plane import PhasePlane

    (named,) = options.read_activations([act], tau, m, slope, param, label)
    if (sigma_w is None) != (sigma_b is None):
        raise DomainError("a point has --sigma-w and --sigma-b: give both, or neither for the edge of chaos")
    point = None if sigma_w is None or sigma_b is None else (sigma_w, sigma_b)
    ends = _ends("--range-w", range_w), _ends("--range-b", range_b)
    return PhasePlane(named.phi, point, q_star, *ends, named.label if label else "")


def _ends(option: str, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    ends = options.numbers(option, text)
    if len(ends) != 2:
        raise DomainError(f"{option} {text} does not have two ends: give LOW,HIGH such as 0.5,4")
    return ends[0], ends[1]
