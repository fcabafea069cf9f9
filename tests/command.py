"""The command as tests call it: in this process, or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner, Result

from meanfield.cli import app

ROOT = Path(__file__).parent.parent


def run(*arguments: str) -> Result:
    """Exit code, stdout and stderr, in this process."""
    return CliRunner().invoke(app, list(arguments))


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own, with variables of its environment."""
    command = [sys.executable, "-m", "meanfield", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=60)


def data(*arguments: str) -> dict | list:
    """What is printed as JSON by a command that succeeds."""
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)
