"""What the commands that draw random networks share: their options, and the experiment that these describe."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meanfield.cli import options
from meanfield.cli.output import progress
from meanfield.cli.process import tell
from meanfield.errors import DomainError

if TYPE_CHECKING:
    from meanfield.finite_width.experiment import Experiment
    from meanfield.infinite_width.operating_point import OperatingPoint
    from meanfield.simulation.ensemble import Ensemble

__all__ = [
    "Conv",
    "Dask",
    "Jobs",
    "Memory",
    "Networks",
    "NetworksOfFigure",
    "PaddedBy",
    "Padding",
    "Rho0",
    "Rho0OfFigure",
    "Samples",
    "Size",
    "WeightLaw",
    "Weights",
    "described",
    "ensemble",
    "experiment",
]


class WeightLaw(StrEnum):
    """How weights are drawn."""

    gaussian = "gaussian"
    normal = "gaussian"
    orthogonal = "orthogonal"


class PaddedBy(StrEnum):
    """What stands around the positions of a layer."""

    circular = "circular"
    zero = "zero"


Networks = Annotated[int, typer.Option("--networks", help="Random networks drawn.")]
NetworksOfFigure = Annotated[int, typer.Option("--networks", help="Random networks drawn at width N.")]
Samples = Annotated[int, typer.Option("--samples", min=0, max=100, help="How many of them are drawn.")]
Rho0 = Annotated[float, typer.Option("--rho0", help="Correlation of any two inputs at layer 0.")]
Rho0OfFigure = Annotated[float, typer.Option("--rho0", help="Correlation of the two inputs at layer 0.")]
Conv = Annotated[
    int | None, typer.Option("--conv", metavar="K", help="Convolutions of K×K weights, K odd.", show_default=False)
]
Size = Annotated[
    int | None,
    typer.Option("--size", help="Positions along either side, with --conv; default 16.", show_default=False),
]
Padding = Annotated[PaddedBy, typer.Option("--padding", help="Around the positions, with --conv.")]
Weights = Annotated[WeightLaw, typer.Option("--weights", help="How weights are drawn; normal is gaussian.")]
Jobs = Annotated[
    int | None, typer.Option("--jobs", help="Processes; default: one for every processor.", show_default=False)
]
Dask = Annotated[
    str | None,
    typer.Option("--dask", help="A Dask scheduler, tcp://host:8786, or local.", show_default=False),
]
Memory = Annotated[str, typer.Option("--memory", help="Bound on all arrays in use at once.")]

#: Bytes of the arrays in use at once, where no option says so.
_MEMORY = 4e9
#: Seconds of work that are told of.
LONG = 120.0
#: Of convolutional layers, where none is given.
_SIZE = 16


def experiment(
    point: OperatingPoint,
    q_star: float,
    q0: float | None,
    conv: int | None = None,
    size: int | None = None,
    padding: PaddedBy = PaddedBy.circular,
    weights: WeightLaw = WeightLaw.gaussian,
    **asked: Any,
) -> Experiment:
    """What the options describe: networks of the point, from q0, by default from its q*, or `q_star` if it has none.

    Raises:
        DomainError: positions without a convolution over them, and what `Experiment` refuses.
    """
    from meanfield.finite_width.experiment import Experiment

    if conv is None and (size is not None or padding is not PaddedBy.circular):
        given = f"--size {size}" if size is not None else f"--padding {padding}"
        raise DomainError(f"{given} is of convolutional layers: give --conv 3 too, or leave it out")
    return Experiment(
        point.network,
        start=q0 if q0 is not None else point.q_star or q_star,
        kernel=1 if conv is None else conv,
        size=1 if conv is None else _SIZE if size is None else size,
        padding=padding.value,
        weights=weights.value,
        q_star=point.q_star,
        **asked,
    )


def ensemble(
    asked: Experiment, label: str, jobs: int | None, dask: str | None = None, memory: str | None = None, **record: Any
) -> Ensemble:
    """The networks asked for, with a bar while they are drawn; `memory` bounds the arrays in use.

    What takes long is told before it begins.
    """
    from meanfield.simulation.cost import duration, require_theory, require_time, seconds, workload
    from meanfield.simulation.ensemble import simulate

    allowed = _MEMORY if memory is None else options.number_of_bytes("--memory", memory)
    require_theory(asked, allowed)
    workers = -1 if jobs is None else jobs
    if dask in (None, "local"):
        _, drawing = workload(asked, workers, allowed)
        require_time(asked, drawing)
        needed = seconds(asked, drawing)
        if needed > LONG:
            tell(f"note: {asked.networks} networks of this size take {duration(needed)} here")
    with progress("random networks", asked.networks) as advance:
        return simulate(asked, label=label, jobs=workers, dask=dask, memory=allowed, advance=advance, **record)


def described(asked: Experiment) -> str:
    """The networks of an experiment in words."""
    e, network = asked, asked.network
    shape = "dense" if e.is_dense else f"{e.kernel}x{e.kernel} convolutional"
    over = "" if e.is_dense else f" on {e.size}x{e.size} positions ({e.padding} padding)"
    count = f"{e.networks} {shape} network{'s' if e.networks > 1 else ''}"
    kind = {"gaussian": "Gaussian", "orthogonal": "orthogonal"}[e.weights]
    how = ", drawn as chains" if e.method == "chain" else ""
    where = "no fixed point q* > 0" if e.q_star is None else f"q* = {e.q_star:.6g}"
    return (
        f"{count} of width {e.width}, depth {e.depth}{over}, {kind} weights{how}; "
        f"σ_w = {network.sigma_w:.6g}, σ_b = {network.sigma_b:.6g}, {where}, q = {e.start:.6g} at layer 0, "
        f"seed {e.seed}."
    )
