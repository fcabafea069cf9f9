"""docs/experiments.md shows the tables that the stored results make."""

from __future__ import annotations

import re

import pytest
from command import ROOT, run
from scipy.stats import spearmanr

from meanfield.training.accuracy_table import accuracies
from meanfield.training.results import read_results

PAGE = (ROOT / "docs/experiments.md").read_text()
SHOWN = re.findall(r"```\n(meanfield experiment table [^\n]*)\n```\n\n```\n(.*?)\n```", PAGE, re.DOTALL)


def test_there_is_a_table_for_every_file_of_results() -> None:
    files = {path.name for path in (ROOT / "experiments").glob("*.jsonl")}
    assert files == {command.rpartition("/")[2] for command, _ in SHOWN}


@pytest.mark.parametrize("command, table", SHOWN)
def test_tables_are_made_again_from_the_results(command: str, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    printed = run(*command.split()[1:])
    assert printed.exit_code == 0 and printed.stdout.rstrip() == table


def test_ranks_in_the_text_are_those_of_the_results() -> None:
    results = read_results([ROOT / "experiments/fashion-mnist-foresight.jsonl"])
    rows = [row for row in accuracies(results, (run for run in results.runs if not run.validation))]
    sparse = [row for row in rows if row["name"] != "relu"]

    def rank(sparsity: float, **shape: int) -> str:
        some = [row for row in sparse if round(row["sparsity"], 6) == sparsity]
        some = [row for row in some if all(row[key] == value for key, value in shape.items())]
        return f"{spearmanr(*([row[key] for row in some] for key in ('share_lost', 'accuracy_lost'))).statistic:.2f}"

    wide, narrow, deep = ({"width": n, "depth": depth} for n, depth in ((300, 30), (100, 30), (100, 60)))
    for told in (
        f"within width 300 by {rank(0.85, **wide)} and {rank(0.9, **wide)}",
        f"within width 100 by {rank(0.85, **narrow)} and {rank(0.9, **narrow)}",
        f"noise ({rank(0.85, **deep)} and {rank(0.9, **deep).replace('-', '−')})",
        f"down to {rank(0.85)} and {rank(0.9)}",
        f"it is {rank(0.7)}, and here theory and training part",
        f"{sum(row['learning_rate'] in (5e-5, 8e-4) for row in sparse)} of the {len(sparse)} take the smallest or",
    ):
        assert told in PAGE, told
