"""The file of a run: a first line that says what was asked, then a line for every network, in order, as JSON.

Lines only ever grow at the end, so a run that is cut short leaves every network that it had finished, and at worst a
torn last line, which going on repairs. A network depends on nothing but the experiment, its number among them excepted:
a run that went on ends with the same bytes as one that was never cut short.

Every line ends with a checksum of the others' kind and of itself: `crc32`, of the first line or that of the first line
going on with this one. A line is taken if it is, to the byte, what would be written for what it says.
"""

from __future__ import annotations

import io
import json
import zlib
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from meanfield.atomic_files import require_places
from meanfield.errors import OutputError
from meanfield.finite_width.experiment import Experiment

__all__ = ["DAMAGED", "RunFile", "read_run"]

Array = NDArray[np.float64]

_FORMAT = "meanfield simulation 2"
#: Before lines had checksums.
_UNCHECKED = "meanfield simulation 1"
#: Bytes of a first line at most, and of a number in any other.
_FIRST, _NUMBER = 2**24, 32
#: What reading something else may end with.
DAMAGED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


class RunFile:
    """Networks already in the file at `path`, and where the next ones go.

    Args:
        path: of the file.
        label: what the activation is called, for those who read the file.
        experiment: what is measured; its number of networks may differ from run to run.
        resume: whether to go on with networks that are there; a file that is not there is begun.

    Attributes:
        measured: the networks that were there, shape (networks, quantities, depth + 1).

    Raises:
        OutputError: networks that are there although nothing is to be resumed, something else that is, or a place that
            cannot be written to; it is left as it was.
    """

    def __init__(self, path: Path, label: str, experiment: Experiment, *, resume: bool = False) -> None:
        self._path, self._experiment = path, experiment
        header = _header(label, experiment)
        if path.exists() and not path.is_file():
            raise OutputError(f"cannot write {path}: it is no file; name one that networks can be added to")
        try:
            require_places([path])
            with path.open("rb") if path.exists() else io.BytesIO() as file:
                first = file.readline(_FIRST)
                if not header.startswith(first):
                    raise OutputError(
                        f"{path} {_difference(first, label, experiment)}: name another file, or ask for the same"
                    )
                rows, kept = _networks(path, file, experiment, header)
            if rows and not resume:
                raise OutputError(f"{path} is there already: go on with it by --resume, or name another file")
            self.measured = np.array(rows).reshape(len(rows), len(experiment.quantities), experiment.depth + 1)
            self._done, self._header = len(rows), header
            self._file = path.open("r+b" if path.exists() else "xb")
            self._file.truncate(kept if first == header else 0)
            self._file.seek(0, io.SEEK_END)
            if first != header:
                self._write(header)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}; name a file that you can write to") from None

    def append(self, measured: Array) -> None:
        """Write the next networks, shape (networks, quantities, depth + 1), and hand them to the operating system.

        Raises:
            OutputError: there is no room for them.
        """
        lines = []
        for rows in measured:
            lines.append(_line(self._experiment, self._header, self._done, rows))
            self._done += 1
        try:
            self._write(b"".join(lines))
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}; make room, then --resume") from None

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._file.flush()

    def __enter__(self) -> RunFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(OSError):
            self._file.close()


def read_run(path: Path) -> tuple[str, Experiment, Array]:
    """The label, the experiment and the networks of a file, as many as there are whole lines.

    Raises:
        OutputError: a file that is none of these, or holds no network.
    """
    try:
        with path.open("rb") as file:
            first = file.readline(_FIRST)
            try:
                record = json.loads(first)
                if record["format"] == _UNCHECKED:
                    raise OutputError(f"{path} {_OLD}: draw its networks again")
                label = record["activation"]
                experiment = Experiment.from_record({**record["experiment"], "networks": 1})
                if not isinstance(label, str) or _header(label, experiment) != first:
                    raise OutputError(f"{path}, line 1, is damaged: draw its networks again")
            except OutputError:
                raise
            except DAMAGED:
                raise OutputError(f"{path} is no run of 'meanfield simulate --output FILE.jsonl'") from None
            rows, _ = _networks(path, file, experiment, first)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from None
    if not rows:
        raise OutputError(f"{path} holds no network yet: let 'meanfield simulate' finish some")
    return label, experiment.of(len(rows)), np.array(rows)


_OLD = f"is of an older meanfield ({_UNCHECKED!r}), whose lines have no checksum: nothing shows whether they are whole"


def _header(label: str, experiment: Experiment) -> bytes:
    asked = experiment.as_record()
    del asked["networks"]
    return _checked({"format": _FORMAT, "activation": label, "experiment": asked}, 0)


def _line(experiment: Experiment, header: bytes, network: int, rows: Array) -> bytes:
    record: dict[str, Any] = {"network": network}
    record |= {name: _numbers(row) for name, row in zip(experiment.quantities, rows, strict=True)}
    return _checked(record, zlib.crc32(header))


def _checked(record: dict[str, Any], seed: int) -> bytes:
    """The record as a line, its checksum last."""
    checksum = zlib.crc32(json.dumps(record, allow_nan=False).encode(), seed)
    return (json.dumps({**record, "crc32": checksum}, allow_nan=False) + "\n").encode()


def _networks(path: Path, lines: BinaryIO, experiment: Experiment, header: bytes) -> tuple[list[Array], int]:
    """The networks of the whole lines that follow the first, and where the last of them ends.

    Raises:
        OutputError: a whole line that is not the next network.
    """
    rows: list[Array] = []
    end = lines.tell()
    longest = _NUMBER * (len(experiment.quantities) * (experiment.depth + 1) + 10)
    while line := lines.readline(longest):
        if not line.endswith(b"\n") and len(line) < longest:
            break
        try:
            row = _row(experiment, json.loads(line))
            fits = _line(experiment, header, len(rows), row) == line
        except DAMAGED:
            fits = False
        if not fits:
            raise OutputError(
                f"{path}, line {len(rows) + 2}, is not network {len(rows)}: the file is damaged; name another"
            )
        rows.append(row)
        end += len(line)
    return rows, end


def _difference(first: bytes, label: str, experiment: Experiment) -> str:
    """What a file holds instead, by its first line."""
    try:
        record = json.loads(first)
        if record["format"] == _UNCHECKED:
            return _OLD
        if record["format"] != _FORMAT:
            return f"is of another version ({record['format']!r:.40}, not {_FORMAT!r})"
        if (other := record["activation"]) != label:
            return f"holds networks of another activation ({other!s:.80}, not {label})"
        there, here = record["experiment"], experiment.as_record()
        name = next(name for name, value in there.items() if here[name] != value)
        return f"holds networks of another kind ({name} = {there[name]!s:.40}, not {here[name]!s:.40})"
    except StopIteration:
        return "has a damaged first line"
    except DAMAGED:
        return "holds something else than networks of this kind"


def _numbers(row: Array) -> list[float | None]:
    """As JSON, which knows neither ∞ nor NaN."""
    return [value if np.isfinite(value) else None for value in row.tolist()]


def _row(experiment: Experiment, record: dict[str, Any]) -> Array:
    """What `_numbers` wrote: q that is no number has overflowed."""
    rows = []
    for name in experiment.quantities:
        values = np.array(record[name], dtype=float)
        if values.shape != (experiment.depth + 1,):
            raise ValueError(name)
        rows.append(np.where(np.isnan(values), np.inf if name == "q" else np.nan, values))
    return np.array(rows)
