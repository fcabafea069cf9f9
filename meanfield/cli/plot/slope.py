"""`meanfield plot slope`: V'(q*) and q*V''(q*) on the edge of chaos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import options
from meanfield.cli.plot.curves import MRange, Ranges, TauRange, require_few
from meanfield.cli.plot.page import Drawing
from meanfield.cli.process import tell
from meanfield.errors import NO_ANSWER, ActivationError, DomainError, MeanFieldError

if TYPE_CHECKING:
    from meanfield.design.sweeps import SlopeCurve

__all__ = ["slope"]

Act = Annotated[str, typer.Option("--act", help="A name, or an expression in x, with parameters open.")]
Against = Annotated[str, typer.Option("--against", help="What to go along: m, tau, another parameter, or q_star.")]
Values = Annotated[
    str | None, typer.Option("--values", help="Its values: START:STOP:COUNT; default 0.1 to 5 √q*.", show_default=False)
]
Sparsity = Annotated[
    str | None,
    typer.Option(
        "--sparsity", help="P(φ = 0), kept along a curve by changing τ, or q* if τ is given.", show_default=False
    ),
]
QStar = Annotated[str, typer.Option("--q-star", help="q*; a list for a curve each.")]

_VALUES = {"q_star": (0.1, 8.0)}
_USUAL, _COUNT = (0.1, 5.0), 120


def slope(
    act: Act = "clipped-relu",
    against: Against = "m",
    values: Values = None,
    sparsity: Sparsity = None,
    tau: TauRange = None,
    m: MRange = None,
    param: Ranges = None,
    label: options.Labels = None,
    q_star: QStar = "1",
    chi: options.Chi = 1.0,
) -> Drawing:
    """V'(q*) and q*V''(q*) on the edge of chaos, against a parameter or q*; lists give a curve each.

    \b
    Examples:
      meanfield plot slope --act clipped-relu --against m --sparsity 0.6,0.7,0.8,0.9
      meanfield plot slope --against q_star --m 1 --sparsity 0.7,0.85 --values 0.25:6:60
      meanfield plot slope --against tau --m 0.5,1,2 --values 0:2:80
    """
    from meanfield.activations.expression import FUNCTIONS
    from meanfield.activations.spec import parameters_of
    from meanfield.design.sweeps import slope_curve
    from meanfield.plot.edge_slopes import EdgeSlopes

    (called,) = options.one_for_each([act], label)
    against = against.replace("-", "_")
    names = parameters_of(act) - {"x", *FUNCTIONS}
    if against != "q_star" and against not in names:
        would = " or ".join([*sorted(names), "q_star"])
        raise ActivationError(f"--against {against}: {act} has no parameter of that name: give {would}")
    texts = options.read_parameters({"tau": tau, "m": m}, param, lambda _, value: value)
    given = {name: options.numbers(f"the values of {name}", text) for name, text in texts.items()}
    stars = options.numbers("--q-star", q_star)
    shares: list[float | None] = [None] if sparsity is None else [*options.numbers("--sparsity", sparsity)]
    open_ones = {"tau", "m"} & names - {*given, against}
    if sparsity is None and open_ones:
        left = " and ".join(sorted(open_ones))
        raise ActivationError(f"{act} has {left} left open: give a value, or a --sparsity to find it from")
    if against == "q_star" and len(stars) > 1:
        raise DomainError("--q-star is what the curves go along: give their other quantities")
    if values is None:
        low, high = _VALUES.get(against, _USUAL)
        places = [low + (high - low) * k / (_COUNT - 1) for k in range(_COUNT)]
    else:
        places = options.numbers("--values", values)
    if len(places) < 2:
        raise DomainError(f"--values {values} is one point and no curve: give at least two")
    curves: dict[str, SlopeCurve] = {}
    refusals: list[tuple[str, MeanFieldError]] = []
    axes: dict[str, Sequence[float | None]] = {"sparsity": shares, **given, "q_star": stars}
    require_few(math.prod(map(len, axes.values())))
    varied = [name for name, options in axes.items() if len(options) > 1]
    for chosen in product(*axes.values()):
        point = dict(zip(axes, chosen, strict=True))
        name = ", ".join(f"{key}={point[key]:g}" for key in varied)
        fixed = {key: value for key in given if (value := point[key]) is not None}
        try:
            curves[name] = slope_curve(
                *(act, against, places, fixed),
                sparsity=point["sparsity"],
                q_star=point["q_star"] or 0.0,
                chi_1=chi,
            )
        except NO_ANSWER as refusal:
            refusals.append((name, refusal))
    if not curves:
        raise refusals[0][1]
    for name, why in refusals:
        tell(f"note: {name} is left out: {why}")
    return EdgeSlopes(curves, called or "")
