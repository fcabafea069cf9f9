"""Every command that the help of a figure shows runs as printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from shown_commands import FIGURES, as_printed, examples, run_by_pages


@pytest.mark.parametrize("name", FIGURES, ids=lambda name: "-".join(name))
def test_every_example_of_a_help_runs_as_printed(
    name: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert examples(name)
    for line in examples(name):
        if line not in run_by_pages():
            as_printed(line)
