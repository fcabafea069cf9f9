"""`meanfield plot summary`: one network on a page."""

from __future__ import annotations

from meanfield.cli.options import M, OneAct, Params, Seed, SigmaB, SigmaW, Slope, Tau, read_activations
from meanfield.cli.plot.design import Depth, Units
from meanfield.cli.plot.page import Drawing
from meanfield.cli.plot.trajectory import Q0, Networks, Rho0, Samples, drawn
from meanfield.cli.plot.variance import QStar

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
    rho0: Rho0 = 0.5,
    networks: Networks = 512,
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
    ensemble = drawn(named, q_star, sigma_w, sigma_b, q0, units, depth, rho0, networks, seed)
    return SinglePage(point, ensemble, named.label, samples)
