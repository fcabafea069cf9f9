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


#: What runs a command with signals that end it, which a test run in the background has ignored for its children.
_HEEDING = """
import os, signal, sys
for name in ("SIGINT", "SIGHUP", "SIGTERM"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


def heeding_signals(*command: str) -> list[str]:
    """A command that signals end, whatever the process that starts it does with them."""
    return [sys.executable, "-c", _HEEDING, *command]


def data(*arguments: str) -> dict | list:
    """What is printed as JSON by a command that succeeds."""
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)
