"""The log of a run, JSON lines: what was asked and foretold; what was measured at each step; how it ended."""

from __future__ import annotations

import io
import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

from meanfield.atomic_files import require_places
from meanfield.errors import OutputError
from meanfield.tables.records import Record
from meanfield.training.setting import Setting

__all__ = ["BY_LAYER", "Log", "read_log"]

_FORMAT = "meanfield training 1"
#: What a line has of every hidden layer.
BY_LAYER = ("q", "sparsity", "gradient_norm")
#: How numbers that it has of the network end.
_TOLD = ("loss", "_accuracy")


class Log:
    """A log that grows line by line.

    Args:
        path: of the file.
        setting: of the run.
        foretold: the verdict of its initialisation.
        kept: the step up to which lines of the same run are kept, to go on behind them; None to begin.

    Raises:
        OutputError: a place that cannot be written to, or a file that is there already or is of another run.
    """

    def __init__(self, path: Path, setting: Setting, foretold: Record | None, kept: int | None) -> None:
        header = _line({"format": _FORMAT, "setting": setting.as_record(), "foretold": foretold})
        require_places([path])
        lines = [header]
        try:
            if path.exists():
                if kept is None:
                    raise OutputError(f"{path} is there already: go on with its run by --resume, or name another file")
                there = path.read_bytes().splitlines(keepends=True)
                if not there or json.loads(there[0])["setting"] != setting.as_record():
                    raise OutputError(f"{path} is the log of another run: name another file")
                lines = [there[0], *(line for line in there[1:] if json.loads(line)["step"] <= kept)]
        except OSError as error:
            raise OutputError(f"cannot read {path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise OutputError(f"{path} is no log of a training run, or is damaged: name another file") from None
        self._path = path
        self._file: io.BufferedWriter | None = None
        try:
            self._file = path.open("wb")
            self._write(b"".join(lines))
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}; name a file that you can write to") from None

    def append(self, record: Record) -> None:
        """Write a line, and hand it to the operating system.

        Raises:
            OutputError: there is no room for it.
        """
        try:
            self._write(_line(record))
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}; make room, then --resume") from None

    def _write(self, content: bytes) -> None:
        assert self._file
        self._file.write(content)
        self._file.flush()

    def close(self) -> None:
        """No more lines."""
        if self._file:
            with suppress(OSError):
                self._file.close()


def read_log(path: Path) -> tuple[Setting, Record | None, list[Record]]:
    """The setting, what was foretold, and the lines after it.

    Raises:
        OutputError: a file that cannot be read or is none.
    """
    try:
        first, *rest = path.read_bytes().splitlines()
        header = json.loads(first)
        if header["format"] != _FORMAT:
            raise ValueError
        setting = Setting.from_record(header["setting"])
        return setting, header["foretold"], [_read(line, setting.depth) for line in rest]
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise OutputError(f"{path} is no log of 'meanfield train --output FILE.jsonl'") from None


def _read(line: bytes, depth: int) -> Record:
    record: Record = json.loads(line)
    told = [value for name, value in record.items() if name.endswith(_TOLD)]
    values = [value for name in BY_LAYER for value in record[name]] + told
    if not isinstance(record["step"], int) or any(len(record[name]) != depth for name in BY_LAYER):
        raise ValueError
    if not all(value is None or isinstance(value, int | float) for value in values):
        raise TypeError
    if record.get("outcome") == "finished" and record["test_accuracy"] is None:
        raise ValueError
    return record


def _line(record: Record) -> bytes:
    return (json.dumps(_known(record), allow_nan=False) + "\n").encode()


def _known(value: Any) -> Any:
    """As JSON, which knows neither ∞ nor NaN."""
    if isinstance(value, dict):
        return {key: _known(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_known(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
