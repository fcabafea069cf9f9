"""`meanfield plot trajectory`: variance and correlation over depth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli.ensembles import ensemble, experiment
from meanfield.cli.options import M, Params, Seed, SigmaB, SigmaW, Slope, Tau, read_activations
from meanfield.cli.plot.design import Depth, Units
from meanfield.cli.plot.page import Drawing
from meanfield.cli.plot.variance import QStar
from meanfield.errors import DomainError

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.simulation.ensemble import Ensemble

__all__ = ["Q0", "Networks", "Rho0", "Samples", "drawn", "trajectory"]

Q0 = Annotated[float | None, typer.Option("--q0", help="Variance at layer 0; default q*.", show_default=False)]
Rho0 = Annotated[float, typer.Option("--rho0", help="Correlation of the two inputs at layer 0.")]
Networks = Annotated[int, typer.Option("--networks", help="Random networks drawn at width N.")]
Samples = Annotated[int, typer.Option("--samples", min=0, max=100, help="How many of them are drawn.")]

MaybeAct = Annotated[
    str | None,
    typer.Option(
        "--act", help="A name, an expression in x, points, a file or package.module:function.", show_default=False
    ),
]
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
    act: MaybeAct = None,
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
    networks_from: NetworksFrom = None,
) -> Drawing:
    """Variance, correlation and sparsity of two inputs over depth: theory, ±2 sd at a width, random networks.

    --networks-from FILE draws the networks that 'meanfield simulate' wrote to a .jsonl or .npz, in place of --act and
    all that describes networks.

    \b
    Examples:
      meanfield plot trajectory --act "clipped-relu(tau=1.0364, m=1)" --units 300 --depth 100
      meanfield plot trajectory --act "clipped-relu(tau=1.0364, m=2)" --depth 50 --networks 64 -o paths.pdf
    """
    from meanfield.plot.trajectories import Trajectories

    if networks_from:
        from meanfield.simulation.reading import read_ensemble

        if act is not None:
            raise DomainError(f"{networks_from} says which networks: leave --act out, or --networks-from")
        return Trajectories(read_ensemble(networks_from), samples)
    if act is None:
        raise DomainError("no network is given: give --act, or --networks-from FILE.jsonl of 'meanfield simulate'")
    (named,) = read_activations([act], tau, m, slope, param)
    return Trajectories(drawn(named, q_star, sigma_w, sigma_b, q0, units, depth, rho0, networks, seed), samples)


def drawn(
    named: NamedActivation,
    q_star: float,
    sigma_w: float | None,
    sigma_b: float,
    q0: float | None,
    units: int,
    depth: int,
    rho0: float,
    networks: int,
    seed: int,
) -> Ensemble:
    """Random networks of two inputs, as the options describe them."""
    asked = experiment(
        named,
        q_star,
        sigma_w,
        sigma_b,
        q0,
        width=units,
        depth=depth,
        networks=networks,
        rho=rho0,
        method="chain",
        seed=seed,
    )
    return ensemble(asked, named.label, jobs=1)
