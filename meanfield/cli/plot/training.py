"""`meanfield plot training`: what came of training, of many networks or of the layers of one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from meanfield.cli.plot.page import Drawing
from meanfield.errors import DomainError

__all__ = ["training"]

Results = Annotated[
    list[Path] | None,
    typer.Option(
        "--results", metavar="FILE.jsonl", help="Results of 'meanfield experiment'; repeat.", show_default=False
    ),
]
Log = Annotated[
    Path | None,
    typer.Option("--log", metavar="FILE.jsonl", help="The log of a run of 'meanfield train'.", show_default=False),
]


class Against(StrEnum):
    """What accuracy is drawn against."""

    sparsity = "sparsity"
    chi = "chi"


Over = Annotated[
    Against | None,
    typer.Option(
        "--over",
        help="With --results: chi draws accuracy against the gain χ₁ at q*, for every depth; default sparsity.",
        show_default=False,
    ),
]


def training(results: Results = None, log: Log = None, over: Over = None) -> Drawing:
    """Test accuracy against sparsity or χ₁, of the networks of an experiment; or the layers of one run in training.

    --results shows each network that was tested with its verdict, fixed beforehand; --log shows q, gradients and
    sparsity by layer, from the start of a run to its end, and loss and accuracy. Nothing is trained.

    \b
    Examples:
      meanfield plot training --results sparse.jsonl
      meanfield plot training --results gains.jsonl --over chi
      meanfield plot training --log run.jsonl -o run.pdf --data run.csv
    """
    if results and log:
        raise DomainError("--results and --log make two figures: leave one of them out")
    if log and over:
        raise DomainError("--over is of --results: leave it out, or name results in place of --log")
    if results and over == Against.chi:
        from meanfield.plot.training_gains import TrainingGains

        return TrainingGains.read(results)
    if results:
        from meanfield.plot.training_results import TrainingResults

        return TrainingResults.read(results)
    if log:
        from meanfield.plot.training_log import TrainingLog

        return TrainingLog.read(log)
    wanted = "give --results FILE.jsonl of 'meanfield experiment', or --log FILE.jsonl of 'meanfield train'"
    raise DomainError(f"there is nothing to draw: {wanted}")
