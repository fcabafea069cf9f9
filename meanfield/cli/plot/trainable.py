"""`meanfield plot trainable`: how deep networks can be trained."""

from __future__ import annotations

from typing import Annotated

import typer

from meanfield.cli import options
from meanfield.cli.output import progress
from meanfield.cli.plot.page import Drawing
from meanfield.errors import ActivationError, DomainError
from meanfield.quantities import GRADIENT_WITHIN, RISK, WITHIN

__all__ = ["trainable"]

Act = Annotated[str, typer.Option("--act", help="A name, or an expression in x, with one or two parameters open.")]
Solve = Annotated[
    str | None,
    typer.Option(
        "--solve",
        help="The open parameters: first for sparsity, then the one of which the best is taken; default tau,m or the "
        "only one.",
        show_default=False,
    ),
]
Sparsity = Annotated[str, typer.Option("--sparsity", help="P(φ = 0): START:STOP:COUNT.")]
Widths = Annotated[str, typer.Option("--width", help="N: START:STOP:COUNT, evenly in ln N, or a list.")]
Levels = Annotated[
    str | None,
    typer.Option(
        "--levels", help="Values of the second parameter: START:STOP:COUNT; default 0.4 to 2.5 √q*.", show_default=False
    ),
]
QStar = Annotated[float, typer.Option("--q-star", help="q* of the edge of chaos.")]
Depth = Annotated[int, typer.Option("--depth", help="The largest L that is looked at.")]


def trainable(
    act: Act = "clipped-relu",
    solve: Solve = None,
    sparsity: Sparsity = "0.5:0.95:10",
    width: Widths = "64:1000:6",
    levels: Levels = None,
    param: options.Params = None,
    label: options.Labels = None,
    q_star: QStar = 1.0,
    chi: options.Chi = 1.0,
    depth: Depth = 300,
    within: options.Within = WITHIN,
    gradient_within: options.GradientWithin = GRADIENT_WITHIN,
    risk: options.Risk = RISK,
) -> Drawing:
    """The largest depth at which half of the risk is lost, signal or gradient, over sparsity and width.

    \b
    Examples:
      meanfield plot trainable --sparsity 0.6:0.9:4 --width 64:512:3 --depth 100
      meanfield plot trainable --act clipped-soft-threshold -o depths.pdf
      meanfield plot trainable --act soft-threshold --sparsity 0.1:0.6:6 --depth 30
    """
    import numpy as np

    from meanfield.activations.family import Family, left_open
    from meanfield.design.trainable import trainable_depths
    from meanfield.finite_width.escape import Requirement
    from meanfield.plot.trainable_plane import TrainablePlane

    (called,) = options.one_for_each([act], label)
    given = options.read_parameters({}, param, options.number)
    names = left_open(act, given) if solve is None else tuple(name.strip() for name in solve.split(","))
    if solve is None and {*names} == {"tau", "m"}:
        names = ("tau", "m")
    elif solve is None and len(names) != 1:
        raise ActivationError(f"{act} has no tau and m left open, nor one parameter: name them, as in --solve a,b")
    family = Family(act, names, tuple(given.items()))
    shares, ends = options.numbers("--sparsity", sparsity), options.numbers("--width", width)
    if ":" in width and min(ends) > 0:
        ends = np.round(np.geomspace(ends[0], ends[-1], len(ends))).tolist()
    for option, places in (("--sparsity", shares), ("--width", ends)):
        if len(places) < 2 or sorted(set(places)) != places:
            raise DomainError(f"{option} makes no axis: give two or more values in ascending order")
    if any(units != int(units) for units in ends):
        raise DomainError(f"--width {width} holds what is no number of units: give whole numbers")
    tried = None if levels is None else options.numbers("--levels", levels)
    widths = [int(units) for units in ends]
    requirement = Requirement(widths[0], depth, within, risk, gradient_within=gradient_within)
    with progress("designs", len(shares) * len(widths)) as advance:
        found = trainable_depths(family, shares, widths, requirement, tried, q_star=q_star, chi_1=chi, advance=advance)
    return TrainablePlane(found, called or "")
