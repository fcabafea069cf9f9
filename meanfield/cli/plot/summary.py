"""`meanfield plot summary`: one network on a page."""

from __future__ import annotations

from meanfield.cli import options
from meanfield.cli.ensembles import NetworksOfFigure, Rho0OfFigure, Samples, ensemble, experiment
from meanfield.cli.plot.page import Drawing
from meanfield.cli.verdicts import Strict

__all__ = ["summary"]


def summary(
    act: options.OneAct,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    label: options.Labels = None,
    q_star: options.QStar = 1.0,
    chi: options.Chi = 1.0,
    sigma_w: options.SigmaW = None,
    sigma_b: options.SigmaB = 0.0,
    width: options.Width = 300,
    depth: options.Depth = 100,
    q0: options.Q0 = None,
    rho0: Rho0OfFigure = 0.5,
    networks: NetworksOfFigure = 512,
    samples: Samples = 12,
    seed: options.Seed = 0,
    strict: Strict = False,
) -> Drawing:
    """One page: φ and its density, V, R, trajectories, and a table of numbers.

    \b
    Examples:
      meanfield plot summary --act "clipped-relu(tau=1.0364, m=1)" -o summary.pdf
    """
    from meanfield.infinite_width.operating_point import operating_point
    from meanfield.plot.single_page import SinglePage

    (named,) = options.read_activations([act], tau, m, slope, param, label)
    point = operating_point(named.phi, q_star, sigma_w, sigma_b, chi)
    asked = experiment(
        *(point, q_star, q0), method="chain", width=width, depth=depth, networks=networks, rho=rho0, seed=seed
    )
    return SinglePage(point, ensemble(asked, named.label, jobs=1), named.label, samples)
