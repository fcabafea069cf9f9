"""What the commands that draw random networks share: their options, and the experiment that these describe."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli.options import number_of_bytes
from meanfield.cli.verdicts import network_of
from meanfield.errors import DomainError

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.mean_field import MeanField

__all__ = [
    "Conv",
    "Dask",
    "Jobs",
    "Memory",
    "Networks",
    "PaddedBy",
    "Padding",
    "Rho0",
    "Size",
    "WeightLaw",
    "Weights",
    "kernel_and_size",
    "memory_in_bytes",
    "network_and_star",
]


class WeightLaw(StrEnum):
    """How weights are drawn."""

    gaussian = "gaussian"
    orthogonal = "orthogonal"


class PaddedBy(StrEnum):
    """What stands around the positions of a layer."""

    circular = "circular"
    zero = "zero"


Networks = Annotated[int, typer.Option("--networks", help="Random networks drawn.")]
Rho0 = Annotated[float, typer.Option("--rho0", help="Correlation of any two inputs at layer 0.")]
Conv = Annotated[
    int | None, typer.Option("--conv", metavar="K", help="Convolutions of K×K weights, K odd.", show_default=False)
]
Size = Annotated[
    int | None,
    typer.Option("--size", help="Positions along either side, with --conv; default 16.", show_default=False),
]
Padding = Annotated[PaddedBy, typer.Option("--padding", help="Around the positions, with --conv.")]
Weights = Annotated[WeightLaw, typer.Option("--weights", help="How weights are drawn.")]
Jobs = Annotated[
    int | None, typer.Option("--jobs", help="Processes; default: one for every processor.", show_default=False)
]
Dask = Annotated[
    str | None,
    typer.Option("--dask", help="A Dask scheduler, tcp://host:8786, or local.", show_default=False),
]
Memory = Annotated[str, typer.Option("--memory", help="Bound on all arrays in use at once.")]

#: Of convolutional layers, where none is given.
_SIZE = 16


def kernel_and_size(conv: int | None, size: int | None, padding: PaddedBy) -> tuple[int, int]:
    """k, and the positions along a side of a layer: 1 and 1 for dense layers.

    Raises:
        DomainError: positions without a convolution over them.
    """
    if conv is None and (size is not None or padding is not PaddedBy.circular):
        given = f"--size {size}" if size is not None else f"--padding {padding}"
        raise DomainError(f"{given} is of convolutional layers: give --conv 3 too, or leave it out")
    return (1, 1) if conv is None else (conv, _SIZE if size is None else size)


def network_and_star(
    named: NamedActivation, q_star: float, sigma_w: float | None, sigma_b: float
) -> tuple[MeanField, float | None]:
    """The network that the options describe and its fixed point q* > 0, the one nearest to `q_star`, if it has one."""
    from meanfield.edge import EdgeOfChaos
    from meanfield.stability import diagnose

    network = network_of(named, q_star, sigma_w, sigma_b)
    if isinstance(network, EdgeOfChaos):
        return network.mean_field, network.q_star
    point = diagnose(network, q_star).fixed_point
    return network, point.q if point and point.q > 0 else None


def memory_in_bytes(text: str) -> float:
    """The bound that --memory gives."""
    return number_of_bytes("--memory", text)
