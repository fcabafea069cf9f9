"""`meanfield plot trajectory`: variance and correlation over depth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meanfield.cli import options
from meanfield.cli.ensembles import NetworksOfFigure, Rho0OfFigure, Samples, ensemble, experiment
from meanfield.cli.plot.page import Drawing
from meanfield.errors import DomainError

__all__ = ["trajectory"]

NetworksFrom = Annotated[
    Path | None,
    typer.Option(
        "--networks-from",
        metavar="FILE",
        help="Draw the networks in a .jsonl or .npz of 'meanfield simulate', in place of --act.",
        show_default=False,
    ),
]


def trajectory(
    context: typer.Context,
    act: options.MaybeAct = None,
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
    networks_from: NetworksFrom = None,
) -> Drawing:
    """Variance, correlation and sparsity of two inputs over depth: theory, ±2 sd at a width, random networks.

    --networks-from FILE draws the networks that 'meanfield simulate' wrote to a .jsonl or .npz, in place of --act and
    all that describes networks.

    \b
    Examples:
      meanfield plot trajectory --act "clipped-relu(tau=1.0364, m=1)" --width 300 --depth 100
      meanfield plot trajectory --act "clipped-relu(tau=1.0364, m=2)" --depth 50 --networks 64 -o paths.pdf
    """
    from meanfield.infinite_width.operating_point import operating_point
    from meanfield.plot.trajectories import Trajectories

    if networks_from:
        from meanfield.simulation.reading import read_ensemble

        # Among its parameters are none of the page.
        describing = context.params.keys() - {"networks_from", "samples"}
        refusal = f"{networks_from} says which networks: leave {{}} out, or --networks-from"
        options.require_left_out(context, describing, refusal)
        return Trajectories(read_ensemble(networks_from), samples)
    if act is None:
        raise DomainError("no network is given: give --act, or --networks-from FILE.jsonl of 'meanfield simulate'")
    (named,) = options.read_activations([act], tau, m, slope, param, label)
    point = operating_point(named.phi, q_star, sigma_w, sigma_b, chi)
    asked = experiment(
        *(point, q_star, q0), method="chain", width=width, depth=depth, networks=networks, rho=rho0, seed=seed
    )
    return Trajectories(ensemble(asked, named.label, jobs=1), samples, label=named.label if label else "")
