"""Every command that a page shows runs as printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import ROOT
from shown_commands import FIGURES, NAMES, as_printed, commands, examples


@pytest.mark.parametrize(
    "page",
    [
        *("README.md", "docs/derivations.md", "docs/finite_width.md", "docs/figures.md", "docs/initialisers.md"),
        "docs/simulation.md",
    ],
)
def test_every_command_of_a_page_runs_as_printed(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = commands((ROOT / page).read_text())
    assert len(lines) >= 2
    known = {line for name in [*NAMES, *FIGURES] for line in examples(name)}
    # In their order, for some go on with what others wrote; what a help shows too is run by the tests of helps.
    for line in [line for line in dict.fromkeys(lines) if line not in known]:
        as_printed(line)
