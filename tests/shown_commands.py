"""The commands that helps and pages show, and what they do."""

from __future__ import annotations

import itertools
import re
import shlex
from functools import cache
from pathlib import Path

from command import ROOT, run
from typer.testing import Result

COMMANDS = [
    *("eoc", "check", "gain", "stability", "design", "maps", "phase", "sparsity", "derive", "simulate", "verify"),
    *("export", "activations", "cite"),
]
KINDS = ["variance", "correlation", "slope", "phase", "design", "trajectory", "activation", "summary"]
NAMES = [(), *((command,) for command in COMMANDS)]
FIGURES = [("plot", kind) for kind in KINDS]
#: What needs torch, an extra; what a help shows of it is run by tests/torch and tests/training.
WITH_TORCH = [
    *(("audit",), ("plot", "audit"), ("train",)),
    *(("experiment", kind) for kind in ("sparse-training", "foresight", "table")),
]

PAGES = sorted([ROOT / "README.md", *(path for path in ROOT.glob("docs/**/*.md") if "_build" not in path.parts)])
#: Drawn by `make gallery` alone.
GALLERY = ROOT / "docs/gallery/README.md"


def commands_of(page: Path) -> list[str]:
    """Those in its blocks, without what is said of them behind a #."""
    return re.findall(r"^\$ (meanfield .*?)(?: +# .*)?$", page.read_text(), flags=re.MULTILINE)


@cache
def run_by_pages() -> set[str]:
    """The commands that are run where pages are tests."""
    return {line for page in PAGES if page != GALLERY for line in commands_of(page)}


@cache
def examples(name: tuple[str, ...]) -> list[str]:
    """The commands in a help, without those of others that need torch."""
    text = run(*name, "--help").stdout.partition("Examples:")[2]
    lines = re.findall(r"^ *(meanfield .*)$", text, flags=re.MULTILINE)
    of_torch = [line for line in lines if any(tuple(line.split()[1:])[: len(known)] == known for known in WITH_TORCH)]
    return of_torch if name in WITH_TORCH else [line for line in lines if line not in of_torch]


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
