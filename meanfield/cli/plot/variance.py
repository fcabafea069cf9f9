"""`meanfield plot variance`: V(q) against q."""

from __future__ import annotations

from typing import Annotated

import typer

from meanfield.cli import options
from meanfield.cli.plot.curves import MRange, Ranges, SlopeRange, TauRange, family, networks
from meanfield.cli.plot.page import Drawing

__all__ = ["variance"]

Q = Annotated[str | None, typer.Option("--q", help="Variances to draw: START:STOP:COUNT.", show_default=False)]
Inset = Annotated[bool, typer.Option("--inset", help="Add V(q) − q around q*.")]


def variance(
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
    q: Q = None,
    inset: Inset = False,
) -> Drawing:
    """The variance map V(q) with the identity line; fixed points filled (stable), open (unstable) or half-filled.

    \b
    Examples:
      meanfield plot variance --act clipped-relu --tau 1 --m 0.5,1,2,inf -o variance.pdf -o variance.png
      meanfield plot variance --act "clipped-relu(tau=1.0364, m=2)" --inset
    """
    from meanfield.plot.variance_maps import VarianceMaps

    drawn = networks(family(act, tau, m, slope, param, label), q_star, sigma_w, sigma_b, chi)
    return VarianceMaps(drawn, None if q is None else tuple(options.numbers("--q", q)), inset)
