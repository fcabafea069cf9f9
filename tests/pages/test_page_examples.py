"""Every command that a page shows runs as printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import ROOT
from shown_commands import FIGURES, NAMES, as_printed, commands, examples

PAGES = ["README.md"]
PAGES += [
    f"docs/{name}.md" for name in ("derivations", "export", "finite_width", "figures", "initialisers", "simulation")
]


def shown(page: str) -> list[str]:
    """The commands of a page in their order, for some go on with what others wrote."""
    return list(dict.fromkeys(commands((ROOT / page).read_text())))


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_runs_as_printed(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(shown(page)) >= 2
    # What a help shows too is run by the tests of helps, and what prints on two pages by that of the first.
    known = {line for name in [*NAMES, *FIGURES] for line in examples(name)}
    known |= {line for other in PAGES[: PAGES.index(page)] for line in shown(other) if " -o " not in line}
    for line in shown(page):
        if line not in known:
            as_printed(line)
