"""`meanfield plot summary`: one network on a page."""

from __future__ import annotations

from meanfield.cli.ensembles import NetworksOfFigure, Rho0OfFigure, Samples, ensemble, experiment
from meanfield.cli.options import (
    Q0,
    Depth,
    M,
    OneAct,
    Params,
    QStar,
    Seed,
    SigmaB,
    SigmaW,
    Slope,
    Tau,
    Units,
    read_activations,
)
from meanfield.cli.plot.page import Drawing

__all__ = ["summary"]


def summary(
    act: OneAct,
    tau: Tau = None,
    m: M = None,
    slope: Slope = None,
    param: Params = None,
    q_star: QStar = 1.0,
    sigma_w: SigmaW = None,
    sigma_b: SigmaB = 0.0,
    units: Units = 300,
    depth: Depth = 100,
    q0: Q0 = None,
    rho0: Rho0OfFigure = 0.5,
    networks: NetworksOfFigure = 512,
    samples: Samples = 12,
    seed: Seed = 0,
) -> Drawing:
    """One page: φ and its density, V, R, trajectories, and a table of numbers.

    \b
    Examples:
      meanfield plot summary --act "clipped-relu(tau=1.0364, m=1)" -o summary.pdf
    """
    from meanfield.infinite_width.operating_point import operating_point
    from meanfield.plot.single_page import SinglePage

    (named,) = read_activations([act], tau, m, slope, param)
    point = operating_point(named.phi, q_star, sigma_w, sigma_b)
    asked = experiment(
        *(point, q_star, q0), method="chain", width=units, depth=depth, networks=networks, rho=rho0, seed=seed
    )
    return SinglePage(point, ensemble(asked, named.label, jobs=1), named.label, samples)
