"""`meanfield experiment gain`: what gains χ₁ beside the edge of chaos bring, by results that are there already."""

from __future__ import annotations

from collections.abc import Sequence

from meanfield.cli import options
from meanfield.cli.experiment import tuned_runs
from meanfield.cli.experiment.table import Files
from meanfield.cli.layout import Block, grid, heading, paragraph
from meanfield.cli.output import emit, printing, require_columns
from meanfield.errors import OutputError
from meanfield.lettering import counted
from meanfield.tables.records import Record, grouped

__all__ = ["gain"]

_LEGEND = (
    "test accuracy on the edge of chaos, and points of a hundred gained or lost at other χ₁, the mean over seeds; best "
    "is the χ₁ of the largest accuracy on examples held out"
)
_BEST: list[str] = ["name", "sparsity", "width", "depth", "chi_1", "accuracy_gained", "gained_interval"]
_RANKED = ["name", "sparsity", "width", "depth", "chi_1_for_training", "nearness_rank"]
_WHERE = ["data", "model", "epochs", "optimizer", "count", "contrast_rank"]
_PAPER = ("name", "sparsity", "width", "depth", "chi_1", "test_accuracy", "accuracy_gained", "gained_interval")


def gain(
    results: Files,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """What a gain χ₁ beside the edge of chaos brings: test accuracy against that of the same network on the edge.

    Networks are compared that differ in χ₁ alone, each tuned by itself, as 'meanfield experiment sparse-training --chi
    0.8,0.9,1' trains them. Nothing is trained.

    \b
    Examples:
      meanfield experiment gain --results experiments/gains.jsonl
      meanfield experiment gain --results experiments/gains.jsonl --format csv
    """
    from meanfield.training.accuracy_table import accuracies
    from meanfield.training.beside_the_edge import COLUMNS, gained
    from meanfield.training.results import read_results

    how = printing(format, digits, columns, caption, tex_label, output)
    require_columns(how, COLUMNS)
    kept = read_results(results)
    rows = gained(accuracies(kept, [setting for setting in kept.runs if not setting.validation]))
    if not rows:
        raise OutputError(
            "no network was tested in these files both on its edge of chaos and beside it: train it with --chi 0.9,1"
        )
    emit(rows, _tables(rows, digits), how, paper=_PAPER)


def _tables(rows: Sequence[Record], digits: int | None) -> list[Block]:
    from meanfield.training.beside_the_edge import contrast_ranks, nearest_to_foretold, nearness_ranks

    heads = _heads([row["chi_1"] for row in rows])
    tables: list[Block] = []
    for words, some in _by_words(rows).items():
        networks = grouped(some, ("activation", "q_star"))
        gains = sorted(row["chi_1"] for row in some if not _is_edge(row))
        keys = ["name", "sparsity", "edge", *dict.fromkeys(heads[gain] for gain in gains)]
        told = [_by_gain(network, heads, digits) for network in networks.values()]
        tables += [heading(words), grid(told, keys, digits or 3, dispensable=["sparsity"])]
    tables.append(paragraph("columns:", f"{_LEGEND}."))
    best = [row for row in rows if row["is_best"]]
    for title, about, keys in (
        ("The best χ₁ by examples held out", [_in_points(row, digits) for row in best], _BEST),
        ("Rank correlation of nearness to the χ₁ foretold with accuracy", nearness_ranks(rows), _RANKED),
    ):
        for words, some in _by_words(about, "width").items():
            tables += [heading(f"{title}: {words}"), grid(some, keys, digits or 3, dispensable=["sparsity"])]
    title = "Rank correlation of a small contrast on the edge with what the χ₁ nearest to the one foretold brings"
    tables += [heading(title), grid(contrast_ranks(rows), _WHERE, digits or 3)]
    nearest = nearest_to_foretold(rows)
    tables.append(paragraph("in all:", _in_all("the best χ₁", best)))
    tables.append(paragraph("foretold:", _in_all("the χ₁ tried that is nearest to the one foretold", nearest)))
    return tables


def _by_words(rows: Sequence[Record], *left_out: str) -> dict[str, list[Record]]:
    """Rows by what networks that were trained alike have in common."""
    found: dict[str, list[Record]] = {}
    for row in rows:
        found.setdefault(tuned_runs.in_words({**row, **dict.fromkeys(left_out)}), []).append(row)
    return found


def _is_edge(row: Record) -> bool:
    from meanfield.training.accuracy_table import is_on_edge

    return is_on_edge(row)


def _heads(gains: Sequence[float]) -> dict[float, str]:
    """A name for the column of each gain; gains that are one but for rounding share it."""
    rounded = {gain: f"{gain:.9g}" for gain in gains}
    for digits in range(3, 9):
        short = {text: f"{float(text):.{digits}g}" for text in rounded.values()}
        if len({*short.values()}) == len(short):
            return {gain: short[text] for gain, text in rounded.items()}
    return rounded


def _by_gain(network: Sequence[Record], heads: dict[float, str], digits: int | None) -> Record:
    """One row: the accuracy on the edge, and what each gain brings in points of a hundred."""
    found = {"name": network[0]["name"], "sparsity": network[0]["sparsity"]}
    for row in (_in_points(row, digits) for row in network):
        found["edge" if _is_edge(row) else heads[row["chi_1"]]] = (
            row["test_accuracy"] if _is_edge(row) else row["accuracy_gained"]
        )
    return found


def _in_points(row: Record, digits: int | None) -> Record:
    """The row with points of a hundred, a decimal of them where no digits are asked for."""
    brought, interval = row["accuracy_gained"], row["gained_interval"]

    def points(gain: float) -> float:
        return 100 * gain if digits else round(100 * gain, 1)

    accuracy = row["test_accuracy"]
    return {
        **row,
        "test_accuracy": accuracy if digits or accuracy is None else round(accuracy, 3),
        "accuracy_gained": None if brought is None else points(brought),
        "gained_interval": None if interval is None else [points(end) for end in interval],
    }


def _in_all(which: str, rows: Sequence[Record]) -> str:
    below = [row for row in rows if row["chi_1"] < 1 and not _is_edge(row)]
    better = sum(row["accuracy_gained"] > 0 for row in below if row["accuracy_gained"] is not None)
    intervals = [row["gained_interval"] for row in below if row["gained_interval"] is not None]
    surely, worse = sum(low > 0 for low, _ in intervals), sum(high < 0 for _, high in intervals)
    return (
        f"of {counted(len(rows), 'network')} {which} is below 1 in {len(below)}. In these the accuracy is above the "
        f"edge's in {better}, beyond the interval in {surely}, and below it beyond the interval in {worse}."
    )
