"""Every command that a help or a page shows runs as printed."""

from __future__ import annotations

import itertools
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer
from command import ROOT, run
from typer.testing import Result

from meanfield.cli import app

COMMANDS = [
    *("eoc", "check", "gain", "stability", "design", "maps", "phase", "sparsity", "derive", "simulate", "verify"),
    *("activations", "cite"),
]
KINDS = ["variance", "correlation", "slope", "phase", "design", "trajectory", "activation", "summary"]
NAMES = [(), *((command,) for command in COMMANDS), *(("plot", kind) for kind in KINDS)]


def commands(text: str) -> list[str]:
    return re.findall(r"^ *(meanfield .*)$", text, flags=re.MULTILINE)


@cache
def examples(name: tuple[str, ...]) -> list[str]:
    """The commands in a help."""
    return commands(run(*name, "--help").stdout.partition("Examples:")[2])


def as_printed(line: str) -> Result:
    """What a command does, which must succeed and print something or write its files."""
    command = shlex.split(line.split(" > ")[0])[1:]
    result = run(*command)
    assert result.exit_code == 0, (line, result.stderr)
    files = [Path(value) for option, value in itertools.pairwise(command) if option in ("-o", "--output", "--data")]
    assert all(file.stat().st_size for file in files), line
    assert files or result.stdout, line
    return result


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
        verdicts = [text[text.index("  fragile:") :] for text in said if "  fragile:" in text]
        readme = (ROOT / "README.md").read_text()
        assert any("\n".join(map(str.rstrip, text.splitlines())).strip() in readme for text in verdicts)


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
    known = {line for name in NAMES for line in examples(name)}
    # In their order, for some go on with what others wrote; what a help shows too is run above.
    for line in [line for line in dict.fromkeys(lines) if line not in known]:
        as_printed(line)


def test_every_command_of_the_gallery_has_the_options_that_it_names() -> None:
    lines = commands((ROOT / "docs/gallery/README.md").read_text())
    assert len(lines) > 10
    for line in lines:
        # Running them all is for `make gallery`.
        command, arguments = typer.main.get_command(app), shlex.split(line)[1:]
        context = command.make_context("meanfield", arguments.copy())
        while hasattr(command, "resolve_command"):
            name, command, arguments = command.resolve_command(context, arguments)
            context = command.make_context(name, arguments.copy(), parent=context)
        assert context.command.name == line.split()[2 if " plot " in line else 1]
