"""`meanfield experiment table`: the table of results that are there already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meanfield.cli import options
from meanfield.cli.experiment import tuned_runs
from meanfield.cli.output import emit, printing, require_columns
from meanfield.errors import OutputError

__all__ = ["table"]

Files = Annotated[list[Path], typer.Option("--results", metavar="FILE.jsonl", help="Results of experiments; repeat.")]


def table(
    results: Files,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """The accuracies in files of results, a row for every network that was tested; nothing is trained.

    \b
    Examples:
      meanfield experiment table --results experiments/fashion-mnist-dense-30.jsonl
      meanfield experiment table --results experiments/fashion-mnist-dense-30.jsonl --format latex
    """
    from meanfield.training.accuracy_table import COLUMNS, accuracies
    from meanfield.training.results import read_results

    how = printing(format, digits, columns, caption, tex_label, output)
    require_columns(how, COLUMNS)
    kept = read_results(results)
    rows = accuracies(kept, [setting for setting in kept.runs if not setting.validation])
    if not rows:
        raise OutputError("no run was tested in these files: let an experiment finish some")
    emit(rows, tuned_runs.accuracy_table(rows, digits), how, paper=tuned_runs.paper(rows))
