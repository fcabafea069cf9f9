"""The pages are tests: a block of `python` or `console` does what it shows.

In a `console` block each line that begins with `$` is a command, and the lines below it are what it prints in 80
columns; with no line below it, it must succeed. In what is shown `...` stands for anything.
"""

from __future__ import annotations

import doctest
import os
import shlex
from collections.abc import Iterator
from contextlib import chdir
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser

_AS_SHOWN = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(scope="module")
def page(request: pytest.FixtureRequest) -> Iterator[None]:
    """An empty folder to write to, in which data of the repository lie where a reader has them."""
    root = request.config.rootpath
    with TemporaryDirectory() as folder, chdir(folder):
        for name in ("docs", "experiments"):
            Path(name).symlink_to(root / name)
        yield


def _evaluate(example: Example) -> str | None:
    """What differs, in words."""
    _, *commands = f"\n{example.parsed}".split("\n$ ")
    for command, _, shown in (text.partition("\n") for text in commands):
        name, *arguments = shlex.split(command, comments=True)
        if name != "meanfield":
            continue
        if difference := _difference(arguments, shown):
            return f"$ {command}\n{difference}"
    return None


def _difference(arguments: list[str], shown: str) -> str | None:
    from typer.testing import CliRunner

    from meanfield.cli import app

    said = CliRunner(env={"COLUMNS": "80"}).invoke(app, arguments, prog_name="meanfield")
    if said.exit_code and not shown:
        return f"exit code {said.exit_code}\n{said.output}"
    # Lines that are empty and spaces that end a line are not seen.
    if shown and not doctest.OutputChecker().check_output(shown, said.output, _AS_SHOWN):
        return f"{said.output}\ninstead of\n\n{shown}"
    return None


def _environment(namespace: dict[str, Any]) -> None:
    os.environ["COLUMNS"] = "80"
    namespace["has_torch"] = find_spec("torch") is not None


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(doctest_optionflags=_AS_SHOWN),
        CodeBlockParser("console", _evaluate),
        SkipParser(),
    ],
    patterns=["*.md"],
    setup=_environment,
    fixtures=["page"],
).pytest()
