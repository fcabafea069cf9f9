"""A run in a file, from which it goes on as if it had not been interrupted."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from meanfield.atomic_files import write_whole
from meanfield.errors import OutputError
from meanfield.training.setting import Setting

__all__ = ["read_checkpoint", "write_checkpoint"]

_FORMAT = "meanfield checkpoint 1"


def write_checkpoint(path: Path, setting: Setting, state: dict[str, Any]) -> None:
    """Whole or not at all, in place of an earlier one.

    Raises:
        OutputError: a place that cannot be written to.
    """
    content = io.BytesIO()
    torch.save({"format": _FORMAT, "setting": setting.as_record(), "state": state}, content)
    write_whole({path: content.getvalue()})


def read_checkpoint(path: Path, setting: Setting) -> dict[str, Any]:
    """The state of a run of this setting.

    Raises:
        OutputError: a file that cannot be read, or is of another run.
    """
    try:
        # Nothing but tensors and plain numbers is taken from it.
        held = torch.load(path, map_location="cpu", weights_only=True)
        if held["format"] != _FORMAT:
            raise ValueError
        asked, state = held["setting"], held["state"]
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or 'it is no checkpoint'}") from None
    except (ValueError, KeyError, TypeError, RuntimeError, EOFError, pickle.UnpicklingError):
        raise OutputError(f"{path} is no checkpoint of 'meanfield train', or is damaged: leave --resume out") from None
    here = setting.as_record()
    if asked != here:
        name = next(name for name, value in here.items() if asked.get(name) != value)
        raise OutputError(
            f"{path} is of a run with {name} = {asked.get(name)!s:.60}, not {here[name]!s:.60}: name another checkpoint"
        )
    found: dict[str, Any] = state
    return found
