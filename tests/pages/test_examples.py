"""Every command that the help of a command shows runs as printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import ROOT
from shown_commands import NAMES, as_printed, examples


@pytest.mark.parametrize("name", NAMES, ids=lambda name: "-".join(name) or "meanfield")
def test_every_example_of_a_help_runs_as_printed(
    name: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    assert examples(name)
    said = [as_printed(line).stdout for line in examples(name)]
    if name == ("stability",):
        # The README shows a verdict.
        verdicts = [text[text.index("  signal, ") :] for text in said if "  signal, " in text]
        readme = (ROOT / "README.md").read_text()
        assert any("\n".join(map(str.rstrip, text.splitlines())).strip() in readme for text in verdicts)
