"""`meanfield plot activation`: φ and the density of what it meets."""

from __future__ import annotations

from typing import Annotated

import typer

from meanfield.cli import options
from meanfield.cli.plot.curves import MRange, Ranges, SlopeRange, TauRange, family
from meanfield.cli.plot.page import Drawing

__all__ = ["activation"]

QStar = Annotated[float, typer.Option("--q-star", help="Variance of the pre-activations.")]


def activation(
    act: options.Acts,
    tau: TauRange = None,
    m: MRange = None,
    slope: SlopeRange = None,
    param: Ranges = None,
    label: options.Labels = None,
    q_star: QStar = 1.0,
) -> Drawing:
    """φ(x), and below it the density of pre-activations of variance q*, grey where the (first) φ is 0.

    \b
    Examples:
      meanfield plot activation --act "clipped-soft-threshold(tau=1, m=1)"
      meanfield plot activation --act clipped-relu --tau 1 --m 0.5,1,2 -o phi.svg
    """
    from meanfield.plot.activation_function import ActivationFunction

    found = family(act, tau, m, slope, param, label)
    return ActivationFunction({name: named.phi for name, named in found.items()}, q_star)
