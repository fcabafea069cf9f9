"""Weights and biases as `check` takes them: σ_w and σ_b themselves, or a framework's initialiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli.layout import Block, paragraph, shown
from meanfield.errors import DomainError
from meanfield.tables.records import Record

if TYPE_CHECKING:
    from meanfield.infinite_width.initialisers import Initialisation

__all__ = ["Init", "Scales", "scales"]

Init = Annotated[
    str | None,
    typer.Option(
        "--init",
        metavar="NAME[:KEY=VALUE,…]",
        help="A framework's initialiser for σ_w and σ_b: torch-default, he_normal, kaiming_uniform:a=2.236 …; "
        "a fan that is not given is --width.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Scales:
    """σ_w and σ_b, and the initialiser that they are of, if any, with the fans of its layer."""

    sigma_w: float
    sigma_b: float
    init: Initialisation | None = None
    fan_in: int | None = None
    fan_out: int | None = None

    @property
    def record(self) -> Record:
        """What a record says of the initialiser: nothing without one."""
        if not self.init:
            return {}
        fans = {"fan_in": self.fan_in, "fan_out": self.fan_out}
        return {"init": self.init.name, **fans, "weight_sd": self.init.weight_sd}

    def tables(self, digits: int | None) -> list[Block]:
        """The same for a person."""
        if not self.init:
            return []
        fans = [f"fan_{side} = {n}" for side, n in (("in", self.fan_in), ("out", self.fan_out)) if n is not None]
        sd = self.init.weight_sd
        weights = f"{self.init.distribution} weights" + (f", sd {shown(sd, digits)}" if sd is not None else "")
        biases = "; biases as σ_b says" if self.init.sigma_b is None else ""
        square = "; fan_out = fan_in, for neither is given" if self.init.square else ""
        return [paragraph(f"{self.init.name}:", f"{weights}{biases}{square}" + "".join(f", {fan}" for fan in fans))]


def scales(
    init: str | None,
    sigma_w: float | None,
    sigma_b: float | None,
    fan_in: int | None,
    fan_out: int | None,
    width: int | None,
) -> Scales:
    """What --init, or --sigma-w and --sigma-b, give; a fan that is not given is the width.

    Raises:
        DomainError: neither or both of --init and --sigma-w; fans without --init; biases given twice.
    """
    if init is None:
        if sigma_w is None:
            raise DomainError("no weights are given: give --sigma-w, or --init such as --init torch-default")
        for option, fan in (("--fan-in", fan_in), ("--fan-out", fan_out)):
            if fan is not None:
                raise DomainError(f"{option} is of an initialiser, and none is given: give --init, or leave it out")
        return Scales(sigma_w, sigma_b or 0.0)
    if sigma_w is not None:
        raise DomainError("--init and --sigma-w both say what the weights are: give one of them")
    from meanfield.infinite_width.initialisers import initialisation

    fan_in = width if fan_in is None else fan_in
    fan_out = width if fan_out is None else fan_out
    found = initialisation(init, fan_in, fan_out)
    if found.sigma_b is not None and sigma_b is not None:
        raise DomainError(
            f"{found.name} draws the biases too, with sigma_b = {found.sigma_b:.6g}: leave out --sigma-b, or give an "
            "initialiser of weights alone"
        )
    return Scales(found.sigma_w, found.sigma_b or sigma_b or 0.0, found, fan_in, fan_out)
