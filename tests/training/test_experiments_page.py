"""docs/experiments.md shows the tables that the stored results make."""

from __future__ import annotations

import re

import pytest
from command import ROOT, run

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


def test_figures_in_the_text_are_those_of_the_tables() -> None:
    ranks = re.search(r"0\.7 +\d+ +(\S+)\n +0\.85 +\d+ +(\S+)\n +0\.9 +\d+ +(\S+)\n", PAGE)
    assert ranks
    told = [f"{float(rank):.2f}" for rank in ranks.groups()]
    assert f"ranks less well, {told[0]}" in PAGE and f"Spearman {told[1]} and {told[2]}" in PAGE
