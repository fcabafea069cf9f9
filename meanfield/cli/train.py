"""`meanfield train`: a network trained on real data, with its verdict printed before the first step."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.atomic_files import require_places
from meanfield.cli import options
from meanfield.cli.layout import Block, grid, heading, listing, paragraph
from meanfield.cli.models import require_torch
from meanfield.cli.output import Printing, emit, printing, progress, require_columns, show
from meanfield.cli.process import INTERRUPTED, tell
from meanfield.cli.verdicts import formula, prose, sized
from meanfield.errors import DomainError, OutputError
from meanfield.lettering import counted
from meanfield.quantities import CHAINS, DECISIVE

if TYPE_CHECKING:
    from meanfield.finite_width.verdict import FiniteWidth
    from meanfield.training.data import Data
    from meanfield.training.setting import Setting
    from meanfield.training.trained import Trained

__all__ = ["Batch", "DataSet", "Device", "DeviceNamed", "Epochs", "Modelled", "NetworkKind", "train"]


class NetworkKind(StrEnum):
    """What layers are."""

    dense = "dense"
    conv = "conv"


class DrawnBy(StrEnum):
    """How weights are drawn."""

    gaussian = "gaussian"
    normal = "gaussian"
    orthogonal = "orthogonal"
    delta_orthogonal = "delta-orthogonal"


class OptimizedBy(StrEnum):
    """How weights follow the gradient."""

    adam = "adam"
    adamw = "adamw"
    sgd = "sgd"


class RateOverSteps(StrEnum):
    """What the learning rate does over the run."""

    cosine = "cosine"
    constant = "constant"


class DeviceNamed(StrEnum):
    """Where it runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


