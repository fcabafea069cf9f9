"""A run in a file, from which it goes on as if it had not been interrupted.

A first line says what the file is and has a checksum of the rest, which is PyTorch's: tensors and plain numbers.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import torch

from meanfield.atomic_files import write_whole
from meanfield.errors import OutputError, shortened
from meanfield.training.data import Data
from meanfield.training.setting import Setting

__all__ = ["read_checkpoint", "write_checkpoint"]

_FORMAT = b"meanfield checkpoint 1"


def write_checkpoint(path: Path, setting: Setting, data: Data, state: dict[str, Any]) -> None:
    """Whole or not at all, in place of an earlier one.

    Raises:
        OutputError: a place that cannot be written to.
    """
    content = io.BytesIO()
    torch.save({"setting": setting.as_record(), "data": data.checksum, "state": state}, content)
    held = content.getvalue()
    write_whole({path: _first(held) + held})


def read_checkpoint(path: Path, setting: Setting, data: Data) -> dict[str, Any]:
    """The state of a run of this setting on these data.

    Raises:
        OutputError: a file that cannot be read, or is of another run.
    """
    try:
        with path.open("rb") as file:
            first = file.readline(len(_FORMAT) + 12)
            # What is no checkpoint may be without end, as a device is.
            content = file.read() if first.startswith(_FORMAT) else b""
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from None
    if first != _first(content):
        raise OutputError(f"{path} is no checkpoint of 'meanfield train', or is damaged: name another file")
    held = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    for name, here in setting.as_record().items():
        there = held["setting"].get(name)
        if there != here:
            raise OutputError(
                f"{path} is of a run with {name} = {shortened(there)}, not {shortened(here)}: name another checkpoint"
            )
    if held["data"] != data.checksum:
        raise OutputError(f"{path} is of a run on other data than {setting.data} holds now: name another checkpoint")
    found: dict[str, Any] = held["state"]
    return found


def _first(content: bytes) -> bytes:
    return b"%s %d\n" % (_FORMAT, zlib.crc32(content))
