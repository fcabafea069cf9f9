"""What the experiments share: how networks are tuned and trained, by whom, and where the results are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from meanfield.atomic_files import require_places
from meanfield.cli import options
from meanfield.cli.layout import Block, grid, heading, paragraph
from meanfield.cli.models import require_torch
from meanfield.cli.output import progress
from meanfield.cli.process import INTERRUPTED, tell
from meanfield.errors import DomainError, OutputError
from meanfield.lettering import counted
from meanfield.tables.records import Record, grouped

if TYPE_CHECKING:
    from meanfield.training.results import Results
    from meanfield.training.setting import Setting, Weights

__all__ = [
    "Laws",
    "Limits",
    "Rates",
    "Repeats",
    "ResultsFile",
    "Resume",
    "Stages",
    "Together",
    "Validation",
    "accuracy_table",
    "in_words",
    "paper",
    "trained",
]

ResultsFile = Annotated[
    Path | None,
    typer.Option(
        "--results", metavar="FILE.jsonl", help="Where each run is kept as soon as it is done.", show_default=False
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the results in FILE.jsonl.")]
Rates = Annotated[str, typer.Option("--lr", help="Learning rates that are tried.")]
Limits = Annotated[str, typer.Option("--clip-gradient", help="Largest norms of a gradient that are tried.")]
Laws = Annotated[str, typer.Option("--weights", help="Laws of weights that are tried.")]
Stages = Annotated[
    str,
    typer.Option("--stages", metavar="EPOCHS:KEEP,…", help="How long candidates are trained, and how many go on."),
]
Validation = Annotated[
    int | None,
    typer.Option("--validation", help="Training examples held out to choose by; default a sixth.", show_default=False),
]
Repeats = Annotated[int, typer.Option("--repeats", help="Runs of the best, of seeds 1, 2, …")]
Together = Annotated[
    int,
    typer.Option("--together", help="Dense networks of one shape that a process trains side by side, for a GPU."),
]

_LEGEND = (
    "verdict and share lost were fixed before training; test is the mean accuracy over seeds, ± sd; rate, largest "
    "gradient and law of weights are the best on examples held out"
)
#: Of columns that are not always there.
_EXPLAINED = {
    "test_sparsity": "zeros are those of hidden activations, on the test set",
    "accuracy_lost": "worse by is the accuracy lost against ReLU",
}
#: The share of training examples that candidates are judged by.
_HELD_OUT = 1 / 6
#: What is said of a network before it is trained, and what came of it; and how it was trained.
_FORETOLD = ("name", "sparsity", "V_prime", "q_star", "verdict", "share_lost", "test_accuracy", "test_accuracy_sd")
_TRAINED = ("name", "learning_rate", "clip_gradient", "weights", "test_sparsity", "diverged", "accuracy_lost")
_PAPER = ("name", "sparsity", "V_prime", "q_star", "verdict", "test_accuracy", "test_accuracy_sd", "accuracy_lost")
#: By which rows are told apart, unless they differ in m alone.
_APART = ("name", "sparsity", "V_prime", "q_star", "chi_1")


def trained(
    context: typer.Context,
    networks: Sequence[Setting],
    *,
    rates: str,
    limits: str,
    laws: str,
    stages: str,
    validation: int | None,
    repeats: int,
    jobs: int | None,
    dask: str | None,
    device: str,
    together: int,
    path: Path | None,
    resume: bool,
    output: Path | None,
) -> tuple[Results, list[Setting]]:
    """The results of networks, each tuned alike and the best trained from several seeds; and the settings of those.

    Raises:
        DomainError: options that say too little or too much.
        OutputError: results that are there already though nothing is to be resumed, or that `output` would overwrite.
    """
    require_torch(context, "train")
    from meanfield.domain import require_count
    from meanfield.training.data import load
    from meanfield.training.device import device_named
    from meanfield.training.results import Results
    from meanfield.training.run import require_fit
    from meanfield.training.side_by_side import kind
    from meanfield.training.tuning import Tuning, Workers, tuned

    if path and path.exists() and not resume:
        raise OutputError(f"{path} is there already: go on with it by --resume, or name another file")
    if resume and path is None:
        raise OutputError("--resume goes on with a file of results: name it by --results FILE.jsonl")
    require_places([file for file in (path, output) if file])
    require_count("repeats", repeats)
    device_named(device)
    data = load(networks[0].data)
    if validation is None:
        validation = max(1, round(len(data.train_labels) * _HELD_OUT))
    for note in data.notes():
        tell(f"note: {note}")
    tuning = Tuning(
        tuple(options.numbers("--lr", rates)),
        tuple(options.numbers("--clip-gradient", limits)),
        tuple(cast("Weights", name.strip()) for name in laws.split(",")),
        _stages(stages),
        validation,
    )
    workers = Workers(-1 if jobs is None else jobs, dask, device, together)
    for network in networks:
        if together > 1:
            kind(network)
        first, *_ = tuning.candidates(network)
        for setting in (network, *(replace(first, epochs=stage.epochs) for stage in tuning.stages)):
            require_fit(setting, data)
    results = Results(path)
    results.require_of(data)
    with progress("training", round(sum(tuning.epochs(network, repeats) for network in networks))) as advance:
        try:
            best = tuned(networks, tuning, results, workers, advance)
            runs = [replace(setting, seed=seed) for setting in best for seed in range(1, repeats + 1)]
            workers.train(runs, results, advance)
        except KeyboardInterrupt:
            lost = "nothing is kept to go on with: give --results FILE.jsonl"
            more = f"the same command with --resume goes on with {path}" if path else lost
            tell(f"interrupted after {counted(len(results.runs), 'run')}; {more}")
            raise typer.Exit(INTERRUPTED) from None
    tested, asked = ({replace(run, seed=0) for run in some if not run.validation} for some in (results.runs, runs))
    if others := len(tested - asked):
        tell(
            f"note: {path} holds {counted(others, 'other network')}: 'meanfield experiment table --results {path}' "
            "shows all"
        )
    return results, runs


def _stages(text: str) -> tuple[Any, ...]:
    from meanfield.activations.numbers import NotANumber, read_number, read_whole
    from meanfield.training.tuning import Stage

    stages = []
    for part in text.split(","):
        epochs, _, keep = part.partition(":")
        try:
            stages.append(Stage(read_number(epochs), read_whole(keep)))
        except NotANumber:
            raise DomainError(f"--stages {text:.60} is none: write EPOCHS:KEEP for each, such as 1:4,4:1") from None
    return tuple(stages)


def accuracy_table(rows: Sequence[Record], digits: int | None) -> list[Block]:
    """The rows by shape, what the columns are, and how well the verdict foresaw what was lost."""
    from meanfield.training.accuracy_table import SHAPE
    from meanfield.training.rank_correlation import rank_correlations

    tables: list[Block] = []
    there: set[str] = set()
    for shape, some in grouped(rows, SHAPE).items():
        keys = [key for key in _TRAINED if any(row[key] for row in some)]
        if _differ_in_m_alone(some, digits or 3):
            keys.insert(1, "m")
        there.update(keys)
        shown = some if digits else [*map(_briefly, some)]
        ended = grid(shown, keys, digits or 3, dispensable=["m"])
        tables += [
            heading(in_words(dict(zip(SHAPE, shape, strict=True)))),
            grid(shown, _with_gain(_FORETOLD, some), digits or 3),
            ended,
        ]
    told = [text for key, text in _EXPLAINED.items() if key in there]
    tables.append(paragraph("columns:", "; ".join([_LEGEND, *told]) + "."))
    alike: dict[str, list[Record]] = {}
    for rank in rank_correlations(rows):
        alike.setdefault(in_words(rank), []).append(rank)
    is_mixed = len({in_words({**row, "width": None}) for row in rows}) > 1
    for words, ranks in alike.items():
        title = "Rank correlation of the share lost with the accuracy lost, by sparsity"
        keys = [key for key in ranks[0] if key not in SHAPE]
        tables += [heading(f"{title}: {words}" if is_mixed else title), grid(ranks, keys, digits or 3)]
    return tables


def in_words(alike: Record) -> str:
    """On what data, for how long, how and in what shape networks were trained, as far as they are alike in that."""
    words = [alike["data"], f"{counted(alike['epochs'], 'epoch')} in batches of {alike['batch']}", alike["model"]]
    if alike["optimizer"] != "adam":
        words.append(alike["optimizer"])
    if alike.get("width"):
        words.append(f"width {alike['width']}, depth {alike['depth']}")
    return ", ".join(words)


def paper(rows: Sequence[Record]) -> tuple[str, ...]:
    """The columns that fit on a page."""
    return _with_gain(_PAPER, rows)


def _with_gain(keys: tuple[str, ...], rows: Sequence[Record]) -> tuple[str, ...]:
    """The columns, with χ₁ after q* where some network is not on its edge of chaos."""
    from meanfield.training.accuracy_table import is_on_edge

    if all(map(is_on_edge, rows)):
        return keys
    place = keys.index("q_star") + 1
    return (*keys[:place], "chi_1", *keys[place:])


def _differ_in_m_alone(rows: Sequence[Record], digits: int) -> bool:
    """Whether rows look alike that are of several clip levels."""
    levels: dict[tuple[str, ...], set[float]] = {}
    for row in rows:
        name, *numbers = (row[key] for key in _APART)
        levels.setdefault((name, *(f"{number:.{digits}g}" for number in numbers)), set()).add(row["m"])
    return any(len(some) > 1 for some in levels.values())


def _briefly(row: Record) -> Record:
    """The row with three decimals of an accuracy, one digit of its spread, and two of a share of the draws."""
    known = {key: value for key, value in row.items() if value is not None}
    brief: Record = {key: round(known[key], 3) for key in ("test_accuracy", "accuracy_lost") if key in known}
    brief |= {
        key: float(f"{known[key]:.{digits}g}")
        for key, digits in (("share_lost", 2), ("test_accuracy_sd", 1))
        if key in known
    }
    return {**row, **brief}