Sparsity = Annotated[
    float | None, typer.Option("--sparsity", help="P(φ = 0) at q*; sets a τ left open.", show_default=False)
]
Slope = Annotated[float | None, typer.Option("--slope", help="V'(q*); sets an m left open.", show_default=False)]
DataSet = Annotated[str, typer.Option("--data", help="fashion-mnist, mnist, cifar-10, digits, or FILE.npz.")]
Modelled = Annotated[NetworkKind, typer.Option("--model", help="Dense layers, or convolutions of 3x3 weights.")]
Weights = Annotated[DrawnBy, typer.Option("--weights", help="How weights are drawn; normal is gaussian.")]
Epochs = Annotated[float, typer.Option("--epochs", help="Passes over the training set.")]
Rate = Annotated[float, typer.Option("--lr", help="Learning rate, the largest of the schedule.")]
Batch = Annotated[int, typer.Option("--batch", help="Examples a step.")]
Optimizer = Annotated[OptimizedBy, typer.Option("--optimizer", help="sgd has momentum 0.9, adamw decay 0.01.")]
Schedule = Annotated[RateOverSteps, typer.Option("--schedule", help="cosine falls to 0 over the run.")]
Warmup = Annotated[int, typer.Option("--warmup", help="Steps over which the learning rate rises first.")]
ClipGradient = Annotated[
    float | None,
    typer.Option("--clip-gradient", help="Largest norm of a gradient; default: no limit.", show_default=False),
]
Validation = Annotated[
    int, typer.Option("--validation", help="Training examples held out to test on, in place of the test set.")
]
Repeats = Annotated[int, typer.Option("--repeats", help="Runs, of this seed and those after it.")]
Device = Annotated[DeviceNamed, typer.Option("--device", help="auto is cuda where there is one.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="FILE.jsonl: what is measured along the way, refused if it is there without --resume; another ending: the "
        "result.",
        show_default=False,
    ),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        help="What --resume goes on from, written each minute, when interrupted and at the end; refused if it is there "
        "without --resume.",
        show_default=False,
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the --checkpoint if it is there.")]

_LISTED = (*DECISIVE, "q_star", "sigma_w", "sigma_b", "sparsity", "V_prime")
_ENDED = ("seed", "outcome", "train_accuracy", "test_accuracy", "train_sparsity", "test_sparsity", "seconds")
_PAPER = ("activation", "depth", "width", "seed", "test_accuracy", "test_sparsity")
#: Runs of one command.
_MOST_REPEATS = 10_000


def train(
    context: typer.Context,
    act: options.OneAct,
    depth: options.Depth = 30,
    width: options.Width = 300,
    sparsity: Sparsity = None,
    slope: Slope = None,
    tau: options.Tau = None,
    m: options.M = None,
    param: options.Params = None,
    q_star: options.QStar = 1.0,
    chi: options.Chi = 1.0,
    sigma_w: options.SigmaW = None,
    sigma_b: options.SigmaB = 0.0,
    weights: Weights = DrawnBy.gaussian,
    model: Modelled = NetworkKind.dense,
    dataset: DataSet = "fashion-mnist",
    epochs: Epochs = 10.0,
    batch_size: Batch = 64,
    lr: Rate = 2e-4,
    optimizer: Optimizer = OptimizedBy.adam,
    schedule: Schedule = RateOverSteps.cosine,
    warmup: Warmup = 100,
    clip_gradient: ClipGradient = None,
    validation: Validation = 0,
    seed: options.Seed = 0,
    repeats: Repeats = 1,
    device: Device = DeviceNamed.auto,
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    output: Output = None,
) -> None:
    """Train a network on real data; before the first step its verdict at this width and depth is printed.

    The same options, the same result. Ctrl-C writes the --checkpoint, and the same command with --resume goes on from
    there. With --repeats the names of logs and checkpoints get the seed of each run.

    \b
    Examples:
      meanfield train --act clipped-relu --sparsity 0.85 --slope 0.7 --data digits --depth 10 --width 100 --lr 0.01
      meanfield train --act relu --data digits --depth 5 --width 50 --lr 0.01 --repeats 3
    """
    from meanfield.domain import require_count
    from meanfield.training.sparse_settings import settings_of

    require_count("repeats", repeats)
    if repeats > _MOST_REPEATS:
        raise DomainError(f"repeats = {repeats} is out of range: give from 1 to {_MOST_REPEATS}")
    logged = output is not None and output.suffix.lower() == ".jsonl" and format is None
    how = printing(format, digits, columns, None, None, None if logged else output)
    if resume and checkpoint is None:
        raise OutputError("--resume goes on from a checkpoint: name it by --checkpoint FILE")
    found = settings_of(
        act,
        options.read_parameters({"tau": tau, "m": m}, param, options.number),
        sparsity=sparsity,
        slope=slope,
        q_star=q_star,
        chi_1=chi,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        depth=depth,
        width=width,
        model=model.value,
        weights=weights.value,
        data=dataset,
        validation=validation,
        epochs=epochs,
        batch=batch_size,
        learning_rate=lr,
        optimizer=optimizer.value,
        schedule=schedule.value,
        warmup=warmup,
        clip_gradient=math.inf if clip_gradient is None else clip_gradient,
        seed=seed,
    )
    if len(found) > 1:
        several = " and ".join(setting.activation for setting in found)
        raise DomainError(f"{len(found)} designs have this sparsity and slope: give --act one of {several}")
    setting = found[0]
    require_torch(context, "train")
    from meanfield.training.trained import RESULT

    require_columns(how, [*setting.as_record(), *RESULT])
    _train(setting, repeats, device.value, how, output if logged else None, checkpoint, resume=resume)


def _train(
    setting: Setting,
    repeats: int,
    device: str,
    how: Printing,
    log: Path | None,
    checkpoint: Path | None,
    *,
    resume: bool,
) -> None:
    from meanfield.training.data import load
    from meanfield.training.device import device_named
    from meanfield.training.foretelling import forecast
    from meanfield.training.run import require_files, require_fit, train

    device_named(device)
    runs = [replace(setting, seed=setting.seed + number) for number in range(repeats)]
    logs, checkpoints = ([_of_run(path, run, repeats) for run in runs] for path in (log, checkpoint))
    require_places([path for path in (*logs, *checkpoints, how.output) if path], [Path(setting.data)])
    data = load(setting.data)
    require_fit(setting, data)
    for run, to, kept in zip(runs, logs, checkpoints, strict=True):
        require_files(run, data, to, kept, resume=resume)
    total = setting.steps(data.left(setting.validation))
    for note in (*data.notes(), *_rising(setting, total)):
        tell(f"note: {note}")
    with progress("random networks, then what is safe", CHAINS) as advance:
        found = forecast(setting, advance=advance)
    verdict = _verdict(setting, found, how.digits)
    in_words = how.format is options.Format.table and how.columns is None
    if in_words and how.output is None:
        show(verdict, None)
        sys.stdout.flush()
    else:
        tell(f"note: {sized(setting.activation, found.requirement)} is {found.verdict.word}")
    done: list[Trained] = []
    with progress("training", repeats * total) as advance:
        for run, to, kept in zip(runs, logs, checkpoints, strict=True):
            if resume and kept and not kept.exists():
                tell(f"note: {kept} is not there: the run of seed {run.seed} begins at step 0")
            try:
                trained = train(
                    run,
                    data=data,
                    device=device,
                    log=to,
                    foretold=found.verdict.record(),
                    checkpoint=kept,
                    resume=resume,
                    advance=advance,
                )
            except KeyboardInterrupt:
                lost = "nothing is kept to go on from: give --checkpoint FILE"
                more = f"the same command with --resume goes on from {kept}" if kept else lost
                tell(f"interrupted in the run of seed {run.seed}; {more}")
                raise typer.Exit(INTERRUPTED) from None
            done.append(trained)
    if not in_words or how.output is not None:
        for head, body in _faults(done):
            tell(f"note: {head} {body}")
    rows = [trained.record() for trained in done]
    tables = _ended(done, data, how.digits)
    about = {"foretold": found.verdict.record()}
    emit(rows, tables if how.output is None else [*verdict, *tables], how, paper=_PAPER, about=about, rows="runs")


def _of_run(path: Path | None, run: Setting, repeats: int) -> Path | None:
    """A file for each run: with the seed in its name if there are several."""
    return path and (path.with_name(f"{path.stem}-{run.seed}{path.suffix}") if repeats > 1 else path)


def _verdict(setting: Setting, found: FiniteWidth, digits: int | None) -> list[Block]:
    from meanfield.activations.spec import read_activation

    record = {**found.record(), "sparsity": found.diagnosis.point.network.sparsity(setting.q_star)}
    layers = "" if setting.model == "dense" else ": that of dense layers of as many units as there are channels"
    return [
        heading(sized(setting.activation, found.requirement) + layers),
        formula(read_activation(setting.activation)),
        listing(record, _LISTED, digits),
        *prose(found),
    ]


def _rising(setting: Setting, total: int) -> Iterator[str]:
    """What a warm-up that leaves little for the rest asks for."""
    rising = min(setting.warmup, total)
    if 2 * rising > total > 1:
        yield f"the learning rate rises over {rising} of {total} steps: give more --epochs or a shorter --warmup"


def _way(setting: Setting, data: Data) -> str:
    """On what it was trained and how, in a few words."""
    from meanfield.training.data import SOURCES

    what = setting.data if setting.data in SOURCES else f"{setting.data}, {data.sizes}"
    limit = "" if math.isinf(setting.clip_gradient) else f", gradients up to {setting.clip_gradient:g}"
    steps = counted(data.left(setting.validation) // setting.batch, "step")
    epochs = f"{counted(setting.epochs, 'epoch')} of {steps}"
    return f"{what}, {epochs}, {setting.optimizer} at {setting.learning_rate:g}{limit}"


def _ended(done: list[Trained], data: Data, digits: int | None) -> list[Block]:
    told = [
        heading(f"Trained on {_way(done[0].setting, data)}"),
        grid([trained.record() for trained in done], _ENDED, digits or 4),
    ]
    return [*told, *(paragraph(head, f"{body}.") for head, body in _faults(done))]


def _faults(done: list[Trained]) -> Iterator[tuple[str, str]]:
    """What the table does not say of networks that learnt nothing, or learn no more."""
    for trained in done:
        seed, depth = f"seed {trained.setting.seed}", trained.setting.depth
        if trained.outcome == "diverged":
            layer = trained.first_layer
            where = ": the loss ran away, no hidden layer had" if layer is None else f", in layer {layer} first"
            yield "diverged:", f"{seed} after step {trained.steps}{where}"
        elif trained.unreached:
            where = "any hidden layer" if trained.unreached == depth else _first_layers(trained.unreached)
            yield "dead:", f"{seed}: no gradient reaches {where} at the end"


def _first_layers(count: int) -> str:
    return "layer 1" if count == 1 else f"layers 1 to {count}"
