"""Commands that need torch, an extra, where there is none, and what they say before they load it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from command import run


@pytest.mark.parametrize("command", [["audit"], ["plot", "audit"]], ids=["audit", "plot audit"])
def test_what_is_missing_is_told_with_what_would_install_it(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run(*command, "nets:build", "--shape", "16,784")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"meanfield: meanfield {' '.join(command)} needs PyTorch: pip install 'meanfield[torch]'\n"


def test_training_needs_an_extra_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run("train", "--act", "relu", "--data", "digits")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "meanfield: meanfield train needs PyTorch: pip install 'meanfield[train]'\n"


def test_help_does_not_load_it() -> None:
    code = """
import sys
from meanfield.cli import app
for arguments in (["--help"], ["audit", "--help"], ["plot", "audit", "--help"], ["train", "--help"]):
    app(arguments, standalone_mode=False)
assert not {"torch", "numpy", "matplotlib"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_a_model_is_asked_for_and_one_alone() -> None:
    assert "meanfield audit needs a model: write for instance meanfield audit nets:build" in run("audit").stderr
    assert "two:b belongs to no option" in run("audit", "one:a", "two:b", "--shape", "1,2").stderr
