"""The pages are tests: a block of `python` or `console` does what it shows.

In a `console` block each line that begins with `$` is a command, and the lines below it are what it prints in 80
columns; with no line below it, it must succeed. In what is shown `...` stands for anything. A `python` block that
begins with the name of a file, `# nets.py`, is that file to what follows. A `bash` block must succeed and
say nothing of errors.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser


@pytest.fixture(scope="module")
def page(request: pytest.FixtureRequest) -> Iterator[None]:
    """An empty folder to write to, in which data of the repository lie where a reader has them."""
    root = request.config.rootpath
    with TemporaryDirectory() as folder, chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        for name in ("docs", "experiments"):
            Path(name).symlink_to(root / name)
        yield


def _commands_do_as_shown(example: Example) -> str | None:
    """What differs, in words."""
    _, *commands = f"\n{example.parsed}".split("\n$ ")
    for command, _, shown in (text.partition("\n") for text in commands):
        name, *arguments = shlex.split(command, comments=True)
        if name == "meanfield" and (difference := _difference(arguments, shown)):
            return f"$ {command}\n{difference}"
    return None


def _difference(arguments: list[str], shown: str) -> str | None:
    from typer.testing import CliRunner

    from meanfield.cli import app

    said = CliRunner().invoke(app, arguments, prog_name="meanfield", catch_exceptions=False)
    if not shown.strip():
        return f"exit code {said.exit_code}\n{said.output}" if said.exit_code else None
    checker, flags = doctest.OutputChecker(), doctest.ELLIPSIS | doctest.REPORT_NDIFF
    wanted, got = _lines(shown), _lines(said.output)
    if checker.check_output(wanted, got, flags):
        return None
    return checker.output_difference(doctest.Example("", wanted), got, flags)


def _shell(example: Example) -> str | None:
    """What a script says that fails."""
    here = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-u", "-c", example.parsed], env=here, capture_output=True, text=True, check=False)
    return f"exit code {done.returncode}\n{done.stderr}" if done.returncode or done.stderr else None


def _lines(text: str) -> str:
    """Lines that are empty and spaces that end a line are not seen."""
    return "".join(line.rstrip() + "\n" for line in text.splitlines() if line.strip())


class _PythonOrFile(PythonCodeBlockParser):
    def __call__(self, document: Document) -> Iterable[Region]:
        for region in super().__call__(document):
            if named := re.match(r"# ([\w.]+\.py)\n", getattr(region.parsed, "source", region.parsed)):
                yield Region(region.start, region.end, (named[1], region.parsed), _write)
            else:
                yield region


def _write(example: Example) -> None:
    name, text = example.parsed
    Path(name).write_text(text)


pytest_collect_file = Sybil(
    parsers=[
        _PythonOrFile(doctest_optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE),
        CodeBlockParser("console", _commands_do_as_shown),
        CodeBlockParser("bash", _shell),
        SkipParser(),
    ],
    patterns=["*.md"],
    fixtures=["page"],
).pytest()
