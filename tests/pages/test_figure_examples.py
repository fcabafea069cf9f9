"""Every command that the help of a figure shows runs as printed, and those of the gallery are read."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer
from command import ROOT
from shown_commands import FIGURES, as_printed, commands, examples

from meanfield.cli import app


@pytest.mark.parametrize("name", FIGURES, ids=lambda name: "-".join(name))
def test_every_example_of_a_help_runs_as_printed(
    name: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert examples(name)
    for line in examples(name):
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
