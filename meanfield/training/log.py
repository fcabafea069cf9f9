"""The log of a run, JSON lines: what was asked and foretold; what was measured at each step; how it ended."""

from __future__ import annotations

import io
import json
import math
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from meanfield.atomic_files import require_places
from meanfield.domain import path_of
from meanfield.errors import OutputError, shortened
from meanfield.tables.plain import plain
from meanfield.tables.records import Record
from meanfield.training.setting import Setting

__all__ = ["BY_LAYER", "Log", "read_log", "require_log"]

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

    Attributes:
        is_new: whether it holds no step yet.

    Raises:
        OutputError: a place that cannot be written to, or a file that is there already or is of another run.
    """

    def __init__(self, path: Path, setting: Setting, foretold: Record | None, kept: int | None) -> None:
        there = _lines(path, setting, resume=kept is not None)
        before = [line for line, step in there if step <= (kept or 0)] or [_header(setting, foretold)]
        self.is_new = len(before) == 1
        self._path = path
        try:
            self._file: BinaryIO = path.open("r+b" if path.exists() else "xb")
            self._file.truncate(sum(map(len, before)) if there else 0)
            self._file.seek(0, io.SEEK_END)
            if not there:
                self._write(before[0])
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
        self._file.write(content)
        self._file.flush()

    def close(self) -> None:
        """No more lines."""
        with suppress(OSError):
            self._file.close()


def require_log(path: Path, setting: Setting, *, resume: bool) -> None:
    """Refuse, before a run begins, a place for its log that cannot be written to or holds anything else than its lines.

    Raises:
        OutputError: likewise.
    """
    _lines(path, setting, resume=resume)


def _lines(path: Path, setting: Setting, *, resume: bool) -> list[tuple[bytes, float]]:
    """The lines of the log, each with its step, of the first −1 and of that on how the run ended ∞; none if it is new.

    A line that was cut short is left out.
    """
    require_places([path])
    if not path.exists():
        return []
    if not path.is_file():
        raise OutputError(f"cannot write {path}: it is no file; name one that lines can be added to")
    if not resume:
        raise OutputError(f"{path} is there already: go on with its run by --resume, or name another file")
    try:
        content = path.read_bytes()
        first, *rest = content[: content.rfind(b"\n") + 1].splitlines(keepends=True) or [b""]
        begins = _header(setting, None).removesuffix(b"null}\n")
        if not first and (begins.startswith(content) or content.startswith(begins)):
            return []
        asked = _setting_of(json.loads(first)).as_record()
        records = [json.loads(line) for line in rest]
        steps = [math.inf if "outcome" in record else float(record["step"]) for record in records]
        if steps != sorted(steps):
            raise ValueError
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise OutputError(f"{path} is no log of a training run, or is damaged: name another file") from None
    for name, here in setting.as_record().items():
        if asked[name] != here:
            raise OutputError(
                f"{path} is the log of a run with {name} = {shortened(asked[name])}, not {shortened(here)}: name "
                "another file"
            )
    return [(first, -1.0), *zip(rest, steps, strict=True)]


def read_log(path: str | Path) -> tuple[Setting, Record | None, list[Record]]:
    """The setting, what was foretold, and the lines after it.

    Raises:
        OutputError: a file that cannot be read or is none.
    """
    path = path_of("log", path)
    try:
        content = path.read_bytes()
        # A run that is going on may be writing the last line.
        first, *rest = content[: content.rfind(b"\n") + 1].splitlines()
        header = json.loads(first)
        setting = _setting_of(header)
        return setting, header["foretold"], [_read(line, setting.depth) for line in rest]
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
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


def _setting_of(header: Record) -> Setting:
    if header["format"] != _FORMAT:
        raise ValueError
    return Setting.from_record(header["setting"])


def _header(setting: Setting, foretold: Record | None) -> bytes:
    return _line({"format": _FORMAT, "setting": setting.as_record(), "foretold": foretold})


def _line(record: Record) -> bytes:
    return (json.dumps(plain(record), allow_nan=False) + "\n").encode()
