"""`meanfield plot design`: a heat map of designs."""

from __future__ import annotations

from typing import Annotated

import typer

from meanfield.cli import options
from meanfield.cli.output import progress
from meanfield.cli.plot.page import Drawing
from meanfield.errors import DomainError
from meanfield.quantities import GRADIENT_WITHIN, RISK, WITHIN

__all__ = ["design"]

Act = Annotated[str, typer.Option("--act", help="A name, or an expression in x, with two parameters open.")]
Solve = Annotated[str, typer.Option("--solve", help="The open parameters: first for sparsity, then the axis.")]
Sparsity = Annotated[str, typer.Option("--sparsity", help="P(φ = 0): START:STOP:COUNT.")]
Levels = Annotated[str, typer.Option("--levels", help="Values of the second parameter: START:STOP:COUNT.")]
QStar = Annotated[float, typer.Option("--q-star", help="q* of the edge of chaos.")]


def design(
    act: Act = "clipped-relu",
    solve: Solve = "tau,m",
    sparsity: Sparsity = "0.5:0.95:19",
    levels: Levels = "0.2:3:15",
    param: options.Params = None,
    label: options.Labels = None,
    q_star: QStar = 1.0,
    chi: options.Chi = 1.0,
    width: options.Width = 300,
    depth: options.Depth = 100,
    within: options.Within = WITHIN,
    gradient_within: options.GradientWithin = GRADIENT_WITHIN,
    risk: options.Risk = RISK,
) -> Drawing:
    """Shares that lose signal and gradient at a width and depth, over sparsity and clip level, with V'(q*).

    \b
    Examples:
      meanfield plot design --sparsity 0.6:0.95:6 --levels 0.4:3:6 --width 300 --depth 30
      meanfield plot design --act clipped-soft-threshold --sparsity 0.6:0.9:7 --levels 0.4:2:6 -o design.pdf
    """
    from meanfield.activations.family import Family
    from meanfield.design.sweeps import design_map
    from meanfield.finite_width.escape import Requirement
    from meanfield.plot.design_plane import DesignPlane

    (called,) = options.one_for_each([act], label)
    family = Family(
        act,
        tuple(name.strip() for name in solve.split(",")),
        tuple(options.read_parameters({}, param, options.number).items()),
    )
    shares, values = options.numbers("--sparsity", sparsity), options.numbers("--levels", levels)
    for option, places in (("--sparsity", shares), ("--levels", values)):
        if len(places) < 2 or sorted(set(places)) != places:
            raise DomainError(f"{option} makes no axis: give two or more values in ascending order")
    requirement = Requirement(width, depth, within, risk, gradient_within=gradient_within)
    with progress("designs", len(shares) * len(values)) as advance:
        found = design_map(family, shares, values, requirement, q_star, advance, chi_1=chi)
        return DesignPlane(found, called or "")
