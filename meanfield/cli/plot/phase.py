"""`meanfield plot phase`: the plane of initialisations."""

from __future__ import annotations

from typing import Annotated

import typer

from meanfield.cli import options
from meanfield.cli.output import progress
from meanfield.cli.plot.page import Drawing
from meanfield.errors import DomainError
from meanfield.quantities import GRADIENT_WITHIN, RISK, WITHIN

__all__ = ["phase"]

QStar = Annotated[float, typer.Option("--q-star", help="Variance of the signal followed; q* of the point marked.")]
SigmaW = Annotated[float | None, typer.Option("--sigma-w", help="σ_w of the point to mark.", show_default=False)]
SigmaB = Annotated[float | None, typer.Option("--sigma-b", help="σ_b of the point to mark.", show_default=False)]
Ends = Annotated[str | None, typer.Option("--range-w", help="Ends of the axis of σ_w: LOW,HIGH.", show_default=False)]
EndsB = Annotated[str | None, typer.Option("--range-b", help="Ends of the axis of σ_b: LOW,HIGH.", show_default=False)]

Width = Annotated[int | None, typer.Option("--width", help="N, to see what is lost; with --depth.", show_default=False)]
Depth = Annotated[int | None, typer.Option("--depth", help="L, likewise.", show_default=False)]


def phase(
    context: typer.Context,
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
    width: Width = None,
    depth: Depth = None,
    within: options.Within = WITHIN,
    gradient_within: options.GradientWithin = GRADIENT_WITHIN,
    risk: options.Risk = RISK,
) -> Drawing:
    """Ordered and chaotic initialisations (σ_w, σ_b), the edge of chaos, and at a width and depth what is lost.

    \b
    Examples:
      meanfield plot phase --act hard-tanh
      meanfield plot phase --act "clipped-relu(tau=1, m=1)" --sigma-w 3 --sigma-b 0.5
      meanfield plot phase --act hard-tanh --width 300 --depth 30 --range-w 0.8,1.6 --range-b 0,0.5
    """
    from meanfield.design.plane_losses import LOOKED_AT
    from meanfield.finite_width.escape import Requirement
    from meanfield.plot.phase_plane import PhasePlane

    (named,) = options.read_activations([act], tau, m, slope, param, label)
    if (sigma_w is None) != (sigma_b is None):
        raise DomainError("a point has --sigma-w and --sigma-b: give both, or neither for the edge of chaos")
    point = None if sigma_w is None or sigma_b is None else (sigma_w, sigma_b)
    ends = _ends("--range-w", range_w), _ends("--range-b", range_b)
    called = named.label if label else ""
    if width is None or depth is None:
        if width is not None or depth is not None:
            raise DomainError("networks have --width and --depth: give both, or neither for N → ∞ alone")
        told = "{} is of networks of a width and depth: add --width and --depth"
        options.require_left_out(context, ("within", "gradient_within", "risk"), told)
        return PhasePlane(named.phi, point, q_star, *ends, called)
    requirement = Requirement(width, depth, within, risk, gradient_within=gradient_within)
    with progress("networks", LOOKED_AT) as advance:
        return PhasePlane(named.phi, point, q_star, *ends, called, requirement, advance)


def _ends(option: str, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    ends = options.numbers(option, text)
    if len(ends) != 2:
        raise DomainError(f"{option} {text} does not have two ends: give LOW,HIGH such as 0.5,4")
    return ends[0], ends[1]
