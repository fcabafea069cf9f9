"""`meanfield plot correlation`: R(ρ) against ρ."""

from __future__ import annotations

from typing import Annotated

import typer

from meanfield.cli import options
from meanfield.cli.plot.curves import MRange, Ranges, SlopeRange, TauRange, family, networks
from meanfield.cli.plot.page import Drawing

__all__ = ["correlation"]

Rho = Annotated[str | None, typer.Option("--rho", help="Correlations to draw: START:STOP:COUNT.", show_default=False)]
NearOne = Annotated[bool, typer.Option("--near-one", help="1 − R and |R − ρ| against 1 − ρ on log axes.")]


def correlation(
    act: options.Acts,
    tau: TauRange = None,
    m: MRange = None,
    slope: SlopeRange = None,
    param: Ranges = None,
    label: options.Labels = None,
    q_star: options.QStar = 1.0,
    chi: options.Chi = 1.0,
    sigma_w: options.SigmaW = None,
    sigma_b: options.SigmaB = 0.0,
    rho: Rho = None,
    near_one: NearOne = False,
) -> Drawing:
    """The correlation map R(ρ) at q* with the identity line and its fixed points.

    \b
    Examples:
      meanfield plot correlation --act relu --act hard-tanh --act "clipped-relu(tau=1, m=1)"
      meanfield plot correlation --act relu --near-one -o near-one.pdf
    """
    from meanfield.plot.correlation_maps import CorrelationMaps

    drawn = networks(family(act, tau, m, slope, param, label), q_star, sigma_w, sigma_b, chi)
    return CorrelationMaps(drawn, None if rho is None else tuple(options.numbers("--rho", rho)), None, near_one)
