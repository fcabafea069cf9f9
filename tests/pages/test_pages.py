"""No page and no command of a page escapes the tests that conftest.py makes of them."""

from __future__ import annotations

import re
import shlex
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from command import ROOT
from shown_commands import PAGES, commands_of

from meanfield.cli import app


def collected(target: str) -> set[Path]:
    """The pages that a target of the Makefile runs."""
    command = ["make", "--dry-run", target]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    found = set()
    for arguments in (shlex.split(line.partition("/pytest ")[2]) for line in lines):
        ignored = {ROOT / after for option, after in pairwise(arguments) if option == "--ignore"}
        named = {ROOT / argument for argument in arguments} - ignored
        found |= {page for page in PAGES if named & {page, *page.parents} and not ignored & {page, *page.parents}}
    return found


def test_each_page_is_run_by_one_of_two_targets() -> None:
    without_torch, with_torch = collected("test-pages"), collected("test-torch")
    assert without_torch and with_torch and not without_torch & with_torch
    assert sorted(without_torch | with_torch) == PAGES


def title(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_commands_stand_in_blocks_that_are_run(page: Path) -> None:
    for _, label, block in re.findall(r"^ *(`{3,}|~{3,})(.*)\n((?:.*\n)*?) *\1$", page.read_text(), re.MULTILINE):
        lines = block.splitlines()
        if label.strip() == "console":
            assert lines[0].startswith("$ "), block
        else:
            assert label.strip() == "bash" or not [
                line for line in lines if re.match(r"\s*(\$\s*)?meanfield ", line)
            ], block
            # Sessions of Python stand in blocks of that name.
            assert label.strip() == "python" or not block.startswith(">>> "), block


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_commands_have_the_options_that_they_name(page: Path) -> None:
    # Also where running them would take hours.
    for line in commands_of(page):
        command, arguments = typer.main.get_command(app), shlex.split(line)[1:]
        context = command.make_context("meanfield", arguments.copy())
        while hasattr(command, "resolve_command"):
            name, command, arguments = command.resolve_command(context, arguments)
            context = command.make_context(name, arguments.copy(), parent=context)
