"""The commands that helps and pages show, and what they do."""

from __future__ import annotations

import itertools
import re
import shlex
from functools import cache
from pathlib import Path

from command import run
from typer.testing import Result

COMMANDS = [
    *("eoc", "check", "gain", "stability", "design", "maps", "phase", "sparsity", "derive", "simulate", "verify"),
    *("export", "activations", "cite"),
]
KINDS = ["variance", "correlation", "slope", "phase", "design", "trajectory", "activation", "summary"]
NAMES = [(), *((command,) for command in COMMANDS)]
FIGURES = [("plot", kind) for kind in KINDS]
#: What needs torch, an extra; what a page or a help shows of it is run by tests/torch and tests/training.
WITH_TORCH = [
    *(("audit",), ("plot", "audit"), ("train",)),
    *(("experiment", kind) for kind in ("sparse-training", "foresight", "table")),
]


def commands(text: str, *, torch: bool = False) -> list[str]:
    """Those that need torch, or those that do not."""
    lines = re.findall(r"^ *(meanfield .*)$", text, flags=re.MULTILINE)
    return [line for line in lines if torch == any(tuple(line.split()[1:])[: len(name)] == name for name in WITH_TORCH)]


@cache
def examples(name: tuple[str, ...]) -> list[str]:
    """The commands in a help."""
    return commands(run(*name, "--help").stdout.partition("Examples:")[2], torch=name in WITH_TORCH)


def as_printed(line: str) -> Result:
    """What a command does, which must succeed and print something or write its files."""
    command = shlex.split(line.split(" > ")[0])[1:]
    result = run(*command)
    assert result.exit_code == 0, (line, result.stderr)
    # What a figure writes, another command reads.
    written = ("-o", "--output", "--data") if command[0] == "plot" else ("-o", "--output")
    files = [Path(value) for option, value in itertools.pairwise(command) if option in written]
    assert all(file.stat().st_size for file in files), line
    assert files or result.stdout, line
    return result
