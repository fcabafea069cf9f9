"""`meanfield experiment foresight`: whether the verdict foresees the accuracy that training loses."""

from __future__ import annotations

from typing import Annotated

import typer

from meanfield.cli import ensembles, options
from meanfield.cli.experiment import tuned_runs
from meanfield.cli.output import emit, printing, require_columns
from meanfield.cli.train import Batch, DataSet, Device, DeviceNamed, Epochs
from meanfield.errors import DomainError

__all__ = ["foresight"]

Shapes = Annotated[str, typer.Option("--shape", metavar="WxL,…", help="Widths and depths.")]


def foresight(
    context: typer.Context,
    shape: Shapes = "300x30,100x30,100x60",
    dataset: DataSet = "fashion-mnist",
    epochs: Epochs = 1.0,
    batch_size: Batch = 64,
    lr: tuned_runs.Rates = "5e-5,2e-4,8e-4",
    clip_gradient: tuned_runs.Limits = "inf",
    weights: tuned_runs.Laws = "gaussian",
    stages: tuned_runs.Stages = "1:1",
    validation: tuned_runs.Validation = None,
    repeats: tuned_runs.Repeats = 2,
    jobs: ensembles.Jobs = None,
    dask: ensembles.Dask = None,
    device: Device = DeviceNamed.cpu,
    together: tuned_runs.Together = 1,
    results: tuned_runs.ResultsFile = None,
    resume: tuned_runs.Resume = False,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    output: options.Output = None,
) -> None:
    """The share of networks said to be lost, fixed before training, beside the accuracy lost against ReLU.

    24 sparse networks of each shape, clipped and not, at several q*, and ReLU of the same shapes; the ranks of the two
    are compared within each sparsity.

    \b
    Examples:
      meanfield experiment foresight --shape 40x8 --data digits --lr 0.01 --epochs 3 --repeats 1
    """
    from meanfield.training.accuracy_table import COLUMNS, accuracies
    from meanfield.training.foresight import networks
    from meanfield.training.rank_correlation import rank_correlations

    how = printing(format, digits, columns, None, None, output)
    require_columns(how, COLUMNS)
    asked = networks(_shapes(shape), data=dataset, epochs=epochs, batch=batch_size)
    kept, runs = tuned_runs.trained(
        context,
        asked,
        rates=lr,
        limits=clip_gradient,
        laws=weights,
        stages=stages,
        validation=validation,
        repeats=repeats,
        jobs=jobs,
        dask=dask,
        device=device.value,
        together=together,
        path=results,
        resume=resume,
        output=output,
    )
    rows = accuracies(kept, runs)
    about = {"rank_correlations": rank_correlations(rows)}
    emit(rows, tuned_runs.accuracy_table(rows, digits), how, paper=tuned_runs.paper(rows), about=about, rows="networks")


def _shapes(text: str) -> list[tuple[int, int]]:
    from meanfield.activations.numbers import NotANumber, read_whole

    found = []
    for part in text.split(","):
        width, _, depth = part.partition("x")
        try:
            found.append((read_whole(width), read_whole(depth)))
        except NotANumber:
            raise DomainError(f"--shape {text:.60} is none: write WIDTHxDEPTH for each, such as 300x30") from None
    return list(dict.fromkeys(found))
