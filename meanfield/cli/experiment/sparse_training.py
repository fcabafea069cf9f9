"""`meanfield experiment sparse-training`: how well sparse networks train, clipped and not, beside ReLU."""

from __future__ import annotations

from itertools import product
from typing import Annotated, Any

import typer

from meanfield.cli import ensembles, options
from meanfield.cli.experiment import tuned_runs
from meanfield.cli.output import emit, printing, require_columns
from meanfield.cli.process import tell
from meanfield.cli.train import (
    Batch,
    DataSet,
    Device,
    DeviceNamed,
    Epochs,
    Modelled,
    NetworkKind,
    OptimizedBy,
    Optimizer,
)
from meanfield.errors import DomainError, NoDesign, NoEdgeOfChaos

__all__ = ["sparse_training"]

Acts = Annotated[
    list[str] | None,
    typer.Option(
        "--act",
        metavar="TEXT",
        help="An activation, τ and m left open or not; repeat. Default: ReLU, and soft threshold and shifted ReLU, "
        "clipped and not.",
        show_default=False,
    ),
]
Sparsities = Annotated[
    str | None,
    typer.Option(
        "--sparsity", help="P(φ = 0) at q*, where τ is open; default 0.5, 0.7, 0.85 and 0.9.", show_default=False
    ),
]
Slopes = Annotated[
    str | None, typer.Option("--slope", help="V'(q*), where m is open; default 0.5 and 0.7.", show_default=False)
]
Levels = Annotated[str | None, typer.Option("--m", help="Clip levels instead, where m is open.", show_default=False)]
Stars = Annotated[str, typer.Option("--q-star", help="q* of the edges of chaos.")]
Gains = Annotated[str, typer.Option("--chi", help="Gains χ₁ at q*; 1 is the edge of chaos.")]

_ACTS = ("relu", "shifted-relu", "soft-threshold", "clipped-relu", "clipped-soft-threshold")
#: Of what is left open and not asked for.
_SPARSITIES, _SLOPES = "0.5,0.7,0.85,0.9", "0.5,0.7"


def sparse_training(
    context: typer.Context,
    act: Acts = None,
    sparsity: Sparsities = None,
    slope: Slopes = None,
    m: Levels = None,
    q_star: Stars = "1",
    chi: Gains = "1",
    depth: options.Depth = 30,
    width: options.Width = 300,
    model: Modelled = NetworkKind.dense,
    dataset: DataSet = "fashion-mnist",
    epochs: Epochs = 10.0,
    batch_size: Batch = 64,
    optimizer: Optimizer = OptimizedBy.adam,
    lr: tuned_runs.Rates = "5e-5,1e-4,2e-4,4e-4,8e-4",
    clip_gradient: tuned_runs.Limits = "inf,1",
    weights: tuned_runs.Laws = "gaussian,orthogonal",
    stages: tuned_runs.Stages = "1:4,4:1",
    validation: tuned_runs.Validation = None,
    repeats: tuned_runs.Repeats = 3,
    jobs: ensembles.Jobs = None,
    dask: ensembles.Dask = None,
    device: Device = DeviceNamed.cpu,
    together: tuned_runs.Together = 1,
    results: tuned_runs.ResultsFile = None,
    resume: tuned_runs.Resume = False,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """Accuracy of networks with sparse activations, on their edges of chaos or beside them, all tuned the same way.

    Every rate, limit of the gradient and law of weights is tried on examples held out from the training set; the best
    is trained from several seeds and tested. The verdicts are fixed before the first step.

    \b
    Examples:
      meanfield experiment sparse-training --data digits --sparsity 0.7 --depth 2 --width 20 --lr 0.01 --epochs 3
      meanfield experiment sparse-training --data digits --act relu --act gelu --depth 3 --width 20 --lr 0.01 --epochs 4

    The papers' table on Fashion-MNIST takes hours; docs/experiments.md has it, with its commands.
    """
    from meanfield.training.accuracy_table import COLUMNS, accuracies
    from meanfield.training.sparse_settings import settings_of

    how = printing(format, digits, columns, caption, tex_label, output)
    require_columns(how, COLUMNS)
    networks, missing = [], []
    rest: dict[str, Any] = {"depth": depth, "width": width, "model": model.value, "data": dataset, "epochs": epochs}
    for choice in _choices(act or list(_ACTS), sparsity, slope, m, q_star, chi):
        try:
            networks += settings_of(**choice, **rest, batch=batch_size, optimizer=optimizer.value)
        except (NoDesign, NoEdgeOfChaos) as refusal:
            missing.append(f"{choice['act']}: {refusal}")
    for line in dict.fromkeys(missing):
        tell(f"note: left out, {line}")
    if not networks:
        raise DomainError("no network is left to train: ask for another sparsity, slope or clip level")
    kept, runs = tuned_runs.trained(
        context,
        list(dict.fromkeys(networks)),
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
    emit(rows, tuned_runs.accuracy_table(rows, digits), how, paper=tuned_runs.paper(rows))


def _choices(
    acts: list[str], sparsity: str | None, slope: str | None, m: str | None, q_star: str, chi: str
) -> list[dict[str, Any]]:
    """What `settings_of` takes, for each activation what it leaves open."""
    from meanfield.training.sparse_settings import parameters_left_open

    stars, gains = options.numbers("--q-star", q_star), options.numbers("--chi", chi)
    sparsities = options.numbers("--sparsity", _SPARSITIES if sparsity is None else sparsity)
    if slope is not None and m is not None:
        raise DomainError("--slope and --m both set m: leave one of them out")
    slopes = options.numbers("--slope", _SLOPES if slope is None else slope)
    levels: list[dict[str, Any]] = [{"slope": value} for value in slopes]
    if m is not None:
        levels = [{"given": {"m": value}} for value in options.numbers("--m", m)]
    open_in = {act: parameters_left_open(act) for act in acts}
    for option, given, name in (("--sparsity", sparsity, "tau"), ("--slope", slope, "m"), ("--m", m, "m")):
        if given is not None and not any(name in left for left in open_in.values()):
            raise DomainError(f"{option} sets {name}, which {', '.join(acts)} does not leave open: leave it out")
    found = []
    for act, left in open_in.items():
        first: list[dict[str, Any]] = [{"sparsity": s} for s in sparsities] if "tau" in left else [{}]
        for q, gain, one, other in product(stars, gains, first, levels if "m" in left else [{}]):
            found.append({"act": act, "q_star": q, "chi_1": gain, **one, **other})
    return found
